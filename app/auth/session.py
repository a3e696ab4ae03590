"""Who is signed in: a session in Redis points at a row in PostgreSQL, and the row decides.

What the session holds before sign-in: `browser` (a random value that codes are bound to), `challenge` (its
id), `email` and `code_from` (for the page that asks for the code), `next` (where to go then), `csrf_token`. After it:
`auth_session`, a new `csrf_token`, and `role`, the one that it was last used with. Before and after:
`invitation`, the hash of one whose link was opened.
"""

import hashlib
import ipaddress
import secrets
import uuid

from flask import Flask, current_app, g, request, session
from flask_wtf import CSRFProtect

from app.auth import passwords
from app.auth.cookie import CookieSessions
from app.auth.memory import Memory
from app.config import Settings
from app.extensions import connect_redis
from app.store import audit, sessions
from app.store.audit import Action
from app.store.sessions import SignedIn

# A sign-out in another process is noticed within this time; in Redis it counts at once.
REMEMBERED_SECONDS = 0.5
LONGEST_USER_AGENT = 256


def init_app(flask_app: Flask, settings: Settings) -> None:
    """Sessions, CSRF tokens and what passwords need. Connects to nothing yet."""
    flask_app.config.update(
        SESSION_COOKIE_NAME="__Host-session" if settings.is_https else "session",
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        WTF_CSRF_CHECK_DEFAULT=False,  # app/auth/origin.py asks, where a cookie is what speaks for the sender
        WTF_CSRF_SSL_STRICT=False,  # replaced there by a check of Origin that http has too
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
    )
    CSRFProtect(flask_app)
    flask_app.session_interface = CookieSessions(flask_app, connect_redis(settings.redis_url))
    flask_app.extensions["live_sessions"] = Memory("sessions", sessions.alive, REMEMBERED_SECONDS)
    passwords.init_app(flask_app)


def current() -> SignedIn | None:
    """Who is signed in with this request's cookie. Raises Refusal `busy` while nobody can tell."""
    session_id = held_id("auth_session")
    return None if session_id is None else _live_sessions().recall(session_id)


def browser_hash() -> bytes:
    """What a code is bound to: the hash of a random value that only this browser's session holds."""
    if "browser" not in session:
        session["browser"] = secrets.token_urlsafe(32)
    return hashlib.sha256(session["browser"].encode()).digest()


def begin(user_id: int, organisation_id: int, *, is_proven: bool = True) -> uuid.UUID:
    """Sign this browser in, under a new session id and a new CSRF token. The caller commits.

    A session that it was signed in with before ends. is_proven: was it shown just now who it is? Else the new session
    is as proven as the one that it goes on from. Returns the new one's id.
    """
    opened = session.get("invitation")
    before = held_id("auth_session")
    end()
    if opened is not None:  # the hash of a link's token: it opens nothing for another address
        session["invitation"] = opened
    begun = sessions.add(
        user_id, organisation_id, user_agent(), address(), goes_on_from=None if is_proven else before
    )
    session["auth_session"] = str(begun)
    audit.record(Action.SIGNED_IN, "user", user_id, organisation_id=organisation_id, user_id=user_id)
    return begun


def end() -> None:
    """Sign this browser out, here and in every process. The caller commits."""
    if (session_id := held_id("auth_session")) is not None:
        sessions.revoke(session_id)
        _live_sessions().forget(session_id)
    change_id()
    session.clear()
    g.pop("csrf_token", None)


def note_role(role: str) -> None:
    """Go on under a new session id where the role is another than before (OWASP ASVS 5.0 7.2.4)."""
    known = session.get("role")
    if known == role:
        return
    if known is not None:
        change_id()
    session["role"] = role


def held_id(name: str) -> uuid.UUID | None:
    """An id that the session holds under this name; None, too, where somebody else wrote into Redis."""
    try:
        return uuid.UUID(session.get(name, ""))
    except ValueError:
        return None


def change_id() -> None:
    """What the session holds goes on under a new id; the old one is dead at once."""
    current_app.session_interface.regenerate(session)  # type: ignore[attr-defined]


def _live_sessions() -> Memory[uuid.UUID, SignedIn | None]:
    return current_app.extensions["live_sessions"]


def user_agent() -> str:
    """What this request's browser calls itself."""
    return request.user_agent.string[:LONGEST_USER_AGENT]


def address() -> str | None:
    """Where this request comes from."""
    try:
        return str(ipaddress.ip_address(request.remote_addr or ""))
    except ValueError:  # a unix socket has none
        return None
