"""Leases find a program's processes again, and only those."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import lease
from tests.conftest import ROOT, eventually

# Takes the lease, then lets a child go on without it: as a killed nginx master leaves its workers.
LEAVES_AN_ORPHAN = """
import os, signal, sys
from pathlib import Path
from local import lease
lease.take(Path(sys.argv[1]), 1)
signal.signal(signal.SIGTERM, getattr(signal, sys.argv[2]))
orphan = os.fork()
if not orphan:
    os.setsid()
    os.close(1)
    signal.pause()
print(orphan, flush=True)
os._exit(0)
"""


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "lease"
    lease.end(tmp_path / "lease", 0)


def orphan(path: Path, on_sigterm: str = "SIG_DFL") -> int:
    ended = subprocess.run(
        [sys.executable, "-c", LEAVES_AN_ORPHAN, str(path), on_sigterm],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(ended.stdout)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_orphan_is_found_and_ended(path: Path) -> None:
    pid = orphan(path)
    assert lease.holders(path) == [pid]
    assert not lease.is_free(path)
    os.close(lease.take(path, 5))
    assert not is_alive(pid)


def test_one_that_ignores_the_signal_is_ended_by_force(path: Path) -> None:
    pid = orphan(path, "SIG_IGN")
    lease.end(path, 0.2)
    assert not is_alive(pid)
    assert lease.is_free(path)


def test_who_only_has_the_same_name_is_left_alone(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    pid = orphan(other / "lease")
    lease.end(path, 0)
    assert is_alive(pid)
    lease.end(other / "lease", 0, signal.SIGKILL)
    eventually(lambda: not is_alive(pid))


def test_a_lease_whose_folder_is_gone_is_free(tmp_path: Path) -> None:
    assert lease.is_free(tmp_path / "gone" / "lease")
