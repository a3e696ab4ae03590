"""One open stream per viewer, fed from the archive: live and catch-up are the same question.

A process that hears the bell reads the app's new rows once, renders one frame of bytes per filter and hands it to
every viewer's bounded queue. The cursor follows commits (see store.events.after), so a viewer that comes back with
its last id misses nothing and gets nothing twice. Road not taken: forwarding what the bell's message carried, which
arrives in another order than the commits and is lost with Redis.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import gevent
import orjson
import structlog
from flask import Flask, current_app
from gevent.event import Event
from gevent.queue import Empty, Full, Queue
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app import metrics
from app.config import Settings
from app.extensions import db
from app.live import bell
from app.store import events, tenancy
from app.store.events import Entry
from app.store.filters import Filters
from app.validation.sentences import sentence

log = structlog.get_logger()

FRAME_SECONDS = 0.025  # viewers see 40 frames a second at most, however fast events come
HEARTBEAT_SECONDS = 15
LONGEST_SECONDS = 15 * 60  # then the browser reconnects: elsewhere, if this instance is being drained
GLANCE_SECONDS = 1.0  # how soon a viewer notices that it must go
MOST_FRAMES_WAITING = 64
MOST_ENTRIES_PER_READ = 500
RECONNECT_MILLISECONDS = 2000


@dataclass(frozen=True, slots=True)
class Frame:
    """Entries read together, in the order of their commits."""

    entries: list[Entry]

    def rendered(self, filters: Filters, after: str = "") -> bytes:
        """The frame as one server-sent event; empty where no entry passes the filter."""
        passed = [
            e for e in self.entries if order(e.cursor) > order(after) and filters.admit(e.json, e.payload)
        ]
        if not passed:
            return b""
        return frame_bytes(self.entries[-1].cursor, [with_sentences(e.json) for e in passed])


def frame_bytes(cursor: str, entries: list[dict[str, Any]]) -> bytes:
    """One server-sent event: entries, and the cursor after them."""
    return b"id: %s\nevent: log_entry\ndata: %s\n\n" % (cursor.encode(), orjson.dumps(entries))


def order(cursor: str) -> tuple[int, str]:
    """Cursors compare as PostgreSQL compares the pair."""
    xid, _, event_id = cursor.partition("-")
    return int(xid or 0), event_id


def with_sentences(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry as shown: each violation with its explanation."""
    return entry | {"violations": [{**v, "message": sentence(v)} for v in entry["violations"]]}


class Stay(Protocol):
    """May whoever opened a stream still be here? Asked every second, and whenever it calls `wake`."""

    def __call__(self) -> bool: ...
    def begin(self, wake: Callable[[], None]) -> None: ...
    def end(self) -> None: ...


class Viewer:
    """One open stream: what it wants, how far it was told, and what waits for it."""

    def __init__(self, filters: Filters, cursor: str, may_stay: Callable[[], bool]) -> None:
        self.filters = filters
        self.cursor = cursor
        self.frames: Queue = Queue(maxsize=MOST_FRAMES_WAITING)
        self.fell_behind = False
        self._may_stay = may_stay
        self._ends_at = time.monotonic() + LONGEST_SECONDS
        self._heartbeat_at = time.monotonic() + HEARTBEAT_SECONDS
        self._known_cursor = cursor  # the last one that its client was sent

    def look_up(self) -> None:
        """Have the stream ask at once whether it may go on. A full queue does so by itself."""
        with suppress(Full):
            self.frames.put_nowait(None)

    def may_stay(self) -> bool:
        return self._may_stay() and time.monotonic() < self._ends_at

    def told(self, sent: bytes, cursor: str) -> bytes:
        """The bytes that bring the viewer up to this cursor; empty where nothing passed its filter."""
        self.cursor = cursor
        if sent:
            self._known_cursor = cursor
            self._heartbeat_at = time.monotonic() + HEARTBEAT_SECONDS
        return sent

    def heartbeat(self) -> bytes:
        """Empty, or when it is due a sign of life, which is also how a gone client is noticed.

        Where a filter let nothing through, it is a frame without entries, which tells the client how far it has got:
        else it would come back with a cursor from hours ago, and all of that would be looked through again.
        """
        if time.monotonic() < self._heartbeat_at:
            return b""
        self._heartbeat_at = time.monotonic() + HEARTBEAT_SECONDS
        if self._known_cursor == self.cursor:
            return b": still here\n\n"
        self._known_cursor = self.cursor
        return frame_bytes(self.cursor, [])


class Watch:
    """All viewers of one app in this process, and the greenlet that reads its new rows for them."""

    def __init__(self, app_id: int, organisation_id: int, engine: Engine) -> None:
        self.app_id = app_id
        self._organisation_id = organisation_id
        self.viewers: set[Viewer] = set()
        self.rung = Event()
        self._engine = engine
        with engine.connect() as connection:
            self._cursor = events.newest_cursor(connection)
        self._reader = gevent.spawn(self._read_for_ever)

    def end(self) -> None:
        self._reader.kill(block=False)

    def _read_for_ever(self) -> None:
        while True:
            self.rung.wait(timeout=GLANCE_SECONDS)  # a lost bell costs a second
            self.rung.clear()
            try:
                while self._read():
                    gevent.sleep(FRAME_SECONDS)
            except SQLAlchemyError as error:
                log.warning("live_read_failed", app_id=self.app_id, error=type(error).__name__)
            gevent.sleep(FRAME_SECONDS)

    def _read(self) -> bool:
        """Hand the new rows to every viewer; returns whether more is on its way."""
        with tenancy.inside(self._organisation_id), self._engine.connect() as connection:
            entries, more = events.after(connection, self.app_id, self._cursor, MOST_ENTRIES_PER_READ)
        if entries:
            self._cursor = entries[-1].cursor
            self._hand_out(Frame(entries))
        return more

    def _hand_out(self, frame: Frame) -> None:
        rendered: dict[Filters, bytes] = {}
        for viewer in tuple(self.viewers):
            if viewer.fell_behind:
                continue  # a frame after a missed one would hide the gap
            if viewer.filters not in rendered:
                rendered[viewer.filters] = frame.rendered(viewer.filters)
            try:
                viewer.frames.put_nowait((frame, rendered[viewer.filters]))
            except Full:  # too slow: it catches up from the archive by its cursor
                viewer.fell_behind = True


