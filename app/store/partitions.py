"""The daily partitions of log_entries, made ahead of time."""

from sqlalchemy import Connection, text

DAYS_AHEAD = 7


def make_ahead(connection: Connection) -> list[str]:
    """Make the missing partitions from today (UTC) to DAYS_AHEAD days later; returns their names. The caller commits.

    A forgotten run loses nothing: events of a day without a partition go to log_entries_other.
    """
    made = connection.execute(text("SELECT make_log_entries_partitions(:days)"), {"days": DAYS_AHEAD})
    return list(made.scalars())
