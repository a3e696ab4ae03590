"""Erasing all that an organisation owns, slice by slice: no transaction is long, so live streams go on.

The tables are those that have an owner, so a new one is erased, too. Only the audit log stays: it outlives whom it
names. Road not taken: `ON DELETE CASCADE` alone, which would hold locks over millions of rows in one transaction.
"""

from collections.abc import Iterator

from sqlalchemy import CursorResult, Delete, Table, bindparam, delete, select, tuple_

from app.extensions import Base, db
from app.store.tables import App, AuditLine

SLICE = 2_000


def _owned() -> list[Table]:
    """Tables that refer to others come before them; those that refer to none by a foreign key first of all, since
    their apps must still be known then.
    """
    tables = [t for t in reversed(Base.metadata.sorted_tables) if "organisation_id" in t.c]
    return sorted((t for t in tables if t is not AuditLine.__table__), key=lambda t: bool(t.foreign_keys))


def _slice_of(table: Table) -> Delete:
    """By app where rows have one, in the order of the key: what is there is found by index however much it is."""
    key = list(table.primary_key.columns)
    some = select(*key).where(table.c.organisation_id == bindparam("organisation_id"))
    if "app_id" in table.c:
        some = some.where(table.c.app_id == bindparam("app_id"))
    some = some.order_by(*key).limit(bindparam("most"))
    return delete(table).where(tuple_(*key).in_(some))


STATEMENTS = [("app_id" in table.c, _slice_of(table)) for table in _owned()]


def slices(organisation_id: int, most: int = SLICE) -> Iterator[int]:
    """Delete up to `most` rows at each step and yield how many went; the caller commits after each.

    It ends with a walk through all tables that found nothing left.
    """
    while True:
        before = 0
        apps = list(db.session.scalars(select(App.id).where(App.organisation_id == organisation_id)))
        for is_per_app, statement in STATEMENTS:
            for app_id in apps if is_per_app else [None]:
                values = {"organisation_id": organisation_id, "app_id": app_id, "most": most}
                while gone := _run(statement, values):
                    before += gone
                    yield gone
        if not before:
            return


def _run(statement: Delete, values: dict[str, int | None]) -> int:
    result = db.session.execute(statement, values)
    assert isinstance(result, CursorResult)
    return result.rowcount
