"""The cookie of a known browser: somebody signed in there before, and perhaps needs no code for a month.

A cookie of its own, not the session's, because it outlives every session. Its value is random; PostgreSQL keeps the
hash. It changes at every sign-in and dies with the password.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from flask import Response, after_this_request, current_app, g, request

from app.auth import browsers, sessions
from app.errors import Refusal
from app.extensions import db, settings
from app.store import audit, devices
from app.store.audit import Action

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # what 32 random bytes look like; no other is worth a question
COOKIE_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Mine:
    """A browser of mine, as I can recognise it. `until`: no code is asked for there until then."""

    id: int
    browser: str
    place: str
    seen_at: datetime
    until: datetime | None
    is_this: bool


def of_account(email: str) -> int | None:
    """The account's own known browser that this request comes from."""
    token_hash = _presented()
    return devices.of_account(token_hash, email) if token_hash else None


def is_remembered(user_id: int) -> bool:
    """Did this person ask to be remembered in this browser? The answer holds until the transaction ends."""
    token_hash = _presented()
    return token_hash is not None and devices.is_remembered(token_hash, user_id)


def recognise(user_id: int, user_agent: str, address: str | None, *, remember: bool = False) -> bool:
    """Know this browser from now on, under a new token; was it known before? The caller commits.

    remember: ask for no code in it for 30 days, counted from now.
    """
    old, token = _presented(), secrets.token_urlsafe(32)
    facts = (_hashed(token), user_agent, address)
    known = devices.renew(user_id, old, *facts) if old else None
    device_id = devices.add(user_id, *facts) if known is None else known
    if remember:
        devices.remember(device_id)
    _hand_out(token)
    return known is not None


def mine() -> list[Mine]:
    """My known browsers, the last used first."""
    this = of_account(g.actor.email)
    return [
        Mine(
            one.id,
            browsers.described(one.user_agent),
            sessions.place(one.network),
            one.last_used_at,
            one.remembered_until,
            one.id == this,
        )
        for one in devices.of_user(g.actor.user_id)
    ]


def forget(device_id: int) -> None:
    """Ask for a code there again; commits. Sessions in it go on. Raises Refusal `unknown_device` (404)."""
    if not devices.forget(g.actor.user_id, device_id):
        raise Refusal("unknown_device", "This browser is forgotten already.", 404)
    audit.record(Action.ACCOUNT_CHANGED, "device", device_id, change="forgotten")
    db.session.commit()


def _presented() -> bytes | None:
    token = request.cookies.get(_cookie_name(), "")
    return _hashed(token) if TOKEN.fullmatch(token) else None


def _hand_out(token: str) -> None:
    is_secure = current_app.config["SESSION_COOKIE_SECURE"]

    @after_this_request
    def set_cookie(response: Response) -> Response:
        if response.status_code < 400:  # else nothing was committed, and the old token goes on
            response.set_cookie(
                _cookie_name(),
                token,
                max_age=COOKIE_SECONDS,
                path="/",
                secure=is_secure,
                httponly=True,
                samesite="Lax",
            )
        return response


def _cookie_name() -> str:
    return "__Host-device" if settings().is_https else "device"


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
