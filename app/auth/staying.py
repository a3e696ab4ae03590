"""For what stays open: may the one who opened it still be here?"""

import time
from collections.abc import Callable

import gevent
from flask import Flask, current_app, g
from sqlalchemy.exc import SQLAlchemyError

from app.auth.memory import Memory
from app.auth.require import Actor
from app.config import Settings
from app.errors import Refusal
from app.store import standing


class Stay:
    """One open stream's question, to be asked every second, outside of any request.

    It says no once the session ended, the key was revoked, its token expired, its organisation was closed, the role
    was taken away, or nobody can tell. Between `begin` and `end` it also says when to ask at once.
    """

    def __init__(self, flask_app: Flask, actor: Actor) -> None:
        self.user_id = actor.user_id
        self._flask_app = flask_app
        self._actor = actor
        self._wake: Callable[[], None] = lambda: None

    def __call__(self) -> bool:
        actor = self._actor
        if actor.expires_at is not None and actor.expires_at <= time.time():
            return False
        is_key = actor.key_id is not None
        memory = self._flask_app.extensions["api_keys_by_id" if is_key else "live_sessions"]
        asked = (actor.organisation_id, actor.key_id) if is_key else actor.session_id
        try:
            with self._flask_app.app_context():
                found = memory.recall(asked)
        except (SQLAlchemyError, Refusal):
            return False  # the client comes back and is asked again
        if found is None or (is_key and found.is_closed):
            return False
        return found.organisation_id == actor.organisation_id

    def begin(self, wake: Callable[[], None]) -> None:
        """From now on `wake` is called when the answer may have changed."""
        self._wake = wake
        if self.user_id is not None:
            self._stays.join(self)

    def end(self) -> None:
        self._stays.leave(self)

    def wake(self) -> None:
        self._wake()

    @property
    def _stays(self) -> "Stays":
        return self._flask_app.extensions["stays"]


class Stays:
    """The open streams of people in this process, and the greenlet that hears whose standing changed."""

    def __init__(self, redis_url: str, live_sessions: Memory) -> None:
        self._redis_url = redis_url
        self._live_sessions = live_sessions
        self._open: dict[int | None, set[Stay]] = {}
        self._listener: gevent.Greenlet | None = None

    def join(self, stay: Stay) -> None:
        if self._listener is None or self._listener.dead:
            self._listener = gevent.spawn(self._listen)
        self._open.setdefault(stay.user_id, set()).add(stay)

    def leave(self, stay: Stay) -> None:
        neighbours = self._open.get(stay.user_id, set())
        neighbours.discard(stay)
        if not neighbours:
            self._open.pop(stay.user_id, None)

    def _listen(self) -> None:
        for user_ids in standing.heard(self._redis_url):
            for user_id in user_ids & self._open.keys():
                self._forget(user_id)
                for stay in tuple(self._open[user_id]):
                    stay.wake()

    def _forget(self, user_id: int) -> None:
        self._live_sessions.forget_where(lambda found: found is not None and found.user_id == user_id)


def may_stay() -> Stay:
    """The question for a stream that this request opens."""
    flask_app = current_app._get_current_object()  # type: ignore[attr-defined]
    return Stay(flask_app, g.actor)


def init_app(flask_app: Flask, settings: Settings) -> None:
    flask_app.extensions["stays"] = Stays(settings.redis_url, flask_app.extensions["live_sessions"])
