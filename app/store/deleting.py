"""Deleting events: with the row goes what it was counted for, in one statement, so no figure is ever off.

The message id stays known for the rest of its window (app/store/window.py): a sender that repeats the event is told
that it is a duplicate, and what somebody deleted does not come back by a retry.
"""

from sqlalchemy import text

from app.extensions import db
from app.store import deltas
from app.store.events import LATE_SECONDS, NEAR_ID

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


def delete(organisation_id: int, app_id: int, event_id: str) -> str | None:
    """Delete one event; returns its name, None where there is none. The caller commits."""
    asked = {"organisation_id": organisation_id, "app_id": app_id, "event_id": event_id}
    name: str | None = db.session.execute(DELETE, asked | {"late": LATE_SECONDS}).scalar_one_or_none()
    if name is not None:
        db.session.execute(NO_SAMPLE, asked)
    return name
