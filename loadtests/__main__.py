"""The commands behind the Makefile: `python -m loadtests load`, `bench`, `flame`, `faults`, `viewers`."""

import sys

from gevent import monkey

if sys.argv[1:] not in (["bench"], ["flame"]):  # which need real threads beside a process that they wait for
    monkey.patch_all()

import os  # noqa: E402
from pathlib import Path  # noqa: E402

import requests  # noqa: E402

from local.demo import Trouble  # noqa: E402
from local.trouble import Trouble as StackTrouble  # noqa: E402


def main() -> int:
    """Run one command; 1 where a threshold was missed, 2 where it could not run."""
    command = sys.argv[1] if len(sys.argv) == 2 else ""
    var = Path(os.environ.get("VAR") or "var")
    try:
        match command:
            case "load":
                from loadtests import load  # Locust is heavy, and the others do without it

                return 0 if load.run(var, os.environ) else 1
            case "bench":
                from loadtests import bench

                return 0 if bench.run(var, os.environ) else 1
            case "flame":
                from loadtests import flame

                return 0 if flame.run(var, os.environ) else 1
            case "faults":
                from loadtests import faults

                return 0 if faults.run(os.environ) else 1
            case "viewers":
                from loadtests import viewers

                return 0 if viewers.run(os.environ) else 1
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except (Trouble, StackTrouble, requests.RequestException) as trouble:
        print(trouble, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
