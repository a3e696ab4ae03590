"""A mail each day or week of what is new or has come back: only for members who asked, only if there is something.

By the clock each digest that is due is held by its row, moved on, and its mail's job written in the same transaction:
so there is one mail, however many look.
"""

from datetime import datetime
from itertools import islice
from typing import Any, Final
from urllib.parse import urljoin

from flask import Flask

from app.auth import mail, notices
from app.dashboard import insight, insight_pages
from app.extensions import db, settings
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job
from app.store import apps, digests, members, tenancy, users, violations
from app.store.apps import AppRef
from app.store.digests import Period
from app.store.outbox import Claim
from app.store.spans import DAY, QUARTER, Range, floor
from app.store.summary import Scope
from app.store.violations import Group

CHOICES: Final = {"day": "Every day", "week": "Every week"}
LOOK_EVERY_SECONDS: Final = 600
MOST_TOLD: Final = 20  # of each kind, in a mail
MOST_REMEMBERED: Final = 1_000  # regressed groups that a digest has told of


def send(_claim: Claim) -> None:
    """Write the mails that are due, each in a transaction of its own."""
    due = digests.due()
    db.session.commit()
    for one in due:
        with tenancy.inside(one.organisation_id):
            app = apps.find(one.organisation_id, one.app_slug)
            if app is not None:
                _tell(app, one.user_id)
            db.session.commit()


def _tell(app: AppRef, user_id: int) -> None:
    period = digests.take(app, user_id)
    if period is None:
        return
    found = _groups(app, period.since)
    new = [str(group.fingerprint) for group in found if _is_new(group, period)]
    back = {str(group.fingerprint): _resolved(group) for group in found if group.state == "regressed"}
    again = [fingerprint for fingerprint, when in back.items() if period.told.get(fingerprint) != when]
    told = {**{known: when for known, when in period.told.items() if known not in back}, **back}
    newest = dict(islice(told.items(), max(0, len(told) - MOST_REMEMBERED), None))
    digests.move(app, user_id, period, newest)
    if new or again:
        ids = {
            "user": user_id,
            "app": app.slug,
            "since": period.since.isoformat(),
            "new": new,
            "again": again,
        }
        outbox.add(db.session, MAIL_DIGEST, ids, app.organisation_id)


def _is_new(group: Group, period: Period) -> bool:
    first = group.first_at
    return group.state == "open" and first is not None and period.since < first <= period.until


def _resolved(group: Group) -> str:
    return group.decision.resolved_at.isoformat() if group.decision.resolved_at else ""


def _groups(app: AppRef, since: datetime) -> list[Group]:
    scope = Scope(app.organisation_id, (app.id,), Range(floor(since, QUARTER)))
    return violations.groups(scope, DAY)


def mail_digest(claim: Claim) -> None:
    """Write one digest down and mail it, unless its reader has left."""
    given = claim.arguments
    app = apps.find(claim.organisation_id or 0, given["app"])
    email = users.address_of(given["user"])
    is_member = members.belongs(claim.organisation_id or 0, given["user"])
    if app is None or email is None or not is_member:
        return
    groups = {str(group.fingerprint): group for group in _groups(app, datetime.fromisoformat(given["since"]))}
    db.session.commit()
    parts = {kind: [groups[one] for one in given[kind] if one in groups] for kind in ("new", "again")}
    mail.send(
        claim,
        email,
        "What is new in your events",
        "digest",
        app=notices.said(app.name),
        parts={kind: [_in_words(group) for group in part[:MOST_TOLD]] for kind, part in parts.items()},
        more={kind: max(0, len(part) - MOST_TOLD) for kind, part in parts.items()},
        digests_url=urljoin(settings().public_url, "/digests"),
        dashboard_url=urljoin(settings().public_url, "/dashboard"),
    )


def _in_words(group: Group) -> dict[str, Any]:
    says = insight_pages.explain(insight.Issue(group, None, []))
    named = {"event": group.event_name, "path": group.path, "says": says}
    return {name: notices.said(text) for name, text in named.items()} | {"count": f"{group.count:,}"}


MAIL_DIGEST: Final = Job("mail_digest", Queue.HIGH, mail_digest, timeout_seconds=25, attempts=20)
SEND_DIGESTS: Final = Job(
    "send_digests", Queue.LOW, send, timeout_seconds=300, every_seconds=LOOK_EVERY_SECONDS
)


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, MAIL_DIGEST, SEND_DIGESTS)
