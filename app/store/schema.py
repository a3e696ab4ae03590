"""Which schema revision this code was written for."""

from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory


@cache
def revision() -> str:
    """The newest revision among the migrations that ship with this code."""
    head = ScriptDirectory(str(Path(__file__).parent / "migrations")).get_current_head()
    assert head is not None, "there is always a first migration"
    return head
