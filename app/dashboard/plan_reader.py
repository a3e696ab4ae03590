"""Reading a large plan file in a worker: parsed there, told how far it is, published or set aside as was asked.

All that it changes is one transaction with "done": a worker that is killed leaves nothing but the file, which another
reads from its beginning. Road not taken: slices that resume, as for events; a plan is all or nothing, and read in
seconds.
"""

import time
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from flask import Flask, g

from app.dashboard.plan_taking import take, understood
from app.errors import Refusal
from app.extensions import db, settings
from app.jobs import registry
from app.jobs.queues import Queue
from app.jobs.registry import Job, JobFailed
from app.plans import importing
from app.plans.imported import Imported
from app.plans.reading import Reading
from app.store import apps, plan_imports
from app.store.apps import AppRef
from app.store.outbox import Claim
from app.store.plan_imports import ImportRef
from app.store.plans import By

TELL_SECONDS: Final = 0.5
# Every bad line is told; a file of the largest size is no more than this.
MOST_PROBLEMS: Final = 100_000
# A file is 20 MB at most, and 100,000 rows are read in some seconds.
TIMEOUT_SECONDS: Final = 120


def read_plan(claim: Claim) -> None:
    """Read one file and do with its plan what was asked."""
    assert claim.organisation_id is not None, "a plan has an owner"
    found = plan_imports.find(claim.organisation_id, UUID(claim.arguments["import_id"]))
    if found is None or found.finished_at:  # forgotten with its app; or another worker was quicker
        return
    body = plan_imports.body(found.id)
    db.session.commit()  # no transaction stays open while the file is read
    asked = found.asked
    reading = Reading(asked.get("sheet"), _teller(found.id))
    imported = importing.read(found.format, body, reading, MOST_PROBLEMS)
    plan_imports.tell(found.id, "publishing", 0, 0)
    db.session.commit()
    if not plan_imports.lock(found.id):
        return
    app = apps.find(found.organisation_id, found.app_slug)
    if app is None:
        raise JobFailed("unknown_app", may_retry=False)
    g.app_id = app.id
    try:
        result = _taken(app, found, imported)
    except Refusal as refusal:  # somebody else changed the plan meanwhile
        db.session.rollback()
        if not plan_imports.lock(found.id):
            return
        result = {"code": refusal.code, "message": refusal.message}
    plan_imports.finish(found.id, result, result.pop("problems", []))


def _teller(import_id: UUID) -> Callable[[str, int, int], None]:
    """Says how far the file is, in short transactions, as often as somebody with a bar before their eyes can see."""
    told_at = 0.0

    def tell(stage: str, done: int, of: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= TELL_SECONDS:
            plan_imports.tell(import_id, stage, done, of)
            db.session.commit()
            told_at = time.monotonic()

    return tell


def _taken(app: AppRef, found: ImportRef, imported: Imported) -> dict[str, Any]:
    """What its sender would have been answered at once, were the file small. Raises Refusal `plan_changed`."""
    if imported.problems:
        refused = {"code": "plan_invalid", "message": "The plan has problems; nothing was changed."}
        return understood(imported) | refused | {"problem_count": len(imported.problems)}
    return take(app, found.format, dict(found.asked), imported, By(found.user_id, found.key_id))


def forget_imports(_claim: Claim) -> None:
    """Drop the files that were broken off, and what is known of those read long ago."""
    plan_imports.forget_old(settings().history_days)


READ_PLAN: Final = Job(
    "read_plan",
    Queue.NORMAL,
    read_plan,
    timeout_seconds=TIMEOUT_SECONDS,
    attempts=3,
    longest_pause_seconds=30,
)


def init_app(flask_app: Flask) -> None:
    registry.declare(
        flask_app,
        READ_PLAN,
        Job("forget_plan_imports", Queue.LOW, forget_imports, timeout_seconds=60, every_seconds=3600),
    )
