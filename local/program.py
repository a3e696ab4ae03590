"""One program of the stack: what to run, as whom, and how it is asked to end."""

import dataclasses
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local import lease
from local.account import Account
from local.places import Places
from local.trouble import Trouble

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Program:
    """`name` is unique in the stack, `role` is the word stack.json uses for it."""

    name: str
    role: str
    argv: Sequence[str]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: int = 5
    account: Account | None = None
    directory: Path = PROJECT

    def write(self, places: Places) -> list[str]:
        """Write down what the leash needs, and return the command line that runs it on its leash."""
        target = places.programs / f"{self.name}.json"
        target.touch(0o600)  # its environment holds passwords
        target.write_text(json.dumps(self._described(places)))
        return [sys.executable, "-S", "-m", "local.leash", str(target)]

    def _described(self, places: Places) -> dict[str, object]:
        return {
            "argv": [which(self.argv[0]), *self.argv[1:]],
            "environment": {**PLAIN_ENVIRONMENT, **self.environment},
            "directory": str(self.directory),
            "log": str(self.log(places)),
            "lease": str(self.lease(places)),
            "stop_signal": int(self.stop_signal),
            "stop_seconds": self.stop_seconds,
            "uid": self.account.uid if self.account else None,
            "gid": self.account.gid if self.account else None,
        }

    def end(self, places: Places, patience: float) -> None:
        """End what is left of this program, orphans too, within `patience` seconds or by force."""
        lease.end(self.lease(places), patience, self.stop_signal)

    def log(self, places: Places) -> Path:
        return places.log / f"{self.name}.log"

    def lease(self, places: Places) -> Path:
        return places.leases / self.name


def last_line(log: Path) -> str:
    """What a program said last."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1].strip() if lines else "it said nothing"


# Programs get their own environment and nothing of the caller's: no secret of one program reaches another.
PLAIN_ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC"}


def which(command: str) -> str:
    """The absolute path of `command`. Raises Trouble where it is missing."""
    found = shutil.which(command)
    if not found:
        raise Trouble(f"{command} is missing; delete .venv and run `make run` again.")
    return found
