"""Keeping events: one commit for all that wait, and an answer only when it is done.

One flusher greenlet per process takes everything that waits, adds it with one statement and wakes the senders.
While one commit is in flight the next group gathers, so there is no timer: an idle system commits at once.

Road not taken: one INSERT per request (a third of the throughput), a short linger (half), two flushers (half).
Road not taken: COPY, which psycopg2 does not support under gevent.
"""

import enum
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import gevent
import psycopg2
import structlog
from flask import Flask, current_app
from gevent.event import AsyncResult, Event
from psycopg2 import errorcodes

from app import metrics
from app.config import Settings
from app.errors import busy, is_busy
from app.extensions import KEEPALIVE
from app.hosts import Hosts
from app.store import arrays, deltas

log = structlog.get_logger()

MOST_ROWS_PER_COMMIT = 1000
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
POISON_CLASSES = (errorcodes.CLASS_DATA_EXCEPTION, errorcodes.CLASS_INTEGRITY_CONSTRAINT_VIOLATION)


class Row(NamedTuple):
    """One judged event, encoded for the database; the order of the fields is the order in KEEP."""

    event_id: str
    app_id: int
    organisation_id: int
    message_id: str
    event_name: str
    verdict: str
    plan_version: int | None
    platform: str | None
    app_version: str | None
    environment: str | None
    session_id: str | None
    device_id: str | None
    identity: str | None
    run_id: str | None
    occurred_at: str | None
    sent_at: str | None
    digest: str  # hexadecimal
    violations: str  # JSON, as are the next two
    violations_omitted: int
    payload: str
    envelope: str


COLUMN_TYPES = [
    "uuid",
    "bigint",
    "bigint",
    "text",
    "text",
    "text",
    "int",
    "text",
    "text",
    "text",
    "text",
    "text",
    "text",
    "text",
    "timestamptz",
    "timestamptz",
    "text",
    "json",
    "int",
    "json",
    "json",
]
COLUMNS = ", ".join(Row._fields)
ARRAYS = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(COLUMN_TYPES, 1))
CLAIMED = "incoming JOIN claimed USING (event_id)"

# One statement, so one round trip and one commit. A message id that is already known is not claimed, and what is not
# claimed is neither kept nor counted. Claims are made in one order everywhere, so that two commits never deadlock.
# Nearly every event breaks nothing, and planning what counts violations costs a commit of one event a quarter.
# Whoever keeps events puts its own `incoming` before this.
THEN_KEEP, THEN_KEEP_FLAWLESS = (
    f"""
claimed AS (
    INSERT INTO message_ids (app_id, message_id, organisation_id, event_id, digest)
    SELECT app_id, message_id, organisation_id, event_id, decode(digest, 'hex')
    FROM incoming ORDER BY app_id, message_id
    ON CONFLICT DO NOTHING RETURNING event_id
),
kept AS (
    INSERT INTO log_entries ({COLUMNS})
    SELECT {COLUMNS.replace("digest", "decode(digest, 'hex')")} FROM {CLAIMED}
),
tallied AS ({deltas.tallied(CLAIMED, at="now()")}){broken}
SELECT event_id::text FROM claimed
"""  # noqa: S608  (made of constants of this file)
    for broken in (f", broken AS ({deltas.broken(CLAIMED, at='now()')})", "")
)
# Prepared once per connection: planning would cost a small commit half its time. The plan that fits any number of rows
# joins by hashing, so there is nothing to gain from looking at the rows first.
INCOMING = f"incoming ({COLUMNS}) AS (SELECT * FROM unnest({ARRAYS}))"  # noqa: S608  (likewise)
PREPARE = f"""
SET plan_cache_mode = force_generic_plan;
PREPARE keep AS WITH {INCOMING}, {THEN_KEEP};
PREPARE keep_flawless AS WITH {INCOMING}, {THEN_KEEP_FLAWLESS};
"""
KEEP, KEEP_FLAWLESS = (
    f"EXECUTE {name} ({', '.join(['%s'] * len(COLUMN_TYPES))})" for name in ("keep", "keep_flawless")
)

KNOWN = """
SELECT app_id, message_id, event_id::text, encode(digest, 'hex') FROM message_ids
JOIN unnest(%s::bigint[], %s::text[]) AS asked (app_id, message_id) USING (app_id, message_id)
"""


class Status(enum.StrEnum):
    """What became of one event."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"  # PostgreSQL cannot hold it; the parser should have known


class Outcome(NamedTuple):
    """An event's status and the id under which it, or the first of its message id, is kept."""

    status: Status
    event_id: str | None


