"""One stream from the inside: whoever is too slow catches up from the archive, and misses nothing."""

from collections.abc import Iterator
from typing import Any

import gevent
import orjson
import psycopg2
import pytest
from flask import Flask
from redis import Redis

from app.config import Settings
from app.extensions import db
from app.live import bell, stream
from app.live.stream import Watches
from app.store import events
from app.store.filters import Filters
from tests.conftest import eventually
from tests.store.test_events import INSERT

APP_ID = 1
ORGANISATION_ID = 1
ALL = Filters()


class Reader:
    """A stream of the app, read frame by frame."""

    def __init__(self, watches: Watches, cursor: str, filters: Filters = ALL) -> None:
        self.may_stay = True
        self.viewer = stream.Viewer(filters, cursor, lambda: self.may_stay)
        self.frames = stream._follow(watches, db.engine, APP_ID, ORGANISATION_ID, self.viewer)
        assert next(self.frames).startswith(b": connected")

    def ids(self, count: int) -> list[str]:
        """Message ids until there are so many."""
        found: list[str] = []
        while len(found) < count:
            for line in next(self.frames).split(b"\n"):
                if line.startswith(b"data: "):
                    found += [entry["message_id"] for entry in orjson.loads(line[6:])]
        return found


@pytest.fixture
def watches(flask_app: Flask, settings: Settings) -> Iterator[Watches]:
    watching = Watches(settings.redis_url)
    yield watching
    for watch in list(watching._watches.values()):
        watch.end()
    if watching._listener is not None:
        watching._listener.kill()


@pytest.fixture
def writer(settings: Settings) -> Iterator[Any]:
    connection = psycopg2.connect(settings.ingest_database_url)
    connection.autocommit = True
    yield connection
    connection.close()


def keep(writer: Any, *message_ids: str) -> None:
    with writer.cursor() as cursor:
        for message_id in message_ids:
            cursor.execute(INSERT, [message_id])


def live_reader(watches: Watches, writer: Any) -> Reader:
    """A stream that has caught up and is live."""
    reader = Reader(watches, newest_cursor())
    keep(writer, "first")
    assert reader.ids(1) == ["first"]
    return reader


def newest_cursor() -> str:
    with db.engine.connect() as connection:
        return events.newest_cursor(connection)


@pytest.fixture
def reader(watches: Watches, writer: Any) -> Reader:
    return live_reader(watches, writer)


def test_what_is_kept_is_seen_even_if_no_bell_rings(reader: Reader, writer: Any) -> None:
    keep(writer, "a")
    assert reader.ids(1) == ["a"]


def test_a_rung_bell_is_heard_at_once(
    monkeypatch: Any, watches: Watches, writer: Any, settings: Settings
) -> None:
    monkeypatch.setattr(stream, "GLANCE_SECONDS", 60.0)  # only the bell can wake the watch now
    reader = live_reader(watches, writer)
    reading = gevent.spawn(reader.ids, 1)
    ringer = bell.Bell(Redis.from_url(settings.redis_url))
    keep(writer, "a")

    def ring() -> object:
        ringer.ring(APP_ID)  # the subscription may not stand yet: ring until it is heard
        return reading.ready()

    eventually(ring, 10)
    assert reading.get() == ["a"]
    ringer._redis.close()


def test_a_slow_viewer_catches_up_and_gets_each_event_once(
    monkeypatch: Any, watches: Watches, writer: Any
) -> None:
    monkeypatch.setattr(stream, "MOST_FRAMES_WAITING", 2)
    reader = live_reader(watches, writer)
    watch = watches._watches[APP_ID]
    (viewer,) = watch.viewers
    ids = [f"{n:03}" for n in range(40)]
    for n, message_id in enumerate(ids):
        keep(writer, message_id)
        watch.rung.set()
        eventually(lambda n=n: viewer.fell_behind or viewer.frames.qsize() > n or viewer.frames.full())
    eventually(lambda: viewer.fell_behind or kick(watch))
    seen = reader.ids(1)  # there is room again, but what would come now hides a gap
    before = watch._cursor
    keep(writer, "after the gap")
    eventually(lambda: watch._cursor != before or kick(watch))
    seen += reader.ids(41 - len(seen))
    assert seen == [*ids, "after the gap"]
    keep(writer, "last")
    assert reader.ids(1) == ["last"]


def kick(watch: Any) -> bool:
    watch.rung.set()
    return False


def test_a_filter_hides_but_moves_on(watches: Watches, writer: Any) -> None:
    reader = Reader(watches, newest_cursor(), Filters(event="other"))
    keep(writer, "hidden")
    with writer.cursor() as cursor:
        cursor.execute(INSERT.replace("'e'", "'other'"), ["shown"])
    assert reader.ids(1) == ["shown"]


def test_a_filter_that_lets_nothing_through_still_tells_the_place(
    monkeypatch: Any, watches: Watches, writer: Any
) -> None:
    """Else a client that comes back has all that was hidden looked through again; and frames that come keep no
    heartbeat from it."""
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.0)
    start = newest_cursor()
    reader = Reader(watches, start, Filters(q="needle"))
    assert next(reader.frames) == b": still here\n\n"  # it is live
    keep(writer, *"abc")
    with db.engine.connect() as connection:
        hidden, _ = events.after(connection, APP_ID, start, 3)
    eventually(lambda: next(reader.frames) == stream.frame_bytes(hidden[-1].cursor, []))


def test_a_search_looks_into_names_and_payloads_of_what_comes(watches: Watches, writer: Any) -> None:
    reader = Reader(watches, newest_cursor(), Filters(q="Blue"))
    keep(writer, "hidden")
    with writer.cursor() as cursor:
        cursor.execute(INSERT.replace("'{}', '{}'", """'{"colour": "BLUE"}', '{}'"""), ["in the payload"])
        cursor.execute(INSERT.replace("'e'", "'go_blue'"), ["in the name"])
    assert reader.ids(2) == ["in the payload", "in the name"]


def test_the_stream_ends_when_its_viewer_may_not_stay(reader: Reader, watches: Watches) -> None:
    reader.may_stay = False
    assert list(reader.frames) == []
    assert watches._watches == {}, "nobody watches, nobody reads"
