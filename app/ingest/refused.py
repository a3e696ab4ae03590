"""Samples of what was refused: noted in memory, written once a second, so that a sender's mistake can be seen.

Promised to nobody: a sample may be lost, and of a flood only one a second is kept for each app and reason. Bodies
are cut, shown to the app's own organisation alone and forgotten after a week.
"""

from datetime import UTC, datetime
from typing import Any

import gevent
import orjson
import structlog
from flask import Flask, Response, current_app, g
from sqlalchemy.exc import SQLAlchemyError

from app.ingest.body import EXCERPT_BYTES, Broken
from app.ingest.receipt import REASONS
from app.store import refused
from app.store.apps import Sender
from app.store.refused import Sample

log = structlog.get_logger()

WRITE_SECONDS = 1.0
# So many at once are an attack; the metrics still count them.
MOST_WAITING = 1_000


class Refused:
    """What was refused since the last writing, by app and reason, and the greenlet that writes it."""

    def __init__(self, flask_app: Flask) -> None:
        self._flask_app = flask_app
        self._samples: dict[tuple[int, str], Sample] = {}
        self._writer: gevent.Greenlet | None = None

    def note(self, sender: Sender, reason: str, message: str, status: int, body: Any) -> None:
        """Count it, and keep it as this second's sample if it is the first. Never waits.

        body: bytes as they came, or a JSON value out of them, or None where nothing was read.
        """
        known = self._samples.get((sender.app.id, reason))
        if known is not None:
            known.count += 1
        elif len(self._samples) < MOST_WAITING:
            self._samples[sender.app.id, reason] = Sample(
                sender.app.organisation_id,
                sender.app.id,
                reason,
                message,
                status,
                datetime.now(UTC),
                sender.key_id,
                g.get("request_id", ""),
                *excerpt(body),
            )
        if self._writer is None or self._writer.dead:  # greenlets do not survive a fork
            self._writer = gevent.spawn(self._write_for_ever)

    def _write_for_ever(self) -> None:
        while True:
            gevent.sleep(WRITE_SECONDS)
            self.write()

    def write(self) -> None:
        """Write what was noted; what cannot be written now is lost."""
        samples, self._samples = self._samples, {}
        if not samples:
            return
        try:
            with self._flask_app.app_context():
                refused.add(samples.values())
        except SQLAlchemyError as error:
            log.warning("refused_samples_lost", samples=len(samples), error=type(error).__name__)


def excerpt(body: Any) -> tuple[str | None, int | None]:
    """The beginning of a body as text, and how many bytes all of it had; unknown where it was not read whole."""
    if body is None:
        return None, None
    if isinstance(body, Broken):
        return _text(body.excerpt), None
    if not isinstance(body, bytes):
        try:
            body = orjson.dumps(body)
        except (
            orjson.JSONEncodeError,
            UnicodeEncodeError,
        ):  # what it is refused for: too deep, or no Unicode
            return None, None
    return _text(body[:EXCERPT_BYTES]), len(body)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def note_event(reason: str, value: Any) -> None:
    """This event of a body that was taken was rejected."""
    _noted().note(g.write_key, reason, REASONS[reason], 200, value)


def note_request(response: Response) -> Response:
    """Note a request that was refused whole, once it is known whose it was."""
    if (reason := g.get("reason")) and "write_key" in g:
        _noted().note(g.write_key, reason, g.advice, response.status_code, g.get("body"))
    return response


def _noted() -> Refused:
    return current_app.extensions["refused"]


def init_app(flask_app: Flask) -> None:
    flask_app.extensions["refused"] = Refused(flask_app)
