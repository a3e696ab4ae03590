"""My sessions: where I am signed in, and how I end that from here."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from flask import g

from app.auth import browsers
from app.errors import Refusal
from app.extensions import db
from app.store import audit, sessions
from app.store.audit import Action

# What PostgreSQL makes of 127.0.0.1 and ::1.
LOOPBACK = ("127.0.0.0/24", "::/48")


@dataclass(frozen=True, slots=True)
class Mine:
    """One of my sessions, as I can recognise it. `is_this`: the one that asks."""

    id: uuid.UUID
    browser: str
    place: str
    organisation: str
    began_at: datetime
    seen_at: datetime
    is_this: bool


def mine() -> list[Mine]:
    """All live ones in all my organisations; this one first, then the last used."""
    found = [
        Mine(
            one.id,
            browsers.described(one.user_agent),
            place(one.network),
            one.organisation,
            one.created_at,
            one.last_seen_at,
            one.id == g.actor.session_id,
        )
        for one in sessions.of_user(g.actor.user_id)
    ]
    return sorted(found, key=lambda one: not one.is_this)


def end(session_id: uuid.UUID) -> None:
    """End one of mine, and its open streams within a second; commits. Raises Refusal `unknown_session` (404)."""
    if not sessions.end(g.actor.user_id, session_id):
        raise Refusal("unknown_session", "This session has ended already.", 404)
    audit.record(Action.SIGNED_OUT, "session", session_id)
    db.session.commit()


def end_others() -> None:
    """End all of mine but the one that asks; commits."""
    ended = sessions.end_others(g.actor.user_id, keep=g.actor.session_id)
    audit.record(Action.SIGNED_OUT, "session", "all others", sessions=ended)
    db.session.commit()


def place(network: str | None) -> str:
    """Where that is, in words for its owner."""
    return "this machine" if network in LOOPBACK else network or "an unknown network"
