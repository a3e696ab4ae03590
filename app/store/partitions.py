"""The daily partitions of log_entries, made ahead of time."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, text

DAYS_AHEAD = 7
# Any constant will do; it only has to be the same in every process that makes partitions.
LOCK = 0x6C6F67


def make_ahead(connection: Connection, today: date | None = None) -> list[str]:
    """Make the missing partitions from today (UTC) to DAYS_AHEAD days later; returns the names of the new ones.

    Needs the schema's owner. Events of a day without a partition go to log_entries_other, so a forgotten run loses
    nothing.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    first = today or datetime.now(UTC).date()
    made = []
    for day in (first + timedelta(days=n) for n in range(DAYS_AHEAD + 1)):
        name = f"log_entries_{day:%Y%m%d}"
        if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar() is None:
            connection.execute(
                text(
                    f"CREATE TABLE {name} PARTITION OF log_entries FOR VALUES"
                    f" FROM ('{day} 00:00+00') TO ('{day + timedelta(days=1)} 00:00+00')"
                )
            )
            made.append(name)
    return made
