"""What an organisation used: events, requests and bytes by app and day (UTC).

Events are exact: the fold that counts them adds them here, and those not folded yet are added when asked. What is
deleted later was used all the same. Requests and bytes are noted in memory and written each second
(app/ingest/used_up.py): a process that is killed loses its last second of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import text

from app.extensions import db
from app.store.tenancy import across_organisations

MONTH: Final = "date_trunc('month', now() AT TIME ZONE 'UTC')::date"
SORTS: Final = ("day", "app_id", "events", "requests", "bytes")
# Deltas below zero are events that were deleted.
COUNTED: Final = """
    SELECT app_id, day, organisation_id, events, requests, bytes FROM usage_days
    UNION ALL
    SELECT app_id, (quarter AT TIME ZONE 'UTC')::date, organisation_id, count, 0, 0 FROM tally_deltas WHERE count > 0
"""
OWN: Final = f"""
    ({COUNTED}) AS u JOIN apps a ON a.id = u.app_id
    WHERE u.app_id IN (SELECT id FROM apps WHERE organisation_id = :organisation_id)
      AND u.organisation_id = :organisation_id AND a.organisation_id = :organisation_id
      AND u.day BETWEEN coalesce(:start, '-infinity'::date) AND coalesce(:end, 'infinity'::date)
      AND (CAST(:app AS text) IS NULL OR a.slug = :app)
"""  # noqa: S608  (made of constants of this file)
SUMS: Final = "sum(events)::bigint AS events, sum(requests)::bigint AS requests, sum(bytes)::bigint AS bytes"
BY_DAY = text(f"SELECT day, {SUMS} FROM {OWN} GROUP BY day ORDER BY day")  # noqa: S608
HOW_MANY = text(f"SELECT count(*) FROM (SELECT FROM {OWN} GROUP BY day, a.id) AS rows")  # noqa: S608
TAKEN = text(
    f"""
    SELECT coalesce(sum(events), 0)::bigint FROM ({COUNTED}) AS u
    WHERE app_id IN (SELECT id FROM apps WHERE organisation_id = :organisation_id)
      AND organisation_id = :organisation_id AND day >= {MONTH}
    """  # noqa: S608
)
ADD = text(
    """
    INSERT INTO usage_days AS u (app_id, day, organisation_id, requests, bytes)
    SELECT a.id, given.day, a.organisation_id, given.requests, given.bytes
    FROM unnest(CAST(:apps AS bigint[]), CAST(:days AS date[]), CAST(:requests AS bigint[]), CAST(:bytes AS bigint[]))
        AS given (app_id, day, requests, bytes) JOIN apps a ON a.id = given.app_id
    ORDER BY 1, 2
    ON CONFLICT (app_id, day) DO UPDATE SET requests = u.requests + excluded.requests, bytes = u.bytes + excluded.bytes
    """
)
QUOTA = text("SELECT quota_credits, quota_refuses FROM organisations WHERE id = :organisation_id")
SET_QUOTA = text(
    "UPDATE organisations SET quota_credits = :credits, quota_refuses = :refuses WHERE id = :organisation_id"
)
# Who has used how many percent of its quota, where that is more than it was told of in this month.
TO_TELL = text(
    f"""
    WITH used AS (
        SELECT organisation_id, sum(events) AS events FROM ({COUNTED}) AS u WHERE day >= {MONTH} GROUP BY 1
    ), reached AS (
        SELECT o.id, o.quota_told, to_char({MONTH}, 'YYYY-MM') AS month,
            CASE WHEN used.events * :price >= q.credits THEN 100 ELSE :warn END AS percent
        FROM organisations o JOIN used ON used.organisation_id = o.id
            CROSS JOIN LATERAL (SELECT coalesce(o.quota_credits, :credits) AS credits) AS q
        WHERE q.credits > 0 AND o.deletes_at IS NULL AND used.events * :price * 100 >= q.credits * :warn
    )
    UPDATE organisations o SET quota_told = reached.month || ' ' || percent FROM reached
    WHERE o.id = reached.id AND (left(o.quota_told, 7) <> reached.month OR substr(o.quota_told, 9)::int < percent)
    RETURNING o.id, percent
    """  # noqa: S608
)


class Used(NamedTuple):
    """What one app, or all of them, used on one day. bytes: of the events stored that day, as they are stored."""

    day: date
    app_id: str
    events: int
    requests: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Of which app (its slug) and days, both ends included; None: any."""

    app: str | None = None
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """Credits a calendar month (UTC), None: as the operator set, 0: none; and whether more is refused."""

    credits: int | None
    refuses: bool


def days(
    organisation_id: int, asked: Asked, sort_by: str, sort_order: str, limit: int, offset: int
) -> list[Used]:
    """A row per app and day, sorted by one of SORTS."""
    assert sort_by in SORTS, sort_by
    assert sort_order in ("asc", "desc"), sort_order
    column = "slug" if sort_by == "app_id" else sort_by
    statement = text(
        f"SELECT day, a.slug AS slug, {SUMS} FROM {OWN} GROUP BY day, a.id, a.slug"  # noqa: S608
        f" ORDER BY {column} {sort_order}, day DESC, slug LIMIT :limit OFFSET :offset"
    )
    found = db.session.execute(
        statement, _values(organisation_id, asked) | {"limit": limit, "offset": offset}
    )
    return [Used(*row) for row in found]


def how_many(organisation_id: int, asked: Asked) -> int:
    """How many rows `days` has in all."""
    return db.session.execute(HOW_MANY, _values(organisation_id, asked)).scalar_one()


def by_day(organisation_id: int, asked: Asked) -> list[Used]:
    """All apps together, by day; days without any are left out."""
    found = db.session.execute(BY_DAY, _values(organisation_id, asked))
    return [Used(row.day, "", row.events, row.requests, row.bytes) for row in found]


def _values(organisation_id: int, asked: Asked) -> dict[str, object]:
    return {"organisation_id": organisation_id, "app": asked.app, "start": asked.start, "end": asked.end}


def taken(organisation_id: int) -> int:
    """Events stored in this month (UTC, by the database's clock), on a connection of its own that is given back."""
    with db.engine.connect() as connection:
        return connection.execute(TAKEN, {"organisation_id": organisation_id}).scalar_one()


@across_organisations()
def add(counts: Mapping[tuple[int, date], tuple[int, int]]) -> None:
    """Add requests and bytes by app and day; commits. Apps that are gone meanwhile are passed over."""
    with db.engine.begin() as connection:
        connection.execute(
            ADD,
            {
                "apps": [app_id for app_id, _ in counts],
                "days": [day for _, day in counts],
                "requests": [requests for requests, _ in counts.values()],
                "bytes": [size for _, size in counts.values()],
            },
        )


def quota_of(organisation_id: int) -> Quota:
    """What its owners chose."""
    return Quota(*db.session.execute(QUOTA, {"organisation_id": organisation_id}).one())


def set_quota(organisation_id: int, quota: Quota) -> None:
    """Keep the choice; the caller commits. It counts everywhere within a second."""
    values = {"organisation_id": organisation_id, "credits": quota.credits, "refuses": quota.refuses}
    db.session.execute(SET_QUOTA, values)


@across_organisations()
def to_tell(credits: int, price: int, warn: int) -> list[tuple[int, int]]:
    """Organisations that reached `warn` or 100 percent and were not told in this month, as (id, percent).

    They count as told from here on; the caller writes the mails and commits. credits, price: the operator's quota,
    and what an event costs.
    """
    found = db.session.execute(TO_TELL, {"credits": credits, "price": price, "warn": warn})
    return [(organisation_id, percent) for organisation_id, percent in found]
