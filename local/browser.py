"""`python -m local.browser`: makes sure that there is a Chromium to test with, by the means this machine has."""

import os
import shutil
import subprocess
import sys

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
# The package manager that a machine has, and its words for "install Chromium and ask nothing".
INSTALLERS = (
    ("apt-get", [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]]),
    ("dnf", [["dnf", "install", "-y", "-q", "chromium"]]),
    ("apk", [["apk", "add", "-q", "chromium"]]),
    ("pacman", [["pacman", "-Sy", "--noconfirm", "chromium"]]),
)
PLAYWRIGHT = [sys.executable, "-m", "playwright", "install", "chromium"]


def found() -> str | None:
    """The path of an installed Chromium."""
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def install() -> bool:
    """Install one; whether that worked. Only root may use the package manager; Playwright downloads for anybody."""
    if os.geteuid() == 0:
        for manager, commands in INSTALLERS:
            if shutil.which(manager):
                print(f"  installing Chromium by {manager} (once)", flush=True)
                return all(_runs(command) for command in commands) and found() is not None
    print("  installing Chromium by Playwright (once)", flush=True)
    return _runs(PLAYWRIGHT)


def _runs(command: list[str]) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0


def main() -> None:
    if found() is None and not install():
        print(
            "  NO CHROMIUM: it could not be installed here, so the browser tests will be skipped.", flush=True
        )


if __name__ == "__main__":
    main()
