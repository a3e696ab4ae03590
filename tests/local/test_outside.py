"""What lies outside of `var` may be tidied by several stacks at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import outside
from tests.conftest import ROOT

COME_AND_GO = """
import sys
from pathlib import Path
owner = Path(sys.argv[1]) / "other.var"
while True:
    owner.write_text("gone")
    owner.unlink()
"""
COPY = """
import sys
from pathlib import Path
from local import outside
outside.OUTSIDE = Path(sys.argv[1])
print(outside.copied("copy", [Path(sys.argv[2])]))
"""


@pytest.fixture
def crowded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder, while another stack comes and goes in it all the time."""
    monkeypatch.setattr(outside, "OUTSIDE", tmp_path)
    other = subprocess.Popen([sys.executable, "-c", COME_AND_GO, str(tmp_path)])
    yield tmp_path
    other.kill()
    other.wait()


def test_another_stack_s_end_is_no_trouble(crowded: Path) -> None:
    for _ in range(20_000):
        outside._forget_the_temporary()


def test_what_belonged_to_a_test_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "OUTSIDE", tmp_path)
    (tmp_path / "old" / "data").mkdir(parents=True)
    (tmp_path / "old.var").write_text(str(tmp_path / "no such folder"))
    (tmp_path / "kept" / "data").mkdir(parents=True)
    (tmp_path / "kept.var").write_text(str(tmp_path))
    outside._forget_the_temporary()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "kept.var"]


def test_a_copy_that_another_stack_made_meanwhile_is_taken(tmp_path: Path) -> None:
    original, place = tmp_path / "lib", tmp_path / "outside"
    original.mkdir()
    for n in range(2_000):  # enough to be at it at the same time
        (original / str(n)).write_text("x")
    command = [sys.executable, "-c", COPY, str(place), str(original)]
    copying = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60) for process in copying]
    assert said == [(f"{place / 'copy'}\n", "")] * 4
    assert [path.name for path in place.iterdir()] == ["copy"]
