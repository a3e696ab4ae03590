"""Mails about what happened to an account, so that its owner hears of what somebody else did.

The outbox row is written with the change; it names the person, the kind and the session, never an address.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Flask

from app.auth import browsers, mail
from app.auth.sessions import place
from app.extensions import db
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job
from app.store import sessions, users
from app.store.outbox import Claim


@dataclass(frozen=True, slots=True)
class Alert:
    """A kind of alert: its mail's subject, and what happened in a sentence or two."""

    subject: str
    happened: str


ALERTS = {
    "new_device": Alert(
        "New sign-in to your account",
        "Somebody, probably you, signed in to your account from a browser that is new here.",
    ),
    "password_changed": Alert(
        "Your password was changed",
        "The password of your account was changed. Wherever else you were signed in, you are signed out.",
    ),
    "authenticator_on": Alert(
        "Authenticator app added",
        "From now on signing in asks for a code of your authenticator app instead of a mailed one.",
    ),
    "authenticator_off": Alert(
        "Authenticator app removed",
        "From now on signing in asks for a mailed code again. The recovery codes open nothing any more.",
    ),
    "recovery_code_used": Alert(
        "A recovery code was used",
        "One of your recovery codes was used in place of your authenticator app. It works no more.",
    ),
    "passkey_added": Alert(
        "Passkey added", "A passkey was added to your account. It signs in without password and code."
    ),
    "passkey_removed": Alert(
        "Passkey removed", "A passkey of your account was removed. It signs in no more."
    ),
    "recovery_codes_renewed": Alert(
        "New recovery codes", "Your account has new recovery codes. The old ones open nothing any more."
    ),
}


def tell(user_id: int, kind: str, session_id: uuid.UUID | None = None) -> None:
    """Have the account's owner told; the caller commits. session_id: in which browser it happened."""
    arguments: dict[str, Any] = {"user": user_id, "alert": kind, "at": datetime.now(UTC).isoformat()}
    if session_id is not None:
        arguments["session"] = str(session_id)
    outbox.add(db.session, MAIL_ALERT, arguments)


def mail_alert(claim: Claim) -> None:
    """Mail one alert."""
    alert, at = ALERTS[claim.arguments["alert"]], datetime.fromisoformat(claim.arguments["at"])
    to = users.address_of(claim.arguments["user"])
    seen = sessions.seen_from(uuid.UUID(claim.arguments["session"])) if "session" in claim.arguments else None
    db.session.commit()
    if to is None:
        return  # the account is gone, and its address with it
    where = _in_words(*seen) if seen else ""
    facts = {"happened": alert.happened, "where": where, "at": at.strftime("%d %B %Y, %H:%M UTC")}
    mail.send(claim, to, alert.subject, "alert", **facts)


def _in_words(user_agent: str, network: str | None) -> str:
    return f"{browsers.described(user_agent)}, from {place(network)}"


MAIL_ALERT = Job("mail_alert", Queue.CRITICAL, mail_alert, timeout_seconds=25, attempts=20)


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, MAIL_ALERT)
