"""Stacks of these tests' own, started by `make run` as a stranger would, and watched from outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from local import lease
from tests.conftest import ROOT, eventually, free_port

START_SECONDS = 90.0
STOP_SECONDS = 20.0  # what people are promised


class Run:
    """One `make run`: its output, its processes, its stack.json."""

    def __init__(self, var: Path, port: int, in_a_shell: bool = False) -> None:
        self.var = var
        self.port = port
        self._log = var.with_name(f"{var.name}.log")
        self._said_before = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("a") as output:
            self.make = subprocess.Popen(
                ["sh", "-c", "make run; exit"] if in_a_shell else ["make", "run"],
                cwd=ROOT,
                env={**os.environ, "VAR": str(var), "PORT": str(port)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._log.read_text()[self._said_before :]

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def ready(self) -> "Run":
        """Wait until it says where it is."""
        eventually(lambda: self.url in self.said or self.make.poll() is not None, START_SECONDS)
        assert self.make.poll() is None, self.said
        return self

    def processes(self) -> list[dict[str, Any]]:
        return json.loads((self.var / "stack.json").read_text())["processes"]

    def pid(self, name: str) -> int:
        """The pid of the program with that name; 0 while there is none."""
        return next((process["pid"] for process in self.processes() if process["name"] == name), 0)

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/ready", timeout=2).json() == {"status": "ok", "parts": []}
        except (requests.RequestException, ValueError):
            return False

    def everything(self) -> list[psutil.Process]:
        """make and all that came from it."""
        make = psutil.Process(self.make.pid)
        return [make, *make.children(recursive=True)]

    def run_itself(self) -> psutil.Process:
        """The process that make became."""
        return next(p for p in self.everything() if p.cmdline()[-3:] == ["-m", "local", "run"])

    def leases(self) -> list[Path]:
        return list((self.var / "run" / "leases").iterdir())

    def end(self) -> None:
        """However the test went: nothing is left."""
        if self.make.poll() is None:
            self.make.terminate()
            self.make.wait(STOP_SECONDS + 5)
        for held in self.leases():
            lease.end(held, 0)


def none_left(processes: list[psutil.Process], run: Run) -> bool:
    """Has each of these ended, and does nobody hold a lease?"""
    return not any(is_alive(process) for process in processes) and all(
        lease.is_free(held) for held in run.leases()
    )


def is_alive(process: psutil.Process) -> bool:
    """psutil knows a reused pid from ours; one that only waits to be counted by its parent is dead."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Run]]:
    """Starts a stack in a folder of its own, or in an earlier one's; ends it with the module's tests."""
    with ExitStack() as ending:

        def start(var: Path | None = None, port: int | None = None, in_a_shell: bool = False) -> Run:
            var = var or tmp_path_factory.mktemp("stack") / "a folder's var"
            run = Run(var, port or free_port(), in_a_shell)
            ending.callback(run.end)
            return run

        yield start


def local_run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`python -m local run`, for starts that are refused at once."""
    return subprocess.run(
        [sys.executable, "-m", "local", "run", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


KILL = signal.SIGKILL
