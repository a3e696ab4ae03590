"""How long events are kept: each app says for how many days (UTC), a setting says it for those that do not.

Days that no app keeps go as whole partitions; where an app keeps less than another, its events go slice by slice.
Either way they are uncounted in the transaction that removes them, so every figure stays a count of the rows.
"""

from datetime import datetime

from sqlalchemy import text

from app.extensions import db
from app.store import deltas, folding
from app.store.tenancy import across_organisations

LEAST_DAYS = 1
MOST_DAYS = 3650
SLICE = 2_000

# By the database's clock, which also wrote received_at.
KEPT_FROM = text(
    """
    SELECT date_trunc('day', now(), 'UTC') - make_interval(hours => 24 * greatest(:days, max(retention_days)))
    FROM apps
    """
)
DROP = text("SELECT drop_log_entries_before(:day, :days)")
# The function's rows are read three times, and it is run once.
EXPIRE = text(
    f"""
    WITH gone AS MATERIALIZED (SELECT * FROM expire_log_entries(:days, :most)),
        t AS ({deltas.tallied("gone", "received_at", "-")}), v AS ({deltas.broken("gone", "received_at", "-")})
    SELECT count(*) FROM gone
    """  # noqa: S608  (made of constants)
)


@across_organisations()
def drop_days(default_days: int) -> list[str]:
    """Drop the days that no app keeps, and their counts; returns the partitions' names. The caller commits.

    The drop comes last, so that the table is locked for as short as can be. Raises LockNotAvailable (within an
    OperationalError) where somebody reads it for longer than half a second.
    """
    day: datetime = db.session.execute(KEPT_FROM, {"days": default_days}).scalar_one()
    folding.forget_before(day)
    return list(db.session.execute(DROP, {"day": day, "days": default_days}).scalars())


@across_organisations()
def expire(default_days: int, most: int = SLICE) -> int:
    """Delete and uncount a slice of the events that their app no longer keeps; returns how many. The caller commits."""
    return db.session.execute(EXPIRE, {"days": default_days, "most": most}).scalar_one()
