"""A base backup and the WAL archive bring back every event that was answered before the moment that is asked for."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import clusters
from tests.clusters import PASSWORD, Cluster, plot
from tests.conftest import ROOT, eventually
from tests.senders import product, sending

ARCHIVING = """
archive_mode = on
archive_timeout = 1h
archive_command = 'sh "{ground}/archive_wal.sh" "%p" "%f" "{ground}/archive"'
"""


def backup(cluster: Cluster, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PGPASSWORD": PASSWORD, "PG_BIN": str(cluster.binaries)}
    command = [sys.executable, "scripts/backup.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def ground() -> Iterator[Path]:
    with clusters.grounds() as folder:
        shutil.copy(ROOT / "scripts" / "archive_wal.sh", folder)
        for name in ("archive", "backups"):
            plot(folder, name)
        yield folder


@pytest.mark.timeout(300)
def test_every_event_answered_before_the_restore_point_is_there(
    ground: Path, environment: Mapping[str, str]
) -> None:
    cluster = Cluster(plot(ground, "lost"), ARCHIVING.format(ground=ground)).make().start()
    with product(environment, cluster.furnish()) as running:
        with sending(running) as sent:
            eventually(lambda: len(sent.kept) > 50)
            taken = backup(cluster, "take", "--dsn", cluster.dsn(), str(ground / "backups"))
            assert taken.returncode == 0, taken.stderr
            eventually(lambda: len(sent.kept) > 200)
            before, moment = set(sent.kept), cluster.ask("SELECT now()::text")
            begun = set(sent.begun)
            eventually(lambda: len(sent.kept) > len(before) + 100)
        cluster.ask("SELECT pg_switch_wal()")
        eventually(lambda: cluster.ask("SELECT last_archived_wal IS NOT NULL AND NOT EXISTS (SELECT FROM pg_ls_dir("
                                       "'pg_wal/archive_status') AS f WHERE f LIKE '%.ready')"
                                       " FROM pg_stat_archiver"))  # fmt: skip
    cluster.stop()
    shutil.rmtree(cluster.data)  # the disk is gone

    restored = Cluster(plot(ground, "restored"))
    done = backup(
        restored,
        "restore",
        taken.stdout.strip(),
        str(ground / "archive"),
        str(restored.data),
        "--to",
        str(moment),
    )
    assert done.returncode == 0, done.stderr
    restored.start()
    eventually(lambda: not restored.ask("SELECT pg_is_in_recovery()"))
    there = clusters.message_ids(restored)
    assert before <= there  # nothing that was answered is missing
    assert there <= begun | before  # and nothing that began later is there
    assert there <= set(sent.begun)
    counted = restored.ask("SELECT (SELECT count(*) FROM log_entries) - (SELECT sum(count) FROM ("
                           "SELECT count FROM tallies WHERE minutes = 15 UNION ALL SELECT count FROM tally_deltas))",
                           "live_validation")  # fmt: skip
    assert counted == 0


def test_a_restore_that_cannot_be_right_says_so_first(ground: Path) -> None:
    cluster = Cluster(plot(ground, "lost"), ARCHIVING.format(ground=ground)).make().start()
    taken = backup(cluster, "take", "--dsn", cluster.dsn(), str(ground / "backups"))
    assert taken.returncode == 0, taken.stderr
    folder, archive = Path(taken.stdout.strip()), str(ground / "archive")
    restored = Cluster(plot(ground, "restored"))

    def refused(data: Path, *more: str) -> str:
        done = backup(restored, "restore", str(folder), archive, str(data), *more)
        assert done.returncode == 1
        return done.stderr

    assert "exists already" in refused(cluster.data)
    assert "with its zone" in refused(restored.data, "--to", "2026-11-25 08:31:00")
    too_late = backup(
        restored, "restore", str(folder), archive, str(restored.data), "--to", "2199-01-01 00:00:00+00"
    )
    assert too_late.returncode == 0, too_late.stderr
    with contextlib.suppress(AssertionError):  # it may answer for a moment before it knows
        restored.start()
    eventually(lambda: "recovery ended before configured recovery target was reached" in restored.log)
    eventually(lambda: not restored.is_running)
    (folder / "global" / "pg_control").write_bytes(b"?" * 8192)
    assert "pg_verifybackup" in refused(ground / "another")


def test_the_archive_keeps_what_it_has(tmp_path: Path) -> None:
    segment, archive = tmp_path / "0001", tmp_path / "archive"
    archive.mkdir()

    def keep(content: str) -> int:
        segment.write_text(content)
        command = ["sh", "scripts/archive_wal.sh", str(segment), "0001", str(archive)]
        return subprocess.run(command, cwd=ROOT, check=False).returncode

    assert (keep("first"), keep("first")) == (0, 0)
    assert keep("other") != 0
    assert [(path.name, path.read_text()) for path in archive.iterdir()] == [("0001", "first")]
