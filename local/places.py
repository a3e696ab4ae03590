"""Where the stack keeps its state, its secrets and its sockets."""

import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from local.account import Account
from local.trouble import Trouble

LONGEST_SOCKET_PATH = 100  # the kernel takes 107 bytes; some for the ".lock" and ".pid" that servers append


@dataclass(frozen=True)
class Places:
    """The folders of one stack, all inside `var` but where that cannot be."""

    var: Path

    @classmethod
    def prepare(cls, var: Path) -> "Places":
        """Make the folders that are missing. Raises Trouble where that is not allowed."""
        places = cls(var.resolve())
        try:
            # Others may pass through, as PostgreSQL's account must; everything inside is closed to them.
            places.var.mkdir(mode=0o711, parents=True, exist_ok=True)
            for folder in (places.run, places.programs, places.leases, places.log, places.secrets):
                folder.mkdir(mode=0o700, exist_ok=True)
            (places.run / "writable").write_text("")
        except OSError as error:
            raise Trouble(
                f"Cannot write to {places.var}: {error.strerror}. Name another folder with VAR=…"
            ) from error
        return places

    @property
    def run(self) -> Path:
        return self.var / "run"

    @property
    def programs(self) -> Path:
        return self.run / "programs"

    @property
    def leases(self) -> Path:
        return self.run / "leases"

    @property
    def log(self) -> Path:
        return self.var / "log"

    @property
    def secrets(self) -> Path:
        return self.var / "secrets"

    @property
    def mark(self) -> str:
        """A short name that no other `var` has."""
        return hashlib.sha256(os.fsencode(self.var)).hexdigest()[:16]

    @cached_property
    def sockets(self) -> Path:
        """A folder for sockets that only our own account can enter."""
        return socket_folder(self.run / "sockets", self.mark, None)

    def remove_sockets(self) -> None:
        """Forget sockets that had to be kept outside of `var`."""
        for folder in Path(tempfile.gettempdir()).glob(f"live-validation-*-{self.mark}"):
            shutil.rmtree(folder, ignore_errors=True)

    def secret(self, name: str) -> str:
        """The stack's own secret of that name, made at the first call, in a file that only we can read."""
        target = self.secrets / name
        if not target.exists():
            whole = target.with_suffix(".new")
            whole.touch(0o600)
            whole.write_text(secrets.token_urlsafe(32))
            whole.rename(target)  # a crash never leaves half a secret
        return target.read_text()


def socket_folder(wished: Path, mark: str, owner: Account | None) -> Path:
    """`wished`, or a folder with a shorter name where that is too long for sockets; private to `owner`."""
    longest = len(os.fsencode(wished / ".s.PGSQL.5432"))
    if longest > LONGEST_SOCKET_PATH:
        uid = owner.uid if owner else os.geteuid()
        wished = Path(tempfile.gettempdir(), f"live-validation-{uid}-{mark}")
    return private_folder(wished, owner)


def private_folder(path: Path, owner: Account | None) -> Path:
    """Make `path` a folder of `owner` (default: ourselves) alone. Raises Trouble where it is another's."""
    uid = owner.uid if owner else os.geteuid()
    try:
        path.mkdir(mode=0o700)
        if owner:
            os.chown(path, owner.uid, owner.gid)
    except FileExistsError:
        found = path.lstat()  # never through a link that somebody else has put there
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
            raise Trouble(f"{path} is not a private folder of this account; remove it.") from None
    return path
