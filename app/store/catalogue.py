"""The events of an app by name: when each was seen, samples of it, and which planned ones it need not send."""

from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import text

from app.extensions import db
from app.store.apps import AppRef

# How far back a sample looks, in events of the whole app; the page says how many it found.
MOST_LOOKED_AT = 20_000
MOST_SAMPLED = 500

SEEN = text(
    """
    SELECT event_name, min(first_at), max(last_at), array_agg(DISTINCT app_version), array_agg(DISTINCT platform),
        max(last_at) FILTER (WHERE verdict = 'valid'), max(last_at) FILTER (WHERE verdict = 'invalid')
    FROM (
        SELECT event_name, verdict, app_version, platform, first_at, last_at FROM events_seen
        WHERE organisation_id = :organisation_id AND app_id = :app_id
        UNION ALL
        SELECT event_name, verdict, app_version, platform, first_at, last_at FROM tally_deltas
        WHERE organisation_id = :organisation_id AND app_id = :app_id AND last_at IS NOT NULL
    ) AS seen GROUP BY event_name
    """
)
SAMPLE = text(
    """
    SELECT payload::text FROM (
        SELECT event_name, payload FROM log_entries
        WHERE organisation_id = :organisation_id AND app_id = :app_id AND received_at <= :last_at
        ORDER BY received_at DESC, event_id DESC LIMIT :looked_at
    ) AS newest WHERE event_name = :name LIMIT :sampled
    """
)
EXCLUDED = text(
    "SELECT event_name, reason FROM coverage_exclusions WHERE organisation_id = :organisation_id AND app_id = :app_id"
)
EXCLUDE = text(
    """
    INSERT INTO coverage_exclusions (app_id, event_name, organisation_id, reason, changed_by)
    VALUES (:app_id, :name, :organisation_id, :reason, :user_id)
    ON CONFLICT (app_id, event_name)
    DO UPDATE SET reason = excluded.reason, changed_by = excluded.changed_by, changed_at = now()
    """
)
INCLUDE = text(
    "DELETE FROM coverage_exclusions"
    " WHERE organisation_id = :organisation_id AND app_id = :app_id AND event_name = :name"
)


class Seen(NamedTuple):
    """When events of one name were seen, over all history."""

    first_at: datetime
    last_at: datetime
    versions: list[str]
    platforms: list[str]
    last_valid_at: datetime | None
    last_invalid_at: datetime | None

    @property
    def is_recovered(self) -> bool:
        """It was wrong once, and the newest was right."""
        return bool(self.last_valid_at and self.last_invalid_at and self.last_valid_at > self.last_invalid_at)


def _of(app: AppRef) -> dict[str, Any]:
    return {"organisation_id": app.organisation_id, "app_id": app.id}


def seen(app: AppRef) -> dict[str, Seen]:
    """By name, the names that were counted."""
    return {name: Seen(*facts) for name, *facts in db.session.execute(SEEN, _of(app))}


def sample(app: AppRef, name: str, last_at: datetime) -> list[dict[str, Any]]:
    """The newest payloads of this event, at most 500, among the app's 20,000 events up to its last one."""
    asked = {"name": name, "last_at": last_at, "looked_at": MOST_LOOKED_AT, "sampled": MOST_SAMPLED}
    return [orjson.loads(payload) for payload in db.session.execute(SAMPLE, _of(app) | asked).scalars()]


def excluded(app: AppRef) -> dict[str, str]:
    """The planned events that are left out of coverage, each with its reason."""
    return {row.event_name: row.reason for row in db.session.execute(EXCLUDED, _of(app))}


def exclude(app: AppRef, name: str, reason: str, user_id: int | None) -> None:
    """Leave a planned event out of coverage; the caller commits."""
    db.session.execute(EXCLUDE, _of(app) | {"name": name, "reason": reason, "user_id": user_id})


def include(app: AppRef, name: str) -> None:
    """Ask for it again; the caller commits."""
    db.session.execute(INCLUDE, _of(app) | {"name": name})
