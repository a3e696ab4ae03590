"""Reports too large to be an answer: asked for at the door, written piece by piece by a job, told of by mail."""

import time
from typing import Final
from urllib.parse import urljoin
from uuid import UUID

import uuid_utils
from flask import Flask

from app.auth import mail, notices
from app.dashboard.reports import results
from app.dashboard.reports.files import beginning, piece
from app.dashboard.reports.results import RESULTS
from app.errors import Refusal
from app.extensions import db, settings
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job, JobFailed, JobUnfinished
from app.store import apps, events, members, summary, users, written
from app.store.apps import AppRef
from app.store.filters import Filters
from app.store.outbox import Claim
from app.store.plans import By
from app.store.written import ReportRef

FORMATS: Final = ("csv", "ndjson")  # those of which a piece can follow another
MOST_UNFINISHED: Final = 2  # of an organisation
EVENTS_PER_PIECE: Final = 500
# Then another job has its turn, and the worker hears whether it is to stop.
TURN_SECONDS: Final = 5.0
MOST_BYTES: Final = 1_000_000_000
FORGET_EVERY_SECONDS: Final = 3600
# An address in a mail holds no run of digits, which only a code may.
LETTERS: Final = str.maketrans("0123456789", "ghijklmnop")
DIGITS: Final = str.maketrans("ghijklmnop", "0123456789")


def begin(app: AppRef, format_: str, filters: Filters, by: By) -> UUID:
    """Have the app's results written. The caller commits. Raises Refusal `unknown_format`, `too_many_reports`."""
    if format_ not in FORMATS:
        message = f"So many events are written as {' or '.join(FORMATS)}: a workbook of them opens nowhere."
        raise Refusal("unknown_format", message, 422)
    if written.unfinished(app.organisation_id) >= MOST_UNFINISHED:
        message = "Other reports of this organisation are being written. Ask again when they are done."
        raise Refusal("too_many_reports", message, 429, headers={"Retry-After": "30"})
    report_id = UUID(str(uuid_utils.uuid7()))
    total = _counted(app, filters)
    written.add(report_id, app, format_, filters.as_json(), total, by.user_id, by.key_id)
    arguments = {"report_id": str(report_id)}
    written.give_to(report_id, outbox.add(db.session, WRITE_REPORT, arguments, app.organisation_id))
    return report_id


def write(claim: Claim) -> None:
    """Write one report for one turn; what a worker that died has written stays. Raises JobUnfinished, JobFailed."""
    ends_at = time.monotonic() + TURN_SECONDS
    report, app = _asked_for(claim)
    while report is not None and app is not None and report.finished_at is None:
        if report.bytes_total > MOST_BYTES:
            raise JobFailed("report_too_large", may_retry=False)
        filters = Filters.of_json(report.filters)
        found = events.page(app.id, filters, EVENTS_PER_PIECE, report.reached, report.snapshot)
        content = beginning(report.format, RESULTS) if not report.chunks else b""
        content += piece(report.format, RESULTS, results.items(found.events))
        reached = found.looked_to
        done = report.total - _counted(app, filters, reached[0]) if reached else report.total
        if not written.add_piece(report, content, len(found.events), done, reached):
            db.session.rollback()  # another worker did this piece, or it is forgotten: the next turn will see
            raise JobUnfinished
        if reached is None:
            if report.user_id:
                whom = {"report_id": str(report.id), "user": report.user_id}
                outbox.add(db.session, MAIL_REPORT, whom, report.organisation_id)
            return
        db.session.commit()
        if time.monotonic() > ends_at:
            raise JobUnfinished
        report, app = _asked_for(claim)


def mail_report(claim: Claim) -> None:
    """Tell who asked for it where it is. Only a member who is signed in can open it."""
    report, app = _asked_for(claim)
    user_id = claim.arguments["user"]
    is_member = members.belongs(claim.organisation_id or 0, user_id)
    email = users.address_of(user_id)
    db.session.commit()
    if report is None or app is None or not is_member or email is None:
        return
    facts = {
        "app": notices.said(app.name),
        "count": f"{report.written:,}",
        "days": str(written.KEPT_DAYS),
        "report_url": urljoin(settings().public_url, f"/reports/{report.id.hex.translate(LETTERS)}"),
    }
    mail.send(claim, email, "Your report is ready", "report", **facts)


def forget(_claim: Claim) -> None:
    """Forget the reports that are old enough."""
    written.forget_old()


def id_of(word: str) -> UUID | None:
    """The report that a mail's address means."""
    digits = word.translate(DIGITS)
    is_id = len(digits) == 32 and all(letter in "0123456789abcdef" for letter in digits)
    return UUID(digits) if is_id else None


def _counted(app: AppRef, filters: Filters, until: object = None) -> int:
    """How many events must be looked through, by quarters of an hour; up to a place of the time, where it says so."""
    end = until or filters.received_to
    return sum(summary.counts(app, filters.received_from, end)["verdicts"].values())  # type: ignore[arg-type]


def _asked_for(claim: Claim) -> tuple[ReportRef | None, AppRef | None]:
    assert claim.organisation_id is not None, "a report has an owner"
    report = written.find(claim.organisation_id, UUID(claim.arguments["report_id"]))
    app = apps.find(claim.organisation_id, report.app_slug) if report else None
    return report, app


WRITE_REPORT: Final = Job("write_report", Queue.LOW, write, timeout_seconds=60, longest_pause_seconds=60)
MAIL_REPORT: Final = Job("mail_report", Queue.HIGH, mail_report, timeout_seconds=25, attempts=20)
FORGET_REPORTS: Final = Job(
    "forget_reports", Queue.LOW, forget, timeout_seconds=60, every_seconds=FORGET_EVERY_SECONDS
)


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, WRITE_REPORT, MAIL_REPORT, FORGET_REPORTS)
