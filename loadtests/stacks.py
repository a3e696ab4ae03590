"""The stack that is put to the test: the one that runs, or one of our own that ends with us."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from local.program import PROJECT
from local.trouble import Trouble

START_SECONDS = 180
STOP_SECONDS = 30


@dataclass(frozen=True)
class Stack:
    """A running stack, by its folder; stack.json says what is true of it now."""

    var: Path

    @property
    def _facts(self) -> dict[str, Any]:
        return json.loads((self.var / "stack.json").read_text())

    @property
    def url(self) -> str:
        return self._facts["url"]

    @property
    def mailbox_url(self) -> str:
        return self._facts["mailbox_url"]

    def pids(self, *roles: str) -> list[int]:
        """The processes of these roles; of all roles where none is named."""
        return [p["pid"] for p in self._facts["processes"] if not roles or p["role"] in roles]

    def environment(self) -> dict[str, str]:
        """The product's settings, as a Gunicorn of this stack was given them."""
        return psutil.Process(self.pids("gunicorn")[0]).environ()

    def gunicorn_urls(self) -> list[str]:
        """The Gunicorns' own addresses, past nginx."""
        ports = [
            listening.laddr.port
            for pid in self.pids("gunicorn")
            for listening in psutil.Process(pid).net_connections("tcp")
            if listening.status == psutil.CONN_LISTEN
        ]
        return [f"http://127.0.0.1:{port}" for port in sorted(set(ports))]

    def is_up(self) -> bool:
        return self._says_yes("/health")

    def is_ready(self) -> bool:
        return self._says_yes("/ready")

    def _says_yes(self, path: str) -> bool:
        try:
            return requests.get(f"{self.url}{path}", timeout=5).ok
        except (OSError, ValueError, requests.RequestException):
            return False


def running(var: Path) -> Stack | None:
    """The stack that runs on `var`, if one answers."""
    stack = Stack(var)
    return stack if stack.is_up() else None


@contextlib.contextmanager
def own(settings: Mapping[str, str] | None = None, workers: int = 1) -> Iterator[Stack]:
    """A stack with a folder and a port of its own, gone at the end. Raises Trouble where it does not start.

    settings: of the product, by the names of its environment variables.
    """
    with tempfile.TemporaryDirectory(prefix="live-validation-", ignore_cleanup_errors=True) as folder:
        var, log = Path(folder) / "var", Path(folder) / "log"
        environment = {**os.environ, **(settings or {}), "VAR": str(var), "PORT": str(free_port())}
        with log.open("w") as output:
            child = subprocess.Popen(  # noqa: S603  (our own program)
                [sys.executable, "-m", "local", "run", "--workers", str(workers)],
                cwd=PROJECT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                yield _awaited(Stack(var), child, log)
            finally:
                child.terminate()
                child.wait(timeout=STOP_SECONDS)


def _awaited(stack: Stack, child: "subprocess.Popen[bytes]", log: Path) -> Stack:
    ends_at = time.monotonic() + START_SECONDS
    while not (stack.var / "stack.json").exists():
        if child.poll() is not None or time.monotonic() > ends_at:
            raise Trouble(f"The stack did not start: {log.read_text()[-2000:]}")
        time.sleep(0.1)
    return stack


def free_port() -> int:
    """A port of the loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
