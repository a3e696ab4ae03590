"""`python -m local.promtool`: fetches Debian's Prometheus, which rules and panels are tested with.

Unpacked beside the private Python, not installed: nobody's machine gets a Prometheus running by a test.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HOME: Final = Path(sys.prefix) / "prometheus"


def found(program: str = "promtool") -> str | None:
    """The path of promtool, or of `prometheus` beside it: the machine's or the fetched one."""
    return shutil.which(program) or shutil.which(program, path=str(HOME / "usr" / "bin"))


def fetch() -> bool:
    """Fetch and unpack the package; whether that worked. Only where there is apt."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return False
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["apt-get", "download", "prometheus"], cwd=folder, stdout=subprocess.DEVNULL, check=False
        )
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(HOME)], check=False)
    return found() is not None


def main() -> None:
    if found() is None:
        print("  fetching promtool (once)", flush=True)
        if not fetch():
            print("  NO PROMTOOL: the alert rules' tests will be skipped (or fail with CI=true).", flush=True)


if __name__ == "__main__":
    main()