class Unit:
    """The rows of one request, waiting for their commit."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.since = time.monotonic()
        self.result: AsyncResult = AsyncResult()


class GroupCommit:
    """The rows that wait in this process, and the one greenlet that commits them."""

    def __init__(self, dsn: str, most_rows: int, deadline_seconds: float) -> None:
        self._hosts = Hosts(dsn, application_name="live-validation flusher", **KEEPALIVE)
        self._most_rows = most_rows
        self._deadline_seconds = deadline_seconds
        self._waiting: deque[Unit] = deque()
        self._waiting_rows = 0
        self._wake = Event()
        self._flusher: gevent.Greenlet | None = None
        self._connection: psycopg2.extensions.connection | None = None

    def keep(self, rows: Sequence[Row]) -> list[Outcome]:
        """Commit the rows; returns one outcome per row, in their order.

        Raises Refusal `busy` (503) when too much waits already, or when no commit came in time: those rows may
        still be kept, and sending them again with the same ids is safe.
        """
        if self._waiting_rows + len(rows) > self._most_rows:
            raise busy()
        unit = Unit(rows)
        self._waiting.append(unit)
        self._waiting_rows += len(rows)
        metrics.BUFFER_ROWS.set(self._waiting_rows)
        if self._flusher is None or self._flusher.dead:  # not in __init__: greenlets do not survive a fork
            self._flusher = gevent.spawn(self._flush_for_ever)
        self._wake.set()
        try:
            return unit.result.get(timeout=self._deadline_seconds)
        except gevent.Timeout:
            raise busy() from None

    def _flush_for_ever(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                self._flush(self._take())

    def _take(self) -> list[Unit]:
        """All that waits, up to a bound; always at least one unit."""
        units = [self._waiting.popleft()]
        count = len(units[0].rows)
        while self._waiting and count + len(self._waiting[0].rows) <= MOST_ROWS_PER_COMMIT:
            units.append(self._waiting.popleft())
            count += len(units[-1].rows)
        return units

    def _flush(self, units: list[Unit]) -> None:
        rows = [row for unit in units for row in unit.rows]
        metrics.COMMIT_WAIT_SECONDS.observe(time.monotonic() - units[0].since)
        try:
            outcomes = iter(self._commit(rows, time.monotonic() + self._deadline_seconds))
        except psycopg2.Error as error:
            log.warning("commit_failed", rows=len(rows), pgcode=error.pgcode, error=type(error).__name__)
            for unit in units:
                unit.result.set_exception(busy() if is_busy(error) else error)
        else:
            for unit in units:
                unit.result.set([next(outcomes) for _ in unit.rows])
        finally:
            self._waiting_rows -= len(rows)
            metrics.BUFFER_ROWS.set(self._waiting_rows)

    def _commit(self, rows: Sequence[Row], ends_at: float) -> list[Outcome]:
        """Add the rows, again after a passing fault, in halves around one that PostgreSQL cannot hold.

        Repeating is right even when the fate of the last try is unknown: a row that it did commit is found under its
        own event id.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._add(rows)
            except (psycopg2.Error, ValueError) as error:  # ValueError: what psycopg2 itself cannot encode
                self._disconnect()
                if is_poison(error):
                    return self._commit_around_poison(rows, ends_at)
                if not is_busy(error) or time.monotonic() + pause > ends_at:
                    raise
                metrics.COMMIT_RETRIES.inc()
                gevent.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _commit_around_poison(self, rows: Sequence[Row], ends_at: float) -> list[Outcome]:
        if len(rows) == 1:
            log.error("row_rejected", app_id=rows[0].app_id, event_id=rows[0].event_id)
            return [Outcome(Status.REJECTED, None)]
        middle = len(rows) // 2
        return self._commit(rows[:middle], ends_at) + self._commit(rows[middle:], ends_at)

    def _add(self, rows: Sequence[Row]) -> list[Outcome]:
        began = time.perf_counter()
        statement = KEEP_FLAWLESS if all(row.violations == "[]" for row in rows) else KEEP
        with self._connected().cursor() as cursor:
            cursor.execute(statement, [arrays.as_text(column) for column in zip(*rows, strict=True)])
            claimed = {event_id for (event_id,) in cursor}
            known = known_among(cursor, [row for row in rows if row.event_id not in claimed])
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - began)
        metrics.COMMIT_ROWS.observe(len(rows))
        return [outcome(row, claimed, known) for row in rows]

    def _connected(self) -> psycopg2.extensions.connection:
        if self._connection is None or self._connection.closed:
            connection = self._hosts.connect()
            # KEEP is one statement; BEGIN and COMMIT would be two more round trips.
            connection.autocommit = True
            self._connection = connection
            with connection.cursor() as cursor:
                cursor.execute(PREPARE)
        return self._connection

    def _disconnect(self) -> None:
        """After a fault nobody knows what the connection still has to say; a new one costs milliseconds."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def is_poison(error: Exception) -> bool:
    """Is it the rows that are wrong, rather than the moment?"""
    state = getattr(error, "pgcode", None) or ""
    return isinstance(error, ValueError) or state.startswith(POISON_CLASSES)


def known_among(
    cursor: psycopg2.extensions.cursor, rows: Sequence[Row]
) -> dict[tuple[int, str], tuple[str, str]]:
    """Event id and digest of what was there first. A statement of its own: only a new snapshot sees it."""
    if not rows:
        return {}
    asked = arrays.as_text([row.app_id for row in rows]), arrays.as_text([row.message_id for row in rows])
    cursor.execute(KNOWN, asked)
    return {(app_id, message_id): (event_id, digest) for app_id, message_id, event_id, digest in cursor}


def outcome(row: Row, claimed: set[str], known: dict[tuple[int, str], tuple[str, str]]) -> Outcome:
    """What became of a row. Raises psycopg2.OperationalError where only another try can tell."""
    if row.event_id in claimed:
        return Outcome(Status.STORED, row.event_id)
    if (row.app_id, row.message_id) not in known:
        raise psycopg2.OperationalError(
            "the first of this id was pruned between two statements"
        )  # so: once more
    first_id, first_digest = known[row.app_id, row.message_id]
    if first_id == row.event_id:  # our own earlier try, whose answer was lost
        return Outcome(Status.STORED, first_id)
    return Outcome(Status.DUPLICATE if first_digest == row.digest else Status.CONFLICT, first_id)


def keep(rows: Sequence[Row]) -> list[Outcome]:
    """Commit the rows together with all others that wait in this process. See GroupCommit.keep."""
    return current_app.extensions["group_commit"].keep(rows) if rows else []


def init_app(flask_app: Flask, settings: Settings) -> None:
    flask_app.extensions["group_commit"] = GroupCommit(
        settings.ingest_database_url, settings.ingest_buffer_rows, settings.ingest_deadline_seconds
    )
