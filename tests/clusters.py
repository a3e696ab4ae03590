"""PostgreSQL servers beside the tests' own, to be backed up, followed, killed and promoted: on loopback's ports."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg2
import psycopg2.extensions

from local import account, postgres
from local.account import Account
from local.roles import roles
from tests.conftest import free_port

SUPERUSER = "operator"
PASSWORD = "made for one test"
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = on
wal_level = replica
hot_standby = on
max_connections = 60
shared_buffers = 16MB
timezone = 'UTC'
log_min_error_statement = panic
"""
ACCESS = "host all,replication all 127.0.0.1/32 scram-sha-256\n"


@dataclass
class Cluster:
    """One server: its folder, which belongs to an account that PostgreSQL may run under, and its port."""

    folder: Path
    settings: str = ""
    port: int = field(default_factory=free_port)
    owner: Account | None = field(default_factory=account.unprivileged)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def binaries(self) -> Path:
        return postgres.binaries(self.owner)

    def dsn(self, role: str = SUPERUSER, database: str = "postgres") -> str:
        return f"postgresql://{role}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def run(self, binary: str, *arguments: str) -> str:
        """A program of PostgreSQL's, under the server's account."""
        done = subprocess.run(
            [str(self.binaries / binary), *arguments],
            user=self.owner.uid if self.owner else None, group=self.owner.gid if self.owner else None,
            extra_groups=[] if self.owner else None, cwd=self.folder, env={"PGPASSWORD": PASSWORD, "PATH": os.defpath},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{binary}: {done.stdout}\n{self.log}"
        return done.stdout

    def make(self) -> "Cluster":
        """An empty server, not started yet."""
        word = self.folder / "password"
        self.write(word, PASSWORD)
        self.run("initdb", "-D", str(self.data), "-U", SUPERUSER, f"--pwfile={word}", "--auth=scram-sha-256",
                 "--no-sync", "--data-checksums")  # fmt: skip
        self.write(self.data / "pg_hba.conf", ACCESS)
        self.write(self.data / "postgresql.conf", SETTINGS + self.settings)
        return self

    def follow(self, primary: "Cluster", name: str) -> "Cluster":
        """A standby of a running server, not started yet."""
        dsn = f"{primary.dsn()}?application_name={name}"
        self.run("pg_basebackup", "-D", str(self.data), "-d", dsn, "-R", "-X", "stream", "-c", "fast")
        self.write(self.data / "postgresql.conf", SETTINGS + self.settings)
        return self

    def start(self) -> "Cluster":
        self.run(
            "pg_ctl",
            "-D",
            str(self.data),
            "-w",
            "-o",
            f"-p {self.port}",
            "-l",
            str(self.folder / "log"),
            "start",
        )
        return self

    @property
    def is_running(self) -> bool:
        """Is its postmaster alive? One that was killed and not yet reaped is not."""
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, psutil.NoSuchProcess):
            return False

    def stop(self, mode: str = "immediate") -> None:
        if self.is_running:
            self.run("pg_ctl", "-D", str(self.data), "-m", mode, "stop")

    def promote(self) -> None:
        self.run("pg_ctl", "-D", str(self.data), "-w", "promote")

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text()[-4000:] if path.exists() else ""

    def write(self, path: Path, text: str) -> None:
        path.write_text(text)
        if self.owner:
            os.chown(path, self.owner.uid, self.owner.gid)

    def furnish(self) -> dict[str, str]:
        """Make the product's roles and database; returns the settings that name them."""
        passwords = {role.name: PASSWORD for role in roles.ROLES}
        with connected(self.dsn()) as admin:
            roles.create_roles(admin, passwords)
            roles.create_database(admin, "live_validation")
        with connected(self.dsn(database="live_validation")) as admin:
            roles.close_to_others(admin, "live_validation")
        return product_settings([self])

    def ask(self, statement: str, database: str = "postgres") -> object:
        """The first value of the answer."""
        with connected(self.dsn(database=database)) as admin, admin.cursor() as cursor:
            cursor.execute(statement)
            found = cursor.fetchone()
            return found[0] if found else None


def product_settings(clusters: list[Cluster], more: str = "") -> dict[str, str]:
    """The product's settings for these servers, in this order."""
    hosts = ",".join(f"127.0.0.1:{cluster.port}" for cluster in clusters)
    users = {
        "DATABASE_URL": roles.APP,
        "INGEST_DATABASE_URL": roles.INGEST,
        "MIGRATE_DATABASE_URL": roles.MIGRATE,
    }
    word = PASSWORD.replace(" ", "%20")
    return {name: f"postgresql://{role}:{word}@{hosts}/live_validation{more}" for name, role in users.items()}


@contextmanager
def connected(dsn: str) -> Iterator[psycopg2.extensions.connection]:
    """A connection in autocommit, closed at the end."""
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def grounds() -> Iterator[Path]:
    """A folder for clusters that PostgreSQL's account may enter; whatever still runs in it at the end is stopped."""
    folder = Path(tempfile.mkdtemp(prefix="live-validation-clusters-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for data in folder.glob("*/data"):
            Cluster(data.parent).stop()
        shutil.rmtree(folder, ignore_errors=True)


def plot(ground: Path, name: str) -> Path:
    """A folder in the grounds that belongs to the servers' account."""
    folder = ground / name
    folder.mkdir(mode=0o700)
    if owner := account.unprivileged():
        os.chown(folder, owner.uid, owner.gid)
    return folder


def message_ids(cluster: Cluster) -> set[str]:
    """Of every event that this server has. Each is there once."""
    with connected(cluster.dsn(database="live_validation")) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT message_id FROM log_entries")
        found = [message_id for (message_id,) in cursor]
    assert len(found) == len(set(found)), "an event is there twice"
    return set(found)
