"""Stored events: pages of them, one of them, and what came after a cursor."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from app.extensions import db
from app.store.filters import ORIGIN, Filters

NAMELESS_CURSOR_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
EVENT_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CURSOR = re.compile(rf"\d{{1,18}}-{EVENT_ID.pattern}")
# A row is committed at most this long after its id was made: the request's deadline and a wide margin for clocks.
LATE_SECONDS = 3600
NAMELESS_DAYS = 8
# How long a filtered page looks for more, and how many events at a time: few first, for each may be large.
BUDGET_SECONDS = 2.0
QUICK_SECONDS = 0.25
FIRST_SLICE = 500
MOST_SLICE = 20_000
NEWEST_FIRST = "ORDER BY e.received_at DESC, e.event_id DESC"

Place = tuple[datetime, str]  # an event's, in the order of time: received_at and event_id

# json columns as text: they go into answers as they are, unparsed.
FIELDS = f"""
    e.event_id::text, e.message_id, e.event_name, e.verdict, e.violations::text, e.violations_omitted,
    e.received_at, e.plan_version, e.payload::text, e.envelope::text, e.platform, e.app_version, e.session_id,
    e.device_id, {ORIGIN} AS origin, e.identity
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored event with its place in the order of commits."""

    xid: int
    event_id: str
    json: dict[str, Any]
    payload: str  # as it came: what a search looks into

    @property
    def cursor(self) -> str:
        return f"{self.xid}-{self.event_id}"


@dataclass(frozen=True, slots=True)
class Found:
    """Events newest first, and how far back was looked: the place to go on from. None: nothing older is left."""

    events: list[dict[str, Any]]
    looked_to: Place | None


def page(
    app_id: int, filters: Filters, limit: int, before: Place | None = None, snapshot: str | None = None
) -> Found:
    """At most `limit` events that pass the filters, older than the place `before`.

    snapshot: PostgreSQL's, of an earlier moment; what was committed since is not there.

    There is no index for what a filter asks, so a page looks at the newest events, slice by slice, until it is full,
    nothing is left, or BUDGET_SECONDS are over. So it costs what was asked for, however much history there is.

    Road not taken: windows of time. A day may hold ten events or ten million; a slice of rows costs what it costs.
    """
    conditions, values = filters.as_sql()
    if snapshot is not None:
        conditions += " AND pg_visible_in_snapshot(e.xid, CAST(:snapshot AS pg_snapshot))"
        values["snapshot"] = snapshot
    is_plain = filters == Filters(received_from=filters.received_from, received_to=filters.received_to)
    ends_at = time.monotonic() + BUDGET_SECONDS
    rows = FIRST_SLICE
    found: list[dict[str, Any]] = []
    while True:
        began = time.monotonic()
        end = None if is_plain else slice_end(app_id, filters, rows, before)
        found += _between(app_id, conditions, values, limit + 1 - len(found), before, end)
        if len(found) > limit:
            return Found(found[:limit], place_of(found[limit - 1]))
        if end is None or time.monotonic() > ends_at:
            return Found(found, end)
        before = end
        if time.monotonic() - began < QUICK_SECONDS:
            rows = min(rows * 4, MOST_SLICE)


def slice_end(app_id: int, filters: Filters, rows: int, before: Place | None) -> Place | None:
    """The place of the last of so many events, whatever they are; None where fewer are left. An index's question."""
    moments = Filters(received_from=filters.received_from, received_to=filters.received_to)
    conditions, values = moments.as_sql()
    older, place = _older(before)
    row = db.session.execute(
        text(
            f"SELECT e.received_at, e.event_id::text FROM log_entries e WHERE e.app_id = :app_id {conditions} {older}"  # noqa: S608
            f" {NEWEST_FIRST} OFFSET :skipped LIMIT 1"
        ),
        values | place | {"app_id": app_id, "skipped": rows - 1},
    ).one_or_none()
    return (row[0], row[1]) if row else None


def _between(
    app_id: int, conditions: str, values: dict[str, Any], limit: int, before: Place | None, end: Place | None
) -> list[dict[str, Any]]:
    """What passes, older than `before`, down to `end` and with it."""
    older, place = within(before, end)
    rows = db.session.execute(
        text(
            f"SELECT {FIELDS} FROM log_entries e WHERE e.app_id = :app_id {conditions} {older}"  # noqa: S608
            f" {NEWEST_FIRST} LIMIT :limit"
        ),
        values | place | {"app_id": app_id, "limit": limit},
    )
    return [as_json(row) for row in rows]


def within(before: Place | None, end: Place | None) -> tuple[str, dict[str, Any]]:
    """The condition for a slice, and its parameters: older than `before`, down to `end` and with it."""
    older, place = _older(before)
    if end:
        older += " AND e.received_at >= :end_at AND (e.received_at, e.event_id) >= (:end_at, CAST(:end_id AS uuid))"
        place |= {"end_at": end[0], "end_id": end[1]}
    return older, place


