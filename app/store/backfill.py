"""Adding events of the past: under the time at which somebody else received them, counted in the quarter of that time.

For journeys made once, as the schema's owner and without gevent (COPY). The message ids stay out of the window, which
is about what senders repeat within a week.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from psycopg2 import Error
from psycopg2.errors import CheckViolation
from psycopg2.extensions import cursor as Cursor  # noqa: N812  (a class that the driver spells small)

from app.store import copying, deltas
from app.store.keeping import COLUMN_TYPES, COLUMNS, Row, is_poison

STAGE: Final = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS dated ("
    + ", ".join(f"{name} {kind}" for name, kind in zip(Row._fields, COLUMN_TYPES, strict=True))
    + ", received_at timestamptz) ON COMMIT DELETE ROWS"
)
COPY: Final = f"COPY dated ({COLUMNS}, received_at) FROM STDIN"
ADD: Final = f"""
WITH added AS (
    INSERT INTO log_entries ({COLUMNS}, received_at)
    SELECT {COLUMNS.replace("digest", "decode(digest, 'hex')")}, received_at FROM dated ORDER BY received_at
),
tallied AS ({deltas.tallied("dated", at="received_at")})
{deltas.broken("dated", at="received_at")}
"""  # noqa: S608  (made of constants)
# As make_log_entries_partitions makes them.
HAS_PARTITION: Final = "SELECT to_regclass(%s) IS NOT NULL"
MAKE_PARTITION: Final = (
    "CREATE TABLE {name} PARTITION OF log_entries FOR VALUES FROM ('{day}T00:00Z') TO ('{next}T00:00Z')"
)


class Dated(NamedTuple):
    """An event and when it was received."""

    received_at: datetime
    row: Row


def add(cursor: Cursor, events: Sequence[Dated]) -> list[str]:
    """Add the events within the caller's transaction; returns the message ids of those that PostgreSQL cannot hold.

    Raises psycopg2.Error for whatever is not an event's own fault.
    """
    if not events:
        return []
    cursor.execute("SAVEPOINT slice")
    try:
        cursor.execute(STAGE)
        cursor.copy_expert(
            COPY, copying.as_file((*event.row, event.received_at.isoformat()) for event in events)
        )
        cursor.execute(ADD)
    except (Error, ValueError) as error:  # ValueError: text that is no UTF-8
        if not is_poison(error):
            raise
        cursor.execute("ROLLBACK TO SAVEPOINT slice")
        if len(events) == 1:
            return [events[0].row.message_id]
        middle = len(events) // 2
        return add(cursor, events[:middle]) + add(cursor, events[middle:])
    cursor.execute("RELEASE SAVEPOINT slice; DELETE FROM dated")
    return []


def make_day(cursor: Cursor, day: date) -> None:
    """Make a day's partition, so that it can go as a whole one day. The caller commits at once: it locks the table.

    Where the catch-all partition holds events of that day already, the day's others join them there.
    """
    name = f"log_entries_{day:%Y%m%d}"
    cursor.execute(HAS_PARTITION, (name,))
    if cursor.fetchone() == (True,):
        return
    cursor.execute("SAVEPOINT day")
    try:
        cursor.execute(MAKE_PARTITION.format(name=name, day=day, next=day + timedelta(days=1)))
    except CheckViolation:
        cursor.execute("ROLLBACK TO SAVEPOINT day")
