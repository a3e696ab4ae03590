"""Deleting an organisation: an owner closes it, may open it again while there is time, and then a job erases it.

Its members are told of each step. What is left is the audit log, which nobody but the operator can read any more.
"""

import time
from collections.abc import Iterator

from flask import Flask, g

from app.auth import mail, members, notices
from app.auth.notices import Notice
from app.errors import Refusal
from app.extensions import db, settings
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job, JobUnfinished
from app.store import audit, closing, erasing, organisations, tenancy, users
from app.store import members as kept
from app.store.audit import Action
from app.store.closing import Due
from app.store.outbox import Claim

ERASE_EVERY_SECONDS = 600
TURN_SECONDS = 20.0  # then the queue's next job has its turn
MEMBERS_PER_SLICE = 100


def close(typed_name: str) -> None:
    """Refuse its keys from now on, and delete it when the grace period is over; commits.

    Raises Refusal `wrong_name` (422), `already_closed` (409).
    """
    place = organisations.place_of(g.actor.organisation_id)
    if typed_name.strip() != place.name:
        raise Refusal("wrong_name", f"Type the name as it stands here to delete it: {place.name}", 422)
    deletes_at = closing.close(g.actor.organisation_id, settings().deletion_grace_days)
    if deletes_at is None:
        raise Refusal("already_closed", "It is to be deleted already.", 409)
    notices.tell_members(Notice.CLOSED)
    audit.record(Action.DELETION_BEGUN, "organisation", place.name, deletes_at=deletes_at)
    db.session.commit()


def reopen() -> None:
    """Have it back as it was; commits. Raises Refusal `not_closed` (409)."""
    if not closing.reopen(g.actor.organisation_id):
        raise Refusal("not_closed", "There is no deletion that could be undone.", 409)
    notices.tell_members(Notice.REOPENED)
    audit.record(Action.DELETION_UNDONE, "organisation")
    db.session.commit()


def erase(_claim: Claim) -> None:
    """Erase what is due, a slice per transaction; whoever is interrupted goes on where it was."""
    ends_at = time.monotonic() + TURN_SECONDS
    while (due := closing.due()) is not None:
        with tenancy.inside(due.organisation_id):
            for _ in _slices(due):
                db.session.commit()
                if time.monotonic() > ends_at:
                    raise JobUnfinished
            closing.forget(due.organisation_id)
            there = {"organisation_id": due.organisation_id}
            audit.record(Action.DELETED, "organisation", due.name, **there)
            db.session.commit()


def _slices(due: Due) -> Iterator[int]:
    """The people first, so that nobody is inside while things vanish."""
    while gone := _dismiss(due):
        yield gone
    yield from erasing.slices(due.organisation_id)


def _dismiss(due: Due) -> int:
    """End some memberships and have a last mail written to each; how many. Done once each: it is one transaction."""
    some = kept.of(due.organisation_id)[:MEMBERS_PER_SLICE]
    for member in some:
        members.take_away(due.organisation_id, member)
        outbox.add(db.session, MAIL_FAREWELL, {"user": member.user_id, "organisation": due.name})
    return len(some)


def mail_farewell(claim: Claim) -> None:
    """The organisation is gone, so the job belongs to nobody and carries its name."""
    email = users.address_of(claim.arguments["user"])
    db.session.commit()
    if email is not None:
        facts = {"organisation": notices.said(claim.arguments["organisation"]), "notice": "deleted"}
        mail.send(claim, email, "An organisation was deleted", "organisation", **facts)


MAIL_FAREWELL = Job("mail_farewell", Queue.CRITICAL, mail_farewell, timeout_seconds=25, attempts=20)
ERASE = Job("erase_organisations", Queue.LOW, erase, timeout_seconds=120, every_seconds=ERASE_EVERY_SECONDS)


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, MAIL_FAREWELL, ERASE)
