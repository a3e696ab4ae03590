"""Counts over all history: folded tallies plus the deltas not folded yet, always exact."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import text

from app.extensions import db
from app.store.tenancy import across_organisations

COUNTS = text(
    """
    SELECT event_name, verdict, sum(count)::bigint FROM (
        SELECT event_name, verdict, count, quarter FROM tallies WHERE app_id = :app_id
        UNION ALL
        SELECT event_name, verdict, count, quarter FROM tally_deltas WHERE app_id = :app_id
    ) AS counted
    WHERE quarter >= coalesce(CAST(:from_ AS timestamptz), '-infinity')
      AND quarter < coalesce(CAST(:to_ AS timestamptz), 'infinity')
    GROUP BY event_name, verdict
    """
)
TOTALS = text(
    """
    SELECT app_id, verdict, sum(count)::bigint, max(quarter) FROM (
        SELECT app_id, verdict, count, quarter FROM tallies WHERE organisation_id = :organisation_id
        UNION ALL
        SELECT app_id, verdict, count, quarter FROM tally_deltas WHERE organisation_id = :organisation_id
    ) AS counted GROUP BY app_id, verdict
    """
)
# Deltas vanish and tallies grow in one statement, so no reader counts an event twice or not at all.
FOLD = text(
    """
    WITH taken AS (
        DELETE FROM tally_deltas
        WHERE id IN (SELECT id FROM tally_deltas ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING organisation_id, app_id, quarter, event_name, verdict, count
    ), summed AS (
        SELECT app_id, quarter, event_name, verdict, min(organisation_id) AS organisation_id, sum(count) AS count
        FROM taken GROUP BY 1, 2, 3, 4
    ), folded AS (
        INSERT INTO tallies (app_id, quarter, event_name, verdict, organisation_id, count)
        SELECT app_id, quarter, event_name, verdict, organisation_id, count FROM summed ORDER BY 1, 2, 3, 4
        ON CONFLICT (app_id, quarter, event_name, verdict) DO UPDATE SET count = tallies.count + excluded.count
    )
    SELECT count(*) FROM taken
    """
)
NO_EVENTS = {"valid": 0, "invalid": 0, "unplanned": 0, "exempt": 0}


def counts(app_id: int, from_: datetime | None = None, to_: datetime | None = None) -> dict[str, Any]:
    """Events per verdict, and per name and verdict. Limits count whole quarters of an hour."""
    verdicts = dict(NO_EVENTS)
    events: dict[str, dict[str, int]] = defaultdict(lambda: dict(NO_EVENTS))
    for name, verdict, count in db.session.execute(COUNTS, {"app_id": app_id, "from_": from_, "to_": to_}):
        verdicts[verdict] += count
        events[name][verdict] += count
    return {"verdicts": verdicts, "events": [{"name": name, **events[name]} for name in sorted(events)]}


def totals(organisation_id: int) -> dict[int, dict[str, Any]]:
    """Per app of the organisation: events per verdict, and the quarter of the last one (`last_seen`)."""
    found: dict[int, dict[str, Any]] = defaultdict(lambda: {**NO_EVENTS, "last_seen": None})
    for app_id, verdict, count, quarter in db.session.execute(TOTALS, {"organisation_id": organisation_id}):
        entry = found[app_id]
        entry[verdict] += count
        entry["last_seen"] = max(filter(None, (entry["last_seen"], quarter)))
    return found


@across_organisations()
def fold(limit: int = 5000) -> int:
    """Fold the oldest deltas into the tallies; returns how many. The caller commits."""
    return db.session.execute(FOLD, {"limit": limit}).scalar_one()
