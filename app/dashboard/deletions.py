"""Deleting events by filter: asked for by a person or a key, done by a job once the time to undo it is over."""

import time
from typing import Any, Final

from flask import Blueprint, Flask, Response, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.auth.require import Permission, require
from app.dashboard import api
from app.dashboard.api import the_app
from app.dashboard.json import json_response
from app.errors import Refusal
from app.extensions import db
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job, JobUnfinished
from app.store import audit, deletions, written
from app.store.apps import AppRef
from app.store.audit import Action
from app.store.filters import Filters, veiled
from app.store.outbox import Claim
from app.store.tables import Deletion

blueprint = Blueprint("deletions", __name__)

GRACE_SECONDS = 300  # to undo what was asked for
WORK_SECONDS = 20  # then other jobs of the queue have their turn
LARGEST_ID = 2**63 - 1


def delete_events(claim: Claim) -> None:
    """Delete slice by slice, each in a transaction of its own: a long one would hold the live streams back."""
    ends_at = time.monotonic() + WORK_SECONDS
    assert claim.organisation_id is not None
    while step := deletions.step(claim.organisation_id, claim.arguments["deletion_id"]):
        g.app_id = step.deletion.app_id
        if step.is_over:
            written.forget_of_app(step.deletion.organisation_id, step.deletion.app_id)
            _write_down(Action.DELETED, step.deletion, deleted=step.deletion.deleted)
            step.deletion.filters = veiled(step.deletion.filters)  # what was erased is named nowhere any more
        db.session.commit()
        if time.monotonic() > ends_at:
            raise JobUnfinished


DELETE_EVENTS: Final = Job("delete_events", Queue.LOW, delete_events, timeout_seconds=60, attempts=20)


def _write_down(action: Action, deletion: Deletion, **details: Any) -> None:
    passing = " ".join(f"{name}={value}" for name, value in sorted(veiled(deletion.filters).items()))
    own = deletion.organisation_id
    audit.record(action, "events", deletion.id, organisation_id=own, filters=passing, **details)


@blueprint.post("/api/apps/<app_id>/deletions")
@require(Permission.MANAGE)
def ask(app_id: str) -> Response:
    """Delete what passes the filters, which stand in the query as for the list of events, and came until now.

    It begins after five minutes; until then DELETE takes it back. Without a filter say `all=true`.
    """
    return json_response(_shown(ask_for(the_app(app_id))), 202)


@blueprint.get("/api/apps/<app_id>/deletions")
@require(Permission.READ)
def list_deletions(app_id: str) -> Response:
    """Deletions to come, under way, and of the last hour."""
    app = the_app(app_id)
    return json_response(
        {"deletions": [_shown(one) for one in deletions.of_app(app.organisation_id, app.id)]}
    )


@blueprint.delete("/api/apps/<app_id>/deletions/<int:deletion_id>")
@require(Permission.MANAGE)
def undo(app_id: str, deletion_id: int) -> Response:
    """Take a deletion back before it begins."""
    take_back(the_app(app_id), deletion_id)
    return Response(status=204)


@blueprint.post("/apps/<app_id>/history/delete")
@require(Permission.MANAGE)
def ask_by_form(app_id: str) -> ResponseReturnValue:
    """The form on the history page; its address carries the filters."""
    ask_for(the_app(app_id))
    return redirect(url_for("history.show", app_id=app_id), 303)


@blueprint.post("/apps/<app_id>/history/delete/<int:deletion_id>/undo")
@require(Permission.MANAGE)
def undo_by_form(app_id: str, deletion_id: int) -> ResponseReturnValue:
    """The button beside a deletion to come."""
    take_back(the_app(app_id), deletion_id)
    return redirect(url_for("history.show", app_id=app_id), 303)


def ask_for(app: AppRef) -> Deletion:
    """Write the deletion and its job; commits. Raises Refusal `bad_filter`, `no_filter`."""
    filters = api.asked_filters()
    if filters == Filters() and request.args.get("all") != "true":
        raise Refusal(
            "no_filter", "This would delete every event of the app. Say `all=true` if you mean it.", 422
        )
    deletion = deletions.ask(app.organisation_id, app.id, filters, GRACE_SECONDS)
    outbox.add(
        db.session, DELETE_EVENTS, {"deletion_id": deletion.id}, app.organisation_id, deletion.starts_at
    )
    _write_down(Action.DELETION_BEGUN, deletion, app=app.slug)
    db.session.commit()
    return deletion


def take_back(app: AppRef, deletion_id: int) -> None:
    """Undo it; commits. Raises Refusal `unknown_deletion`, `too_late`."""
    known = deletions.find(app.organisation_id, app.id, deletion_id) if deletion_id <= LARGEST_ID else None
    if known is None:
        raise Refusal("unknown_deletion", "There is no such deletion in this app.", 404)
    if not deletions.undo(app.organisation_id, app.id, deletion_id):
        raise Refusal("too_late", "It has begun, or was taken back already.", 409)
    _write_down(Action.DELETION_UNDONE, known, app=app.slug)
    db.session.commit()


def _shown(deletion: Deletion) -> dict[str, Any]:
    return {
        "id": deletion.id,
        "filters": deletion.filters,
        "asked_at": deletion.asked_at,
        "starts_at": deletion.starts_at,
        "deleted": deletion.deleted,
        "reached_at": deletion.reached_at,  # what came later is done
        "finished_at": deletion.finished_at,
    }


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, DELETE_EVENTS)
