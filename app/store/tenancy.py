"""The second wall: PostgreSQL shows the app's role the rows of one organisation, the one that was entered.

The first wall is that every question names its organisation. This one holds where a question forgot to: row-level
security compares each row with two settings of the transaction, and a transaction that has neither sees no row.
Nobody has to set them. What is entered here travels with the request or the job, and is put in front of the first
statement of each transaction, in the same round trip.

Road not taken: a session's `after_begin`, which costs a round trip per transaction and misses plain connections.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import Connection, event

from app.extensions import REPLICA, db

INFO = "tenancy.scope"


@dataclass(frozen=True, slots=True)
class Scope:
    """What the statements to come may see: one organisation, all of them, or (both unset) nothing that is owned."""

    organisation_id: int | None = None
    is_across: bool = False

    def as_sql(self) -> str:
        """The statement that tells PostgreSQL, until the transaction ends. Made of a number and constants."""
        organisation = "" if self.organisation_id is None else f"{self.organisation_id:d}"
        return (
            f"SELECT set_config('live_validation.organisation_id', '{organisation}', true),"
            f" set_config('live_validation.across', '{'on' if self.is_across else ''}', true)"
        )


NOTHING = Scope()
_scope: ContextVar[Scope] = ContextVar("scope", default=NOTHING)


def enter(organisation_id: int | None) -> None:
    """From here on, in this request, see this organisation's rows alone; None: no owned row at all."""
    _scope.set(Scope(organisation_id))


@contextmanager
def inside(organisation_id: int | None) -> Iterator[None]:
    """See this organisation's rows alone, in this block. None: no owned row at all."""
    token = _scope.set(Scope(organisation_id))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def across_organisations() -> Iterator[None]:
    """See every organisation's rows, in this block.

    For what happens before an organisation is known (a session or a key is looked up by its secret) and for upkeep.
    Each place that says this is written down in tests/store/test_tenancy.py, with its reason.
    """
    token = _scope.set(Scope(is_across=True))
    try:
        yield
    finally:
        _scope.reset(token)


def init_app(flask_app: Flask) -> None:
    """Listen to the app role's pools. The ingest role has policies of its own and never pays for these."""
    with flask_app.app_context():
        engines = [db.engine, *(engine for name, engine in db.engines.items() if name == REPLICA)]
    for engine in engines:
        event.listen(engine, "begin", _begin)
        event.listen(engine, "rollback_savepoint", _doubt)
        event.listen(engine, "before_cursor_execute", _tell, retval=True)


def _begin(connection: Connection) -> None:
    connection.info[INFO] = NOTHING


def _doubt(connection: Connection, *_: Any) -> None:
    """A savepoint's rollback undoes what was told since, and nobody knows what was told before."""
    connection.info[INFO] = None


def _tell(
    connection: Connection, cursor: Any, statement: str, parameters: Any, _context: Any, is_many: bool
) -> tuple[str, Any]:
    """Put the setting in front of the statement where this transaction does not have it yet."""
    scope = _scope.get()
    if connection.info[INFO] == scope or statement.startswith("ROLLBACK TO SAVEPOINT"):
        return statement, parameters
    connection.info[INFO] = scope
    if (
        is_many or cursor.name
    ):  # repeated for every row, or declared as a cursor: not one string to the server
        other = connection.connection.cursor()
        other.execute(scope.as_sql())
        other.close()
        return statement, parameters
    return f"{scope.as_sql()}; {statement}", parameters
