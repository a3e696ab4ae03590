"""The commands behind the Makefile: `python -m local run`, `build`, `doctor`."""

import argparse
import os
import sys
from pathlib import Path

from local import bundle, doctor, run
from local.trouble import Trouble


def main() -> int:
    """Run one command. Trouble becomes one line on stderr and exit status 2."""
    arguments = _parser().parse_args()
    try:
        if not sys.platform.startswith("linux"):
            raise Trouble("The local stack needs Linux (it finds its processes in /proc).")
        if arguments.command == "build":
            bundle.build()
        elif arguments.command == "doctor":
            return doctor.ask(Path(arguments.var))
        else:
            run.run(Path(arguments.var), _port(arguments.port), arguments.workers, os.environ)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="the whole stack in the foreground")
    running.add_argument("--var", default=os.environ.get("VAR") or "var", help="where its state lives")
    running.add_argument("--port", default=os.environ.get("PORT") or "8080", help="of nginx")
    running.add_argument("--workers", type=int, default=1, help="of each of the two Gunicorns")
    asking = commands.add_parser("doctor", help="what is wrong with the stack that runs, and what to do")
    asking.add_argument("--var", default=os.environ.get("VAR") or "var", help="where its state lives")
    commands.add_parser("build", help="the browser's side, if its sources changed")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise Trouble(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
