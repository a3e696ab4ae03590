"""The order of commits: what a stream is shown, and what must wait for an older transaction."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
import uuid_utils
from flask import Flask
from sqlalchemy import text

from app.config import Settings
from app.extensions import db
from app.store import events
from app.store.filters import Filters
from app.validation.judge import is_system_event

BEGINNING = "0-00000000-0000-0000-0000-000000000000"
INSERT = (
    "INSERT INTO log_entries (app_id, event_id, organisation_id, message_id, event_name, verdict, digest, violations,"
    " payload, envelope) VALUES (1, gen_random_uuid(), 1, %s, 'e', 'valid', '', '[]', '{}', '{}')"
)


@pytest.fixture
def writers(settings: Settings, flask_app: Flask) -> Iterator[list[Any]]:
    """Two transactions that may be open at once."""
    connections = [psycopg2.connect(settings.ingest_database_url) for _ in range(2)]
    yield connections
    for connection in connections:
        connection.close()


def add(writer: Any, message_id: str) -> None:
    with writer.cursor() as cursor:
        cursor.execute(INSERT, [message_id])


def after(cursor: str, limit: int = 100) -> tuple[list[str], str, bool]:
    with db.engine.connect() as connection:
        entries, more = events.after(connection, 1, cursor, limit)
    return [e.json["message_id"] for e in entries], entries[-1].cursor if entries else cursor, more


def test_what_commits_late_is_not_missed_by_who_already_looked(writers: list[Any]) -> None:
    early, late = writers
    add(early, "early")  # takes its place first, commits last
    add(late, "late")
    late.commit()
    seen, cursor, more = after(BEGINNING)
    assert (seen, more) == ([], True), "an older transaction is still open"
    early.commit()
    seen, cursor, more = after(cursor)
    assert (seen, more) == (["early", "late"], False)
    assert after(cursor)[0] == []


def test_a_cursor_goes_on_where_it_ended(writers: list[Any]) -> None:
    for n in range(5):
        add(writers[0], str(n))
        if n % 2:
            writers[0].commit()
    writers[0].commit()
    seen: list[str] = []
    cursor, more = BEGINNING, True
    while more:
        page, cursor, more = after(cursor, limit=2)
        seen += page
    assert sorted(seen) == list("01234")
    assert len(seen) == 5


def test_from_now_on_shows_nothing_old_and_all_that_is_new(writers: list[Any]) -> None:
    open_, done = writers
    add(done, "old")
    done.commit()
    add(open_, "under way")
    with db.engine.connect() as connection:
        now = events.newest_cursor(connection)
    assert events.is_cursor(now)
    open_.commit()
    add(done, "new")
    done.commit()
    assert after(now)[0] == ["under way", "new"]


ENTRY = {
    "name": "buy",
    "verdict": "invalid",
    "app_version": "1.0",
    "platform": "ios",
    "session_id": "s1",
    "device_id": "d1",
    "origin": "system",
    "identity": "i1",
    "violations": [{"kind": "type_mismatch", "path": "price"}, {"kind": "missing_property", "path": "sku"}],
}

PAYLOAD = '{"colour": "Ruby"}'


@pytest.mark.parametrize(
    ("name", "match", "other"),
    [
        ("event", "buy", "look"),
        ("verdict", "invalid", "valid"),
        ("app_version", "1.0", "1.1"),
        ("platform", "ios", "android"),
        ("session", "s1", "s2"),
        ("device", "d1", "d2"),
        ("origin", "system", "user"),
        ("identity", "i1", "i2"),
        ("q", "ruby", "blue"),
        ("q", "BUY", "sell"),
        ("kind", "missing_property", "empty_value"),
        ("path", "price", "total"),
    ],
)
def test_the_stream_filters_by_all_that_it_takes(name: str, match: str, other: str) -> None:
    assert Filters(**{name: match}).admit(ENTRY, PAYLOAD)
    assert not Filters(**{name: other}).admit(ENTRY, PAYLOAD)


@pytest.fixture
def old_days(owner: Any, flask_app: Flask) -> Iterator[None]:
    """Thirty days of the past, each with a partition."""
    days = [f"(now() AT TIME ZONE 'UTC')::date - {n}" for n in range(1, 31)]
    with owner.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(days)}, (now() AT TIME ZONE 'UTC')::date")
        dates = [str(day) for day in cursor.fetchone()]
        for n, day in enumerate(dates[:-1]):
            following = dates[n - 1] if n else dates[-1]
            span = f"FROM ('{day} 00:00Z') TO ('{following} 00:00Z')"
            cursor.execute(f"CREATE TABLE old_{n} PARTITION OF log_entries FOR VALUES {span}")
    yield
    with owner.cursor() as cursor:
        cursor.execute(f"DROP TABLE {', '.join(f'old_{n}' for n in range(30))}")


def test_a_stream_looks_into_the_last_days_only(owner: Any, old_days: None) -> None:
    """Otherwise every look of every viewer would cost an index per day that is kept."""
    chosen = {
        "app_id": 1,
        "xid": 1,
        "event_id": str(uuid_utils.uuid7()),
        "limit": 10,
        "late": events.LATE_SECONDS,
    }
    with db.engine.connect() as connection:
        plan = connection.execute(text(f"EXPLAIN {events.AFTER.text}"), chosen).scalars().all()
        nameless = chosen | {"event_id": events.NAMELESS_CURSOR_ID}
        wide = connection.execute(text(f"EXPLAIN {events.AFTER.text}"), nameless).scalars().all()
    assert sum("old_" in line and "Scan" in line for line in plan) <= 1
    assert sum("old_" in line and "Scan" in line for line in wide) <= events.NAMELESS_DAYS


def test_a_cursor_still_finds_what_came_after_it(writers: list[Any]) -> None:
    """With an id as the product makes them, whose time bounds the look."""
    add(writers[0], "first")
    writers[0].commit()
    assert after(f"1-{uuid_utils.uuid7()}")[0] == ["first"]


@pytest.mark.parametrize(
    "event_id", [0, 1, -1, 5.0, True, None, "0", "00", "7", "-7", "٣", "x7", "", 10**20, [1], {"a": 1}]
)
def test_the_database_tells_system_events_as_the_judge_does(writers: list[Any], event_id: Any) -> None:
    envelope = {"eventId": event_id}
    with writers[0].cursor() as cursor:
        cursor.execute(INSERT.replace("'{}', '{}'", "'{}', %s"), ["m", json.dumps(envelope)])
    writers[0].commit()
    with db.engine.connect() as connection:
        ((entry, *_), _) = events.after(connection, 1, BEGINNING, 1)
    assert entry.json["origin"] == ("system" if is_system_event(envelope) else "user")
