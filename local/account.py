"""Under which operating system account a server runs: PostgreSQL refuses to be root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.trouble import Trouble


@dataclass(frozen=True)
class Account:
    """An unprivileged account that exists already; no account is ever made."""

    name: str
    uid: int
    gid: int

    def can_enter(self, directory: Path) -> bool:
        """May this account step into `directory`, whatever modes, lists and mounts lie above it?"""
        return self._succeeds("/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory))

    def can_run(self, binary: Path) -> bool:
        """May this account run `binary`?"""
        return self._succeeds(str(binary), "--version")

    def _succeeds(self, *command: str) -> bool:
        try:
            ended = subprocess.run(
                command,
                user=self.uid,
                group=self.gid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                check=False,
            )
        except OSError:
            return False
        return ended.returncode == 0


def unprivileged() -> Account | None:
    """The account for servers that refuse to be root, or None where we are not root ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise Trouble(
        "PostgreSQL cannot run as root, and there is no account `postgres` or `nobody` to run it under."
    )
