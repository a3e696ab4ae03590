"""The session cookie and what it stands for: a small JSON object in Redis, written only when it changes.

Flask-Session's own ways that are replaced here: a serializer that falls back to pickle, a write at every
request (which undoes a parallel sign-out), cookies deleted without their attributes, and an error for
everything, pictures included, while Redis is away.
"""

import hashlib
import re
from typing import Any

import orjson
from flask import Flask, Request, Response
from flask_session.base import Serializer, ServerSideSession
from flask_session.redis import RedisSessionInterface
from redis import Redis
from redis.exceptions import RedisError

from app import errors

KEY_PREFIX = "session:"
SID_BYTES = 32
SID = re.compile(r"[A-Za-z0-9_-]{43}")  # what 32 random bytes look like; no other is worth a question
# Nothing here looks at a session: senders, scrapers and pictures neither need Redis nor wait for it.
WITHOUT_SESSION = ("/static/", "/health", "/ready", "/metrics", "/api/logs")
SIGNED_IN_SECONDS = 30 * 24 * 3600  # as long as auth_sessions lets any session live
ANONYMOUS_SECONDS = 12 * 3600  # a form that was left open over a working day still works


class BrowserSession(ServerSideSession):
    """`flask.session`. Holds only strings: what comes out is what went in. `is_new`: not in Redis yet."""

    is_new = True


class LostSession(BrowserSession):
    """A session that we cannot get at. Whoever looks into it answers 503; the others don't care."""

    def _refuse(self, *_: object) -> Any:
        raise errors.busy("Sign-in is out of reach for a moment. Events are still taken. Try again shortly.")

    __getitem__ = __setitem__ = __delitem__ = __contains__ = get = setdefault = pop = clear = _refuse
    __bool__ = _refuse


class JsonSerializer(Serializer):
    """JSON and nothing else: what somebody plants in Redis stays data."""

    def encode(self, session: ServerSideSession) -> bytes:
        return orjson.dumps(dict(session))

    def decode(self, serialized_data: bytes) -> dict[str, Any] | None:
        """The session's strings, or None where this is no JSON object: then there is no session."""
        try:
            found = orjson.loads(serialized_data)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(found, dict):
            return None
        return {name: value for name, value in found.items() if isinstance(value, str)}


class CookieSessions(RedisSessionInterface):
    """Sessions in Redis, by the hash of the cookie's value: reading Redis is not enough to be someone."""

    session_class = BrowserSession

    def __init__(self, flask_app: Flask, redis: Redis) -> None:
        super().__init__(
            flask_app,
            client=redis,
            key_prefix=KEY_PREFIX,
            permanent=False,
            sid_length=SID_BYTES,
            serialization_format="json",
        )
        self.serializer = JsonSerializer()

    def open_session(self, app: Flask, request: Request) -> BrowserSession | None:
        if request.path.startswith(WITHOUT_SESSION):
            return None
        sid = request.cookies.get(self.get_cookie_name(app), "")
        if not SID.fullmatch(sid):
            return self._blank()
        try:
            content = self._retrieve_session_data(self._get_store_id(sid))
        except RedisError:
            return LostSession(sid=sid)
        if content is None:  # ended, or never ours: a client does not get to choose its id
            return self._blank()
        opened = BrowserSession(content, sid=sid)
        opened.is_new = False
        return opened

    def save_session(self, app: Flask, session: BrowserSession, response: Response) -> None:
        if isinstance(session, LostSession):
            return
        if session.accessed:
            response.vary.add("Cookie")
        if not session.modified:
            return
        try:
            self._keep(app, session, response)
        except RedisError as error:
            # Too late for an error handler; and an answer that promises a session would be a lie.
            _replace(response, errors.from_redis(error))

    def regenerate(self, session: BrowserSession) -> None:
        """Give the session a new id; the old one is dead at once. Raises RedisError."""
        if not session.is_new:
            self._delete_session(self._get_store_id(session.sid))
        session.sid = self._generate_sid(SID_BYTES)
        session.is_new = True
        session.modified = True

    def _keep(self, app: Flask, session: BrowserSession, response: Response) -> None:
        store_id = self._get_store_id(session.sid)
        if not session:
            if not session.is_new:
                self._delete_session(store_id)
            self._set_cookie(app, response, "", max_age=0)
            return
        # XX: what was deleted while this request ran, a sign-out, stays deleted.
        seconds = SIGNED_IN_SECONDS if "auth_session" in session else ANONYMOUS_SECONDS
        content = self.serializer.encode(session)
        self.client.set(store_id, content, ex=seconds, xx=not session.is_new)
        if session.is_new:
            self._set_cookie(app, response, session.sid)

    def _set_cookie(self, app: Flask, response: Response, value: str, max_age: int | None = None) -> None:
        """Set or delete with the same attributes, without which a browser keeps a __Host- cookie."""
        response.set_cookie(
            self.get_cookie_name(app),
            value,
            max_age=max_age,
            path="/",
            secure=self.get_cookie_secure(app),
            httponly=True,
            samesite="Lax",
        )
        response.vary.add("Cookie")

    def _blank(self) -> BrowserSession:
        return BrowserSession(sid=self._generate_sid(SID_BYTES))

    def _get_store_id(self, sid: str) -> str:
        return self.key_prefix + hashlib.sha256(sid.encode()).hexdigest()


def _replace(response: Response, other: Response) -> None:
    """Turn a response into another, keeping the headers that every answer has."""
    for name in ("Location", "Set-Cookie"):
        response.headers.pop(name, None)
    for name in ("Content-Type", "Retry-After"):
        if value := other.headers.get(name):
            response.headers[name] = value
    response.set_data(other.get_data())
    response.status_code = other.status_code
