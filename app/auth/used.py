"""When a key was last used: noted in memory, written once a minute for all keys of this process."""

import gevent
import structlog
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from app.store import keys

log = structlog.get_logger()

WRITE_SECONDS = 60.0
FIRST_SECONDS = 1.0  # somebody who has just made a key wants to see that it works


class Used:
    """The ids of the keys that were used since the last writing, and the greenlet that writes them."""

    def __init__(self, flask_app: Flask) -> None:
        self._flask_app = flask_app
        self._write_keys: set[int] = set()
        self._api_keys: set[int] = set()
        self._writer: gevent.Greenlet | None = None

    def note_write_key(self, key_id: int) -> None:
        self._write_keys.add(key_id)
        self._begin()

    def note_api_key(self, key_id: int) -> None:
        self._api_keys.add(key_id)
        self._begin()

    def _begin(self) -> None:
        if self._writer is None or self._writer.dead:  # greenlets do not survive a fork
            self._writer = gevent.spawn(self._write_for_ever)

    def _write_for_ever(self) -> None:
        pause = FIRST_SECONDS
        while True:
            gevent.sleep(pause)
            pause = WRITE_SECONDS
            if self._write_keys or self._api_keys:
                self.write()

    def write(self) -> None:
        """Write what was noted; what cannot be written now is lost, and noted again at the next use."""
        write_keys, self._write_keys = self._write_keys, set()
        api_keys, self._api_keys = self._api_keys, set()
        try:
            with self._flask_app.app_context():
                keys.touch(write_keys, api_keys)
        except SQLAlchemyError as error:
            log.warning("last_used_not_written", keys=len(write_keys | api_keys), error=type(error).__name__)


def note_write_key(key_id: int) -> None:
    """This write key was used."""
    current_app.extensions["used"].note_write_key(key_id)


def note_api_key(key_id: int) -> None:
    """This API key was used."""
    current_app.extensions["used"].note_api_key(key_id)


def init_app(flask_app: Flask) -> None:
    flask_app.extensions["used"] = Used(flask_app)