def _older(before: Place | None) -> tuple[str, dict[str, Any]]:
    """The condition and its parameters; the moment alone once more, by which whole partitions are left out."""
    if before is None:
        return "", {}
    sql = "AND e.received_at <= :before_at AND (e.received_at, e.event_id) < (:before_at, CAST(:before_id AS uuid))"
    return sql, {"before_at": before[0], "before_id": before[1]}


def place_of(event: Mapping[str, Any]) -> Place:
    return event["received_at"], event["event_id"]


def find(app_id: int, event_id: str) -> dict[str, Any] | None:
    """One stored event. Its id says when it came, so only the partitions around that moment are asked."""
    row = db.session.execute(
        text(
            f"SELECT {FIELDS} FROM log_entries e WHERE e.app_id = :app_id"  # noqa: S608
            f" AND e.event_id = CAST(:event_id AS uuid) AND e.received_at BETWEEN {NEAR_ID}"
        ),
        {"app_id": app_id, "event_id": event_id, "late": LATE_SECONDS},
    ).one_or_none()
    return as_json(row) if row else None


# The time in a UUIDv7: its first 48 bits are milliseconds since 1970 (RFC 9562, 5.7).
ID_TIME = "to_timestamp(('x' || substr(replace(:event_id, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)"
NEAR_ID = f"{ID_TIME} - make_interval(secs => :late) AND {ID_TIME} + make_interval(secs => :late)"


NEWEST_AT = text(
    """
    SELECT a.id, newest.received_at FROM apps a CROSS JOIN LATERAL (
        SELECT e.received_at FROM log_entries e WHERE e.app_id = a.id ORDER BY e.received_at DESC LIMIT 1
    ) newest WHERE a.organisation_id = :organisation_id
    """
)


def newest_at(organisation_id: int) -> dict[int, datetime]:
    """When each app of the organisation was last heard of; one look at the end of an index per app."""
    rows = db.session.execute(NEWEST_AT, {"organisation_id": organisation_id})
    return {row.id: row.received_at for row in rows}


def newest_cursor(connection: Connection) -> str:
    """The cursor after all that is visible now: a stream from here shows only what is committed later."""
    horizon = connection.execute(
        text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    ).scalar_one()
    return f"{horizon - 1}-{NAMELESS_CURSOR_ID}"


def is_event_id(value: str) -> bool:
    """Could this be an event's id?"""
    return EVENT_ID.fullmatch(value) is not None


def is_cursor(value: str) -> bool:
    """Could this have been made by us?"""
    return CURSOR.fullmatch(value) is not None


def after(connection: Connection, app_id: int, cursor: str, limit: int) -> tuple[list[Entry], bool]:
    """What was committed after the cursor, in the order of commits, and whether more is known to be on its way.

    Rows at or above the horizon are committed, but an older transaction may still be in flight and would then appear
    before them; they wait, so that order and cursor are right by construction.

    The cursor's id says when it was made, and nothing much older is committed after it: the days before are not even
    looked at, however many there are. A nameless cursor, of a page that has not seen an event yet, reaches back for
    NAMELESS_DAYS.
    """
    xid, event_id = cursor.split("-", 1)
    rows: Sequence[Any] = connection.execute(
        AFTER, {"app_id": app_id, "xid": int(xid), "event_id": event_id, "limit": limit, "late": LATE_SECONDS}
    ).all()
    settled = [row for row in rows if row.is_settled]
    entries = [Entry(row.xid, row[0], as_json(row), row[8]) for row in settled]
    return entries, len(settled) < len(rows) or len(rows) == limit


# An id from the future is the nameless one's, or not ours.
SINCE = f"""
    CASE WHEN {ID_TIME} > now() + interval '1 day' THEN now() - interval '{NAMELESS_DAYS} days'
    ELSE {ID_TIME} - make_interval(secs => :late) END
"""
AFTER = text(
    f"""
    SELECT {FIELDS}, e.xid::text::bigint AS xid, e.xid < pg_snapshot_xmin(pg_current_snapshot()) AS is_settled
    FROM log_entries e
    WHERE e.app_id = :app_id
      AND (e.xid, e.event_id) > (CAST(CAST(:xid AS text) AS xid8), CAST(:event_id AS uuid))
      AND e.received_at >= {SINCE}
    ORDER BY e.xid, e.event_id LIMIT :limit
    """  # noqa: S608
)


def as_json(row: Any) -> dict[str, Any]:
    """A row as the API shows it; sentences are added where it is shown."""
    return {
        "event_id": row[0],
        "message_id": row[1],
        "name": row[2],
        "verdict": row[3],
        "violations": orjson.loads(row[4]),
        **({"violations_omitted": row[5]} if row[5] else {}),
        "received_at": row[6],
        "plan_version": row[7],
        "payload": orjson.Fragment(row[8]),
        "envelope": orjson.Fragment(row[9]),
        "platform": row[10],
        "app_version": row[11],
        "session_id": row[12],
        "device_id": row[13],
        "origin": row[14],
        "identity": row[15],
    }
