"""Requests and bytes by app and day: noted in memory, written each second, so that no request pays for its count.

What cannot be written is kept and tried again; only a process that is killed loses a second of it.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime

import gevent
import structlog
from flask import Flask, Response, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from app.ingest.parse import Received
from app.store import usage
from app.store.keeping import Outcome, Status

log = structlog.get_logger()

WRITE_SECONDS = 1.0


class UsedUp:
    """What was used since the last writing, and the greenlet that writes it."""

    def __init__(self, flask_app: Flask) -> None:
        self._flask_app = flask_app
        self._counts: dict[tuple[int, date], tuple[int, int]] = {}
        self._writer: gevent.Greenlet | None = None

    def note(self, app_id: int, day: date, requests: int, size: int) -> None:
        """Count it. Never waits."""
        before, bytes_before = self._counts.get((app_id, day), (0, 0))
        self._counts[app_id, day] = before + requests, bytes_before + size
        if self._writer is None or self._writer.dead:  # greenlets do not survive a fork
            self._writer = gevent.spawn(self._write_for_ever)

    def _write_for_ever(self) -> None:
        while True:
            gevent.sleep(WRITE_SECONDS)
            self.write()

    def write(self) -> None:
        """Write what was noted, or keep it for the next time."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            with self._flask_app.app_context():
                usage.add(counts)
        except SQLAlchemyError as error:
            log.warning("usage_not_written", apps=len(counts), error=type(error).__name__)
            for (app_id, day), (requests, size) in counts.items():
                self.note(app_id, day, requests, size)


def note_request(response: Response) -> Response:
    """Count this request once it is known whose it is, whatever became of it."""
    if request.method == "POST" and "write_key" in g:
        app_id = g.write_key.app.id
        current_app.extensions["used_up"].note(app_id, datetime.now(UTC).date(), 1, g.get("bytes_kept", 0))
    return response


def size_of(events: Iterable[Received], outcomes: Iterable[Outcome]) -> int:
    """Bytes of the payloads and envelopes of those that were stored."""
    pairs = zip(events, outcomes, strict=True)
    return sum(
        _bytes(event.payload_json) + _bytes(event.envelope_json)
        for event, outcome in pairs
        if outcome.status is Status.STORED
    )


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())  # whether it is ASCII a str knows by itself


def init_app(flask_app: Flask) -> None:
    flask_app.extensions["used_up"] = UsedUp(flask_app)
