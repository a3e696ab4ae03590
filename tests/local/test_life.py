"""`make run` keeps everything alive while it lives, and leaves nothing behind however it ends."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests

from local import lease
from tests.conftest import ROOT, eventually
from tests.local.conftest import KILL, STOP_SECONDS, Run, is_alive, none_left

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

# As a test run does that is killed: it never comes to the end of its `with`.
HOLDS_SERVERS = """
import signal, sys
from pathlib import Path
from local import servers
with servers.start(Path(sys.argv[1])):
    print("ready", flush=True)
    signal.pause()
"""
PROGRAMS = ["postgres", "redis", "redis-cache", "mailbox", "gunicorn-1", "worker", "nginx"]
RECOVERY_SECONDS = 60.0


@pytest.fixture(scope="module")
def running(starting: Callable[..., Run]) -> Run:
    return starting().ready()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_killed_program_comes_back_and_is_said(running: Run, name: str) -> None:
    killed = running.pid(name)
    psutil.Process(killed).send_signal(KILL)
    eventually(lambda: running.pid(name) not in (0, killed), RECOVERY_SECONDS)
    eventually(running.is_ready, RECOVERY_SECONDS)
    eventually(lambda: f"{name} ended (SIGKILL), restarted as pid {running.pid(name)}" in running.said)


def test_stack_json_names_living_processes_and_their_roles(running: Run) -> None:
    roles = {process["role"] for process in running.processes()}
    assert roles == {"postgres", "redis", "redis-cache", "nginx", "gunicorn", "worker", "mailbox"}
    assert all(psutil.pid_exists(process["pid"]) for process in running.processes())
    assert [p["role"] for p in running.processes()].count("gunicorn") == 2


def test_a_second_stack_on_the_same_folder_is_refused(running: Run, starting: Callable[..., Run]) -> None:
    second = Run(running.var, running.port + 1)
    assert second.make.wait(STOP_SECONDS) == 2
    assert f"A stack is already running on {running.var}" in running.said


def test_sigterm_ends_everything_in_time(running: Run) -> None:
    processes = running.everything()
    assert len(processes) > len(PROGRAMS)
    stream = requests.get(
        f"{running.url}/static/src/favicon.svg", stream=True, timeout=5
    )  # an open connection
    begun = time.monotonic()
    running.make.terminate()
    running.make.wait(STOP_SECONDS)
    assert none_left(processes, running)
    assert time.monotonic() - begun < STOP_SECONDS
    assert not (running.var / "stack.json").exists()
    stream.close()


def test_a_killed_parent_leaves_no_process(running: Run, starting: Callable[..., Run]) -> None:
    """make, or the shell that waits for it: make does not notice when that is killed."""
    run = starting(running.var, in_a_shell=True).ready()  # after a clean stop, on the same data
    processes = run.everything()
    run.make.kill()
    eventually(lambda: none_left(processes, run), STOP_SECONDS)


def test_the_next_start_recovers_when_everything_was_killed(
    running: Run, starting: Callable[..., Run]
) -> None:
    run = starting(running.var).ready()
    processes = run.everything()
    spared = psutil.Process(run.pid("nginx")).children()[0]  # an orphan that keeps the port and a lease
    for process in processes:
        if process != spared:
            process.send_signal(KILL)
    eventually(lambda: not any(is_alive(process) for process in processes if process != spared))
    recovered = starting(running.var, run.port).ready()
    assert recovered.is_ready()
    assert not is_alive(spared)


def test_a_killed_supervisord_ends_the_stack_with_a_line(running: Run) -> None:
    """On the stack that the test before has brought back."""
    [supervisord] = lease.holders(running.var / "run" / "leases" / "supervisord")
    run = psutil.Process(supervisord).parent()
    assert run is not None
    processes = [run, *run.children(recursive=True)]
    psutil.Process(supervisord).send_signal(KILL)
    eventually(lambda: none_left(processes, running), STOP_SECONDS)
    assert "supervisord was killed" in running.said


def test_killed_itself_it_leaves_no_process_either(tmp_path: Path) -> None:
    """By the tests' own way in, which is the same code and starts faster."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS_SERVERS, str(tmp_path / "var")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    processes = psutil.Process(holder.pid).children(recursive=True)
    leases = list((tmp_path / "var" / "run" / "leases").iterdir())
    assert {path.name for path in leases} == {"supervisord", "postgres", "redis", "redis-cache", "mailbox"}
    holder.kill()
    holder.wait()
    holder.stdout.close()
    eventually(lambda: not any(is_alive(process) for process in processes), STOP_SECONDS)
    assert all(lease.is_free(path) for path in leases)
