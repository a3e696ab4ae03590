"""Keeping a slice of a large upload: COPY, then the same statement as for events that come one by one.

For processes without gevent only: psycopg2 cannot COPY under a wait callback.
"""

import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg2 import Error
from psycopg2.extensions import cursor as Cursor  # noqa: N812  (a class that the driver spells small)

from app.store.keeping import (
    COLUMN_TYPES,
    COLUMNS,
    THEN_KEEP,
    Outcome,
    Row,
    Status,
    is_poison,
    known_among,
    outcome,
)

# Its rows are gone with every commit; the table itself lives as long as the connection.
STAGE: Final = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS staged ("
    + ", ".join(f"{name} {kind}" for name, kind in zip(Row._fields, COLUMN_TYPES, strict=True))
    + ") ON COMMIT DELETE ROWS"
)
COPY: Final = f"COPY staged ({COLUMNS}) FROM STDIN"
KEEP_STAGED: Final = f"WITH incoming AS (SELECT {COLUMNS} FROM staged), {THEN_KEEP}"  # noqa: S608  (constants)
# https://www.postgresql.org/docs/current/sql-copy.html, "Text Format"
ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def keep(cursor: Cursor, rows: Sequence[Row]) -> list[Outcome]:
    """Add the rows within the caller's transaction; returns one outcome per row, in their order.

    Rows that PostgreSQL cannot hold are found by halving and come back as `rejected`; their neighbours are kept.
    Raises psycopg2.Error for whatever is not a row's own fault.
    """
    if not rows:
        return []
    cursor.execute("SAVEPOINT slice")
    try:
        kept = _add(cursor, rows)
    except (Error, ValueError) as error:  # ValueError: text that is no UTF-8
        if not is_poison(error):
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT slice")
        if len(rows) == 1:
            return [Outcome(Status.REJECTED, None)]
        middle = len(rows) // 2
        return keep(cursor, rows[:middle]) + keep(cursor, rows[middle:])
    cursor.execute("RELEASE SAVEPOINT slice; DELETE FROM staged")
    return kept


def _add(cursor: Cursor, rows: Sequence[Row]) -> list[Outcome]:
    cursor.execute(STAGE)
    cursor.copy_expert(COPY, as_file(rows))
    cursor.execute(KEEP_STAGED)
    claimed = {event_id for (event_id,) in cursor}
    known = known_among(cursor, [row for row in rows if row.event_id not in claimed])
    return [outcome(row, claimed, known) for row in rows]


def as_file(rows: Iterable[Sequence[Any]]) -> io.BytesIO:
    """The rows as COPY reads them. Raises ValueError for text that is no UTF-8."""
    return io.BytesIO("".join(map(_line, rows)).encode())


def _line(row: Sequence[Any]) -> str:
    return "\t".join(map(_cell, row)) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return "\\N"
    return value.translate(ESCAPES) if isinstance(value, str) else str(value)
