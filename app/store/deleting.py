"""Deleting events: with the row goes what it was counted for, in one statement, so no figure is ever off.

The message id stays known for the rest of its window (app/store/window.py): a sender that repeats the event is told
that it is a duplicate, and what somebody deleted does not come back by a retry.
"""

from sqlalchemy import text

from app.extensions import db
from app.store import deltas, events
from app.store.events import LATE_SECONDS, NEAR_ID, Place
from app.store.filters import Filters

DELETE = text(
    f"""
    WITH gone AS (
        DELETE FROM log_entries e
        WHERE e.organisation_id = :organisation_id AND e.app_id = :app_id
          AND e.event_id = CAST(:event_id AS uuid) AND e.received_at BETWEEN {NEAR_ID}
        RETURNING *
    ),
    tallied AS ({deltas.tallied("gone", "received_at", "-")}),
    broken AS ({deltas.broken("gone", "received_at", "-")})
    SELECT event_name FROM gone
    """  # noqa: S608  (made of constants of this file and deltas)
)
# In the order of the fold, which holds the same rows: so neither waits for the other in a circle.
NO_SAMPLE = text(
    """
    UPDATE violation_groups g SET samples = array_remove(samples, CAST(:event_id AS uuid))
    FROM (
        SELECT fingerprint FROM violation_groups
        WHERE organisation_id = :organisation_id AND app_id = :app_id AND CAST(:event_id AS uuid) = ANY(samples)
        ORDER BY fingerprint FOR UPDATE
    ) AS sampled
    WHERE g.app_id = :app_id AND g.fingerprint = sampled.fingerprint
    """
)


# What the fold may sample later than this looks is an event that is gone: its page says so.
NO_SAMPLES = text(
    """
    UPDATE violation_groups g SET samples = ARRAY(
        SELECT s FROM unnest(g.samples) WITH ORDINALITY AS u(s, n) WHERE s <> ALL(CAST(:gone AS uuid[])) ORDER BY n)
    FROM (
        SELECT fingerprint FROM violation_groups
        WHERE organisation_id = :organisation_id AND app_id = :app_id AND samples && CAST(:gone AS uuid[])
        ORDER BY fingerprint FOR UPDATE
    ) AS sampled
    WHERE g.app_id = :app_id AND g.fingerprint = sampled.fingerprint
    """
)


def delete_slice(
    organisation_id: int, app_id: int, filters: Filters, before: Place | None, rows: int
) -> tuple[int, Place | None]:
    """Delete what passes the filters among the next `rows` events older than `before`; the caller commits.

    Returns how many went, and the place to go on from; None: nothing older is left. There is no index for what a
    filter asks, so this walks the events by time, as a search does.
    """
    end = events.slice_end(app_id, filters, rows, before)
    conditions, values = filters.as_sql()
    older, place = events.within(before, end)
    asked = values | place | {"organisation_id": organisation_id, "app_id": app_id}
    gone: list[str] = list(
        db.session.execute(
            text(
                "WITH gone AS (DELETE FROM log_entries e WHERE e.organisation_id = :organisation_id"  # noqa: S608
                f" AND e.app_id = :app_id {conditions} {older} RETURNING *),"
                f" tallied AS ({deltas.tallied('gone', 'received_at', '-')}),"
                f" broken AS ({deltas.broken('gone', 'received_at', '-')})"
                " SELECT event_id::text FROM gone"
            ),
            asked,
        ).scalars()
    )
    if gone:
        own = {"organisation_id": organisation_id, "app_id": app_id, "gone": gone}
        db.session.execute(NO_SAMPLES, own)
    return len(gone), end


def delete(organisation_id: int, app_id: int, event_id: str) -> str | None:
    """Delete one event; returns its name, None where there is none. The caller commits."""
    asked = {"organisation_id": organisation_id, "app_id": app_id, "event_id": event_id}
    name: str | None = db.session.execute(DELETE, asked | {"late": LATE_SECONDS}).scalar_one_or_none()
    if name is not None:
        db.session.execute(NO_SAMPLE, asked)
    return name
