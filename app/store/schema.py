"""Which schema revision this code was written for, and which ones it can work on."""

from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory


@cache
def revision() -> str:
    """The newest revision among the migrations that ship with this code."""
    head = ScriptDirectory(str(Path(__file__).parent / "migrations")).get_current_head()
    assert head is not None, "there is always a first migration"
    return head


def fits(found: str | None) -> bool:
    """Can this code work on a schema of that revision? On its own and on later ones, which only add to it.

    So a migration may run while the previous release serves; what it needs is taken away a release later
    (docs/operations/migrations.md). Revisions are numbers, so that an older release can compare one it never heard of.
    """
    return found is not None and found.isdecimal() and int(found) >= int(revision())
