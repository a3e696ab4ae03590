"""supervisord as our child: it starts, restarts and ends the stack's programs."""

import contextlib
import http.client
import os
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from local import lease
from local.endings import Endings
from local.places import Places
from local.program import PROJECT, Program
from local.trouble import Trouble

RUNNING = 20  # these two are supervisor.states.ProcessStates
BACKOFF = 30
TRIES = 3  # of a program at the stack's start, before that is given up
# The last tier ends first, its programs side by side: nginx closes the door, Gunicorns and workers finish
# what they have, then the stores close.
TIERS = {
    "stores": ("postgres", "redis", "redis-cache"),
    "product": ("mailbox", "worker", "gunicorn"),
    "edge": ("nginx",),
}

HEAD = """[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
nodaemon=true
silent=true
directory={directory}
logfile={log}
logfile_maxbytes=1MB
logfile_backups=1
pidfile={run}/supervisord.pid
childlogdir={run}
identifier=live-validation
{user}
"""

# Restarted for ever; the pause between tries grows by a second each time, until watch.py begins anew. What a
# program says goes where its leash sends it.
PROGRAM = """
[program:{name}]
command={command}
autostart=false
autorestart=true
startsecs=1
startretries=1000000
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
killasgroup=true
stdout_logfile=NONE
redirect_stderr=true
"""
GROUP = """
[group:{tier}]
programs={names}
priority={priority}
"""


@dataclass(frozen=True)
class State:
    """What supervisord says of one program: its pid (0: none), and the seconds since its last start."""

    name: str
    pid: int
    is_running: bool
    is_failing: bool
    seconds: int


class Supervisor:
    """Owns the child process supervisord and speaks with it."""

    def __init__(self, places: Places, programs: Sequence[Program]) -> None:
        self.places = places
        self.programs = {program.name: program for program in programs}
        self._itself = Program(
            name="supervisord",
            role="supervisord",
            argv=[sys.executable, "-m", "supervisor.supervisord", "-c", str(self._write_configuration())],
            stop_seconds=15,
        )
        self._endings = Endings(self.log)
        self._child = subprocess.Popen(
            self._itself.write(places),
            cwd=PROJECT,
            start_new_session=True,  # the terminal's Ctrl-C and hang-up are ours to handle, not the programs'
        )
        self._rpc = self._connect()

    @property
    def is_running(self) -> bool:
        return self._child.poll() is None

    @property
    def log(self) -> Path:
        return self.places.run / "supervisord.log"

    def start(self, *names: str) -> None:
        for name in names:
            self._call("startProcess", self._address(name), False)

    def restart(self, name: str) -> None:
        """Start a failing program at once, and let its pauses begin small again."""
        with contextlib.suppress(xmlrpc.client.Fault):  # it has come up, or gone down, in this moment
            self._call("stopProcess", self._address(name))
            self.start(name)

    def states(self) -> list[State]:
        infos: list[dict[str, Any]] = self._call("getAllProcessInfo")
        return [
            State(i["name"], i["pid"], i["state"] == RUNNING, i["state"] == BACKOFF, i["now"] - i["start"])
            for i in infos
        ]

    def reason(self, name: str) -> str:
        """How a program ended last."""
        self._endings.look()
        return self._endings.reason.get(name, "unseen")

    def has_given_up(self, name: str) -> bool:
        """Has it ended so often since the stack's start that waiting is in vain?"""
        self._endings.look()
        return self._endings.count[name] >= TRIES or not self.is_running

    def stop(self, seconds: float) -> None:
        """End everything within `seconds`: gently through supervisord, and without mercy where that fails."""
        deadline = time.monotonic() + seconds
        self._transport.close()
        if self.is_running:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(seconds - 2)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        for program in (*self.programs.values(), self._itself):
            program.end(self.places, max(0.0, deadline - time.monotonic()))

    def _call(self, method: str, *arguments: object) -> Any:
        """Ask supervisord. Raises Trouble where it does not answer any more."""
        try:
            return getattr(self._rpc, method)(*arguments)
        except (OSError, http.client.HTTPException) as error:
            raise Trouble("supervisord was killed, and without it nothing is restarted.") from error

    def _connect(self) -> Any:
        self._transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        rpc = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=self._transport).supervisor
        deadline = time.monotonic() + 20
        while self.is_running and time.monotonic() < deadline:
            try:
                rpc.getState()
            except OSError:
                self._transport.close()
                time.sleep(0.02)
            else:
                return rpc
        self.stop(5)
        raise Trouble(f"supervisord did not start; see {self._itself.log(self.places)}")

    @property
    def _socket(self) -> Path:
        return self.places.sockets / "supervisor.sock"

    def _write_configuration(self) -> Path:
        self._socket.unlink(missing_ok=True)
        self.log.unlink(missing_ok=True)
        target = self.places.run / "supervisord.conf"
        head = HEAD.format(
            socket=_escaped(self._socket), directory=_escaped(PROJECT), log=_escaped(self.log),
            run=_escaped(self.places.run), user="user=root" if os.geteuid() == 0 else "",
        )  # fmt: skip
        target.write_text(
            head + "".join(self._described(program) for program in self.programs.values()) + self._groups()
        )
        return target

    def _groups(self) -> str:
        members = {
            tier: [p.name for p in self.programs.values() if p.role in roles] for tier, roles in TIERS.items()
        }
        return "".join(
            GROUP.format(tier=tier, names=",".join(names), priority=priority)
            for priority, (tier, names) in enumerate(members.items())
            if names
        )

    def _address(self, name: str) -> str:
        role = self.programs[name].role
        return next(f"{tier}:{name}" for tier, roles in TIERS.items() if role in roles)

    def _described(self, program: Program) -> str:
        return PROGRAM.format(
            name=program.name,
            command=_escaped(shlex.join(program.write(self.places))),
            stop_signal=program.stop_signal.name.removeprefix("SIG"),
            stop_seconds=program.stop_seconds,
        )


def end_leftovers(places: Places) -> int:
    """End what a killed stack of this `var` left behind; returns how many programs that were.

    Its supervisord first: it may be ending the others just now, and would restart what we end.
    """
    leases = sorted(places.leases.iterdir(), key=lambda path: path.name != "supervisord")
    left = [path for path in leases if not lease.is_free(path)]
    for path in left:
        gentle = signal.SIGINT if path.name == "postgres" else signal.SIGTERM
        lease.end(path, 16 if path.name == "supervisord" else 6, gentle)
    return len(left)


def _escaped(text: object) -> str:
    """supervisord expands `%(name)s` in every value."""
    return str(text).replace("%", "%%")