class Watches:
    """The watched apps of this process, and the greenlet that hears the bell for them."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._watches: dict[int, Watch] = {}
        self._listener: gevent.Greenlet | None = None

    def join(self, app_id: int, organisation_id: int, engine: Engine, viewer: Viewer) -> Watch:
        """Let the viewer be handed every frame from now on."""
        if self._listener is None or self._listener.dead:
            self._listener = gevent.spawn(self._listen)
        watch = self._watches.get(app_id)
        if watch is None:
            watch = Watch(app_id, organisation_id, engine)
            # Connecting let other greenlets run; the first one in stays.
            if (earlier := self._watches.get(app_id)) is not None:
                watch.end()
                watch = earlier
            self._watches[app_id] = watch
        watch.viewers.add(viewer)
        metrics.VIEWERS.inc()
        return watch

    def leave(self, watch: Watch, viewer: Viewer) -> None:
        watch.viewers.discard(viewer)
        metrics.VIEWERS.dec()
        if not watch.viewers and self._watches.get(watch.app_id) is watch:
            del self._watches[watch.app_id]
            watch.end()

    def _listen(self) -> None:
        for app_ids in bell.heard(self._redis_url):
            for app_id in app_ids & self._watches.keys():
                self._watches[app_id].rung.set()


def newest_cursor() -> str:
    """The cursor from which a page that is being rendered now should listen.

    On the request's own connection: pages that each hold one and ask for a second would wait for each other.
    """
    return events.newest_cursor(db.session.connection())


def follow(app_id: int, organisation_id: int, filters: Filters, cursor: str, stay: Stay) -> Iterator[bytes]:
    """The bytes of one stream: all of the app's events committed after the cursor.

    `stay` is asked every second; when it says no, or the instance stops, the stream ends and the client returns
    with its last id.
    """
    watches: Watches = current_app.extensions["watches"]
    stopping: Callable[[], bool] = current_app.extensions["stopping"]
    viewer = Viewer(filters, cursor, lambda: stay() and not stopping())
    return _follow(watches, db.engine, app_id, organisation_id, viewer, stay)


def _follow(
    watches: Watches,
    engine: Engine,
    app_id: int,
    organisation_id: int,
    viewer: Viewer,
    stay: Stay | None = None,
) -> Iterator[bytes]:
    yield b": connected\nretry: %d\n\n" % RECONNECT_MILLISECONDS
    # Before the catch-up, so that nothing falls between the two.
    watch = watches.join(app_id, organisation_id, engine, viewer)
    try:
        if stay is not None:
            stay.begin(viewer.look_up)
        while viewer.may_stay():
            viewer.fell_behind = False  # before the catch-up: what it sees twice is dropped by its cursor
            yield from _caught_up(engine, app_id, organisation_id, viewer)
            yield from _live(viewer)
            if not viewer.fell_behind:
                return
    finally:
        watches.leave(watch, viewer)
        if stay is not None:
            stay.end()


def _caught_up(engine: Engine, app_id: int, organisation_id: int, viewer: Viewer) -> Iterator[bytes]:
    """What was committed after the viewer's cursor, a frame at a time."""
    while viewer.may_stay():
        with tenancy.inside(organisation_id), engine.connect() as connection:
            entries, _ = events.after(connection, app_id, viewer.cursor, MOST_ENTRIES_PER_READ)
        if not entries:
            return
        frame = Frame(entries)
        yield viewer.told(frame.rendered(viewer.filters), entries[-1].cursor) or viewer.heartbeat()


def _live(viewer: Viewer) -> Iterator[bytes]:
    """Frames as they come, until the viewer must go or has fallen behind."""
    while viewer.may_stay() and not (viewer.fell_behind and viewer.frames.empty()):
        yield viewer.heartbeat()  # also where frames come and none passes
        try:
            waiting = viewer.frames.get(timeout=GLANCE_SECONDS)
        except Empty:
            continue
        if waiting is None:
            continue
        frame, sent = waiting
        if order(frame.entries[-1].cursor) <= order(viewer.cursor):
            continue  # the catch-up had it already
        if order(frame.entries[0].cursor) <= order(viewer.cursor):
            sent = frame.rendered(viewer.filters, after=viewer.cursor)
        yield viewer.told(sent, frame.entries[-1].cursor)


def init_app(flask_app: Flask, chosen: Settings) -> None:
    flask_app.extensions["watches"] = Watches(chosen.redis_url)
    flask_app.extensions.setdefault("stopping", lambda: False)  # Gunicorn's hook puts the real one here
