"""A stack that nobody waits for any more ends; one that was started to go on alone does not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from tests.conftest import ROOT, eventually
from tests.local.conftest import is_alive

# Stands for `python -m local run`: says its pid, and ends when the one who waits for its parent has gone.
RUN = """
import os, sys, time
from local.starter import Starter
starter = Starter(os.environ)
print(os.getpid(), flush=True)
os.close(1)
while not starter.is_gone():
    time.sleep(0.05)
"""
# Stands for make: has one child and waits for it. `%s` stands for how the child is started.
MAKE = 'MAKELEVEL=0 sh -c \'"$0" -c "$1"; exit\' "$0" "$1"'
STARTED = {
    "in the foreground": f"{MAKE}; exit",
    "with nohup": f"trap '' HUP; {MAKE}; exit",
    "in a script's background": f"({MAKE}) & wait; exit",
    "as a session": f"setsid -w {MAKE.replace('MAKELEVEL=0 ', 'env MAKELEVEL=0 ')}; exit",
}


class Started:
    """A shell, what stands for make below it, and what stands for the stack below that."""

    def __init__(self, script: str) -> None:
        self.shell = subprocess.Popen(
            ["sh", "-c", script, sys.executable, RUN],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.shell.stdout is not None
        self.run = psutil.Process(int(self.shell.stdout.readline()))
        self.shell.stdout.close()
        self.make = self.run.parent()
        assert self.make is not None
        assert self.make.pid != self.shell.pid

    def end(self) -> None:
        for process in (self.run, self.make, self.shell):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.shell.wait()


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[Started]:
    processes = Started(STARTED[request.param])
    yield processes
    processes.end()


@pytest.mark.parametrize("started", STARTED, indirect=True)
def test_it_ends_when_make_is_killed(started: Started) -> None:
    started.make.kill()
    eventually(lambda: not is_alive(started.run))


@pytest.mark.parametrize("started", ["in the foreground"], indirect=True)
def test_it_ends_when_the_shell_before_make_is_killed(started: Started) -> None:
    started.shell.kill()
    eventually(lambda: not is_alive(started.run))


@pytest.mark.parametrize("started", list(STARTED)[1:], indirect=True)
def test_it_goes_on_when_it_was_sent_away(started: Started) -> None:
    started.shell.kill()
    started.shell.wait()
    waited = subprocess.run(
        ["timeout", "0.5", "tail", f"--pid={started.run.pid}", "-f", os.devnull], check=False
    )
    assert waited.returncode == 124  # it was still there at the end
    assert is_alive(started.run)
