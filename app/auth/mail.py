"""The door's mails. A job makes the code, keeps its hash, and hands the mail to the server."""

import uuid
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any
from urllib.parse import urljoin, urlsplit

from flask import Flask, render_template

from app import metrics
from app.auth import codes
from app.config import Settings
from app.extensions import db, settings
from app.jobs import registry, smtp
from app.jobs.queues import Queue
from app.jobs.registry import Job
from app.store import brakes, challenges, devices, passkeys, reset_links, sessions
from app.store.outbox import Claim

# Where mails lead to.
PAGES = {
    "login": "/auth/login",
    "register": "/auth/register",
    "forgot": "/auth/forgot",
    "organisation": "/organisation",
    "audit": "/organisation/audit",
}
SUBJECT_OF = {
    "register": "Confirm your e-mail address",
    "login": "Your sign-in code",
    "proof": "Your code to confirm a change",
}


def mail_code(claim: Claim) -> None:
    """Mail the code of a challenge; to a registration's known address mail, without a code, that it is known.

    The code is made here and nowhere else, so that none is ever in a queue, a log or a request's memory.
    """
    challenge_id = uuid.UUID(claim.arguments["challenge"])
    to = challenges.addressee(challenge_id)
    if to is None:
        return  # used, superseded or too old: nobody waits for it
    if to.purpose == "register" and to.has_account:
        send(claim, to.email, "You already have an account", "already_registered")
        return
    code = codes.new()
    challenges.set_code(challenge_id, codes.hashed(settings().secret_key, challenge_id, code))
    db.session.commit()  # first: a mailed code must be one that we know
    send(claim, to.email, SUBJECT_OF[to.purpose], "code", code=code)


def prune(claim: Claim) -> None:
    """Forget what nobody can use any more."""
    for rows in (challenges, passkeys, reset_links, devices, brakes, sessions):
        rows.prune()


MAIL_CODE = Job(
    "mail_code",
    Queue.CRITICAL,
    mail_code,
    timeout_seconds=25,
    attempts=70,  # once a minute for the hour in which the challenge lives
    longest_pause_seconds=60,
)
PRUNE = Job("prune_sign_ins", Queue.LOW, prune, timeout_seconds=30, every_seconds=600)


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, MAIL_CODE, PRUNE)


def send(claim: Claim, to: str, subject: str, template: str, **facts: Any) -> None:
    chosen = settings()
    message = EmailMessage()
    message["From"] = chosen.mail_from
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = _message_id(claim.id, chosen)
    message["Auto-Submitted"] = "auto-generated"
    pages = {f"{name}_url": urljoin(chosen.public_url, path) for name, path in PAGES.items()}
    context = {**facts, **pages, "subject": subject}
    message.set_content(render_template(f"mail/{template}.txt", **context))
    message.add_alternative(render_template(f"mail/{template}.html", **context), subtype="html")
    message.set_boundary("text-and-html")  # the library's own are digits, and only a code may look like one
    smtp.send(message, to, chosen, repeated=claim.last_error == smtp.UNSURE)
    metrics.MAIL_SECONDS.observe((datetime.now(UTC) - claim.created_at).total_seconds())


def _message_id(outbox_id: int, chosen: Settings) -> str:
    """The same for every try, so that a repetition shows. In letters: only a code may look like one."""
    letters = str(outbox_id).translate(str.maketrans("0123456789", "abcdefghij"))
    return f"<outbox-{letters}@{urlsplit(chosen.public_url).hostname}>"
