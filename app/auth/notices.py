"""What members are told of by mail: something about their own membership, or about the organisation.

Who is told is decided by a job, so that a change costs its request one row however many members there are. Arguments
are ids; names are looked up when the mail is written.
"""

import enum
import re
from typing import Any

from flask import Flask, g

from app.auth import mail
from app.extensions import db
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job
from app.store import keys, members, organisations, tenancy, users
from app.store.outbox import Claim
from app.store.tables import Role

EVERYBODY = frozenset(Role)
ADMINS = frozenset({Role.OWNER, Role.ADMIN})
# Six digits in a row are a code's alone, in every mail; and a name may be all digits.
LIKE_A_CODE = re.compile(r"\d{6,}")


class Notice(enum.StrEnum):
    """What happened."""

    ROLE_CHANGED = "role_changed"
    REMOVED = "removed"
    OWNERSHIP = "ownership"
    JOINED = "joined"
    GONE = "gone"
    KEY_MADE = "key_made"
    KEY_REVOKED = "key_revoked"
    CLOSED = "closed"
    REOPENED = "reopened"
    QUOTA = "quota"


# The subject, and the template that says the rest.
WORDS = {
    Notice.ROLE_CHANGED: ("Your role was changed", "membership"),
    Notice.REMOVED: ("You were removed from an organisation", "membership"),
    Notice.OWNERSHIP: ("You own an organisation now", "membership"),
    Notice.JOINED: ("Somebody joined your organisation", "members"),
    Notice.GONE: ("Somebody left your organisation", "members"),
    Notice.KEY_MADE: ("A key was made", "key"),
    Notice.KEY_REVOKED: ("A key was revoked", "key"),
    Notice.CLOSED: ("An organisation is to be deleted", "organisation"),
    Notice.REOPENED: ("An organisation stays after all", "organisation"),
    Notice.QUOTA: ("Your quota is nearly used up", "quota"),
}


def tell(user_id: int, notice: Notice, **facts: Any) -> None:
    """Tell one person, unless it is who did it. The caller commits."""
    if user_id != g.actor.user_id:
        arguments = {"user": user_id, "notice": notice.value, **facts}
        outbox.add(db.session, MAIL_NOTICE, arguments, g.actor.organisation_id)


def tell_members(
    notice: Notice, roles: frozenset[Role] = EVERYBODY, organisation_id: int | None = None, **facts: Any
) -> None:
    """Tell all members of these roles; who did it, too, and who may know that it was not them. The caller commits.

    organisation_id: where it is not the actor's.
    """
    owner = organisation_id or g.actor.organisation_id
    by = {"by_user": g.actor.user_id} if g.actor.user_id else {"by_key": g.actor.key_id}
    arguments = {"notice": notice.value, "roles": sorted(roles), **by, **facts}
    with tenancy.inside(owner):
        outbox.add(db.session, SPREAD_NOTICE, arguments, owner)


def tell_of_key(notice: Notice, kind: str, key_id: int) -> None:
    """Tell owners and admins of a key (`write_key` or `api_key`); by its name, never by a part of it."""
    tell_members(notice, ADMINS, kind=kind, key=key_id)


def spread(claim: Claim) -> None:
    """A mail for each of them, in one transaction with "done": so each gets it once."""
    facts = dict(claim.arguments)
    roles = {Role(name) for name in facts.pop("roles")}
    for member in members.of(claim.organisation_id or 0):
        if member.role in roles and member.user_id != facts.get("about"):
            outbox.add(db.session, MAIL_NOTICE, {**facts, "user": member.user_id}, claim.organisation_id)


def mail_notice(claim: Claim) -> None:
    """Write to one of them."""
    given = claim.arguments
    email = users.address_of(given["user"])
    notice = Notice(given["notice"])
    place = organisations.place_of(claim.organisation_id or 0)
    facts = {"organisation": place.name, "role": given.get("role", ""), **_looked_up(claim)}
    db.session.commit()
    if email is None or (notice is Notice.CLOSED and place.deletes_at is None):
        return  # gone, or reopened meanwhile
    subject, template = WORDS[notice]
    day = f"{place.deletes_at:%Y-%m-%d}" if place.deletes_at else ""
    shown = {name: said(text) for name, text in facts.items()}
    mail.send(claim, email, subject, template, notice=notice.value, day=day, **shown)


def said(name: str) -> str:
    """A name as a mail may show it."""
    return LIKE_A_CODE.sub("…", name)


def _looked_up(claim: Claim) -> dict[str, str]:
    """The names behind the ids: who did it, about whom it is, and which key."""
    given, organisation_id = claim.arguments, claim.organisation_id or 0
    facts = {"by": "", "whom": "", "kind": "", "key": "", "app": "", "percent": str(given.get("percent", ""))}
    if user_id := given.get("by_user"):
        facts["by"] = users.address_of(user_id) or "somebody whose account is gone"
    elif key_id := given.get("by_key"):
        name, _ = keys.label_of(organisation_id, "api_key", key_id)
        facts["by"] = f"the API key “{name}”" if name else "an API key without a name"
    if user_id := given.get("about"):
        facts["whom"] = users.address_of(user_id) or "somebody whose account is gone"
    if key_id := given.get("key"):
        name, app = keys.label_of(organisation_id, given["kind"], key_id)
        facts |= {"kind": given["kind"].replace("_", " ").replace("api", "API"), "key": name, "app": app}
    return facts


MAIL_NOTICE = Job("mail_notice", Queue.CRITICAL, mail_notice, timeout_seconds=25, attempts=20)
SPREAD_NOTICE = Job("spread_notice", Queue.CRITICAL, spread, timeout_seconds=25, attempts=20)


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, MAIL_NOTICE, SPREAD_NOTICE)
