"""While the stack runs: says what ended and came back, keeps stack.json true and logs short."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence

import psutil

from local.progress import Tell
from local.stack import Lock, Stack
from local.starter import Starter
from local.supervisor import State
from local.trouble import Trouble

PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8  # between two tries to start a failing program
LARGEST_LOG = 50 * 1024 * 1024  # bytes


class Watch:
    """One look at everything, again and again."""

    def __init__(self, stack: Stack, lock: Lock, starter: Starter, tell: Tell) -> None:
        self._stack = stack
        self._lock = lock
        self._starter = starter
        self._tell = tell
        self._pids: dict[str, int] = {}
        self._failing: set[str] = set()
        self._written = ""
        self._told_error: int | None = None

    def keep(self) -> None:
        """Watch until nobody waits for us. Raises Trouble where supervisord ended or `var` was removed."""
        while not self._starter.is_gone():
            self.look()
            time.sleep(PAUSE_SECONDS)
        self._tell("whoever started this has gone")

    def look(self) -> None:
        if not self._lock.is_in_place():
            raise Trouble(f"{self._stack.places.var} was removed while the stack ran on it.")
        states = self._stack.supervisor.states()
        for state in states:
            self._tell_of(state)
            if state.is_failing and state.seconds > LONGEST_PAUSE_SECONDS:
                self._stack.supervisor.restart(state.name)
        try:
            self._write(states)
            self._cut_logs()
        except OSError as error:  # a full disk, perhaps; what runs goes on, and we try again
            if error.errno != self._told_error:
                self._tell(f"cannot write to {self._stack.places.var}: {error.strerror}")
            self._told_error = error.errno
        else:
            self._told_error = None

    def _tell_of(self, state: State) -> None:
        """Say once that a program came back, or that it does not."""
        before = self._pids.get(state.name)
        reason = self._stack.supervisor.reason(state.name)
        if state.is_running and state.pid != before:
            if before:
                self._tell(f"{state.name} ended ({reason}), restarted as pid {state.pid}")
            self._pids[state.name] = state.pid
            self._failing.discard(state.name)
        if state.is_failing and state.name not in self._failing:
            self._tell(
                f"{state.name} does not stay up ({reason}), trying again; see {self._log_of(state.name)}"
            )
            self._failing.add(state.name)

    def _log_of(self, name: str) -> str:
        return str(self._stack.supervisor.programs[name].log(self._stack.places))

    def _write(self, states: Sequence[State]) -> None:
        """stack.json by rename: whoever reads it never sees half of it."""
        text = json.dumps(
            {
                "url": self._stack.url,
                "mailbox_url": self._stack.mailbox_url,
                "processes": list(self._processes(states)),
            },
            indent=1,
        )
        if text != self._written:
            target = self._stack.places.var / "stack.json"
            whole = target.with_suffix(".new")
            whole.write_text(text + "\n")
            whole.rename(target)
            self._written = text

    def _processes(self, states: Sequence[State]) -> Iterator[dict[str, object]]:
        for state in states:
            if not state.pid:
                continue
            role = self._stack.supervisor.programs[state.name].role
            yield {"role": role, "pid": state.pid, "name": state.name}
            if role == "worker":  # its children, one per queue, are what does the work
                for pid in _children(state.pid):
                    yield {"role": role, "pid": pid, "name": f"{state.name} {pid}"}

    def _cut_logs(self) -> None:
        """Keep one older part of a log that has grown too long; its writers append, and go on."""
        for log in self._stack.places.log.glob("*.log"):
            if log.stat().st_size > LARGEST_LOG:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)


def _children(pid: int) -> list[int]:
    try:
        return sorted(child.pid for child in psutil.Process(pid).children())
    except psutil.NoSuchProcess:
        return []
