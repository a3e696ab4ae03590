"""What members are told of by mail: something about their own membership, or about the organisation.

Who is told is decided by a job, so that a change costs its request one row however many members there are. Arguments
are ids; names are looked up when the mail is written.
"""

import enum
from typing import Any

from flask import Flask, g

from app.auth import mail
from app.extensions import db
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job
from app.store import members, organisations, users
from app.store.outbox import Claim
from app.store.tables import Role

EVERYBODY = frozenset(Role)


class Notice(enum.StrEnum):
    """What happened."""

    ROLE_CHANGED = "role_changed"
    REMOVED = "removed"
    OWNERSHIP = "ownership"
    CLOSED = "closed"
    REOPENED = "reopened"


MEMBERSHIP, ORGANISATION = "membership", "organisation"
# The subject, and the template that says the rest.
WORDS = {
    Notice.ROLE_CHANGED: ("Your role was changed", MEMBERSHIP),
    Notice.REMOVED: ("You were removed from an organisation", MEMBERSHIP),
    Notice.OWNERSHIP: ("You own an organisation now", MEMBERSHIP),
    Notice.CLOSED: ("An organisation is to be deleted", ORGANISATION),
    Notice.REOPENED: ("An organisation stays after all", ORGANISATION),
}


def tell(user_id: int, notice: Notice, **facts: Any) -> None:
    """Tell one person, unless it is who did it. The caller commits."""
    if user_id != g.actor.user_id:
        arguments = {"user": user_id, "notice": notice.value, **facts}
        outbox.add(db.session, MAIL_NOTICE, arguments, g.actor.organisation_id)


def tell_members(notice: Notice, roles: frozenset[Role] = EVERYBODY, **facts: Any) -> None:
    """Tell all members of these roles; who did it, too, and who may know that it was not them. The caller commits."""
    arguments = {"notice": notice.value, "roles": sorted(roles), **facts}
    outbox.add(db.session, SPREAD_NOTICE, arguments, g.actor.organisation_id)


def spread(claim: Claim) -> None:
    """A mail for each of them, in one transaction with "done": so each gets it once."""
    facts = dict(claim.arguments)
    roles = {Role(name) for name in facts.pop("roles")}
    for member in members.of(claim.organisation_id or 0):
        if member.role in roles:
            outbox.add(db.session, MAIL_NOTICE, {**facts, "user": member.user_id}, claim.organisation_id)


def mail_notice(claim: Claim) -> None:
    """Write to one of them."""
    email = users.address_of(claim.arguments["user"])
    place = organisations.place_of(claim.organisation_id or 0)
    notice = Notice(claim.arguments["notice"])
    db.session.commit()
    if email is None:
        return
    if notice is Notice.CLOSED and place.deletes_at is None:
        return  # reopened meanwhile
    subject, template = WORDS[notice]
    facts = {"organisation": place.name, "notice": notice.value, "role": claim.arguments.get("role", "")}
    day = f"{place.deletes_at:%Y-%m-%d}" if place.deletes_at else ""
    mail.send(claim, email, subject, template, day=day, **facts)


MAIL_NOTICE = Job("mail_notice", Queue.CRITICAL, mail_notice, timeout_seconds=25, attempts=20)
SPREAD_NOTICE = Job("spread_notice", Queue.CRITICAL, spread, timeout_seconds=25, attempts=20)


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, MAIL_NOTICE, SPREAD_NOTICE)
