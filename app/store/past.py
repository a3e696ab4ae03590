"""Stored events read backwards in slices, each in a transaction of its own: for whoever looks at many of them."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import text

from app.extensions import db
from app.store.apps import AppRef
from app.store.events import Place

SLICE: Final = 500
NEWEST = text(
    """
    SELECT received_at, event_id::text, event_name, app_version, payload::text, envelope::text FROM log_entries
    WHERE organisation_id = :organisation_id AND app_id = :app_id
      AND (CAST(:at AS timestamptz) IS NULL OR (received_at, event_id) < (:at, CAST(:event_id AS uuid)))
    ORDER BY received_at DESC, event_id DESC LIMIT :limit
    """
)
COUNT = text(
    """
    SELECT count(*) FROM (
        SELECT FROM log_entries WHERE organisation_id = :organisation_id AND app_id = :app_id LIMIT :most
    ) AS newest
    """
)


class PastEvent(NamedTuple):
    """A stored event, as far as it can be judged again. place: where it stands in the order of time."""

    place: Place
    event_id: str
    name: str
    app_version: str | None
    payload: dict[str, Any]
    envelope: dict[str, Any]


def newest_first(app: AppRef, most: int, before: Place | None = None) -> Iterator[list[PastEvent]]:
    """At most so many of the app's events, from the newest (or older than `before`) backwards, slice by slice.

    The transaction of each slice ends before it is handed over.
    """
    while most > 0:
        at, event_id = before or (None, None)
        asked = {"organisation_id": app.organisation_id, "app_id": app.id, "at": at, "event_id": event_id}
        rows = db.session.execute(NEWEST, asked | {"limit": min(SLICE, most)}).all()
        db.session.commit()
        if not rows:
            return
        before = (rows[-1][0], rows[-1][1])
        most -= len(rows)
        yield [
            PastEvent((row[0], row[1]), row[1], row[2], row[3], orjson.loads(row[4]), orjson.loads(row[5]))
            for row in rows
        ]


def count(app: AppRef, most: int) -> int:
    """How many events the app has, counted up to `most`."""
    asked = {"organisation_id": app.organisation_id, "app_id": app.id, "most": most}
    return db.session.execute(COUNT, asked).scalar_one()
