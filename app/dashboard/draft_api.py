"""A plan's draft over JSON: look, change by small operations, take back, preview, publish, discard.

`revision` is what an editor last saw of it. Every change names it; where somebody else was quicker the answer is 409
`plan_changed` with who, when and what, and nothing is changed.
"""

from typing import Any

import orjson
from flask import Blueprint, Response, request

from app.auth.require import Permission, require
from app.dashboard.api import the_app
from app.dashboard.json import json_body, json_response
from app.dashboard.plan_api import by, invalid
from app.dashboard.plan_taking import number
from app.errors import Refusal
from app.extensions import db
from app.plans import content as contents
from app.plans import drafting, publishing, trying
from app.store import audit, drafts
from app.store.apps import AppRef
from app.store.audit import Action
from app.store.drafts import Draft
from app.validation.problems import PlanInvalid

blueprint = Blueprint("draft_api", __name__, url_prefix="/api/apps/<app_id>/plan/draft")


@blueprint.get("")
@require(Permission.READ)
def show_draft(app_id: str) -> Response:
    """The draft with its content; without one, the content that a first change would go on from."""
    opened = drafting.open_(the_app(app_id))
    content = opened.draft.content or contents.as_text(opened.content)
    return json_response(described(opened.draft) | {"content": orjson.Fragment(content)})


@blueprint.post("")
@require(Permission.EDIT_PLAN)
def change_draft(app_id: str) -> Response:
    """Do `{"revision", "operations": […]}`, all or none, in their order. The first change begins the draft.

    With `"dry_run": true` nothing is kept: the answer is what it would be, or the problems.
    """
    app = the_app(app_id)
    body = json_body()
    revision, operations, is_trial = seen(body), body.get("operations"), body.get("dry_run", False)
    if not isinstance(operations, list) or not operations:
        raise Refusal("bad_field", "`operations` is a list of at least one.", 422)
    if not isinstance(is_trial, bool):
        raise Refusal("bad_field", "`dry_run` is true or false.", 422)
    try:
        if is_trial:
            drafting.rehearse(app, revision, operations)
        else:
            drafting.edit(app, revision, operations, by())
    except PlanInvalid as bad:
        raise invalid(bad.problems) from bad
    return changed(app)


@blueprint.post("/try")
@require(Permission.READ)
def try_event(app_id: str) -> Response:
    """What the draft (without one: the version in force) says of `{"event": {…}}`, explained; nothing is kept."""
    app = the_app(app_id)
    return json_response(trying.judged(app, json_body().get("event")))


@blueprint.post("/undo")
@require(Permission.EDIT_PLAN)
def undo(app_id: str) -> Response:
    """Take back the last change of `{"revision"}` that was not taken back yet."""
    app = the_app(app_id)
    drafting.take_back(app, seen(json_body()), by())
    return changed(app)


@blueprint.delete("")
@require(Permission.EDIT_PLAN)
def discard_draft(app_id: str) -> Response:
    """Forget the draft of `?revision=`."""
    app = the_app(app_id)
    drafting.discard(app, seen(request.args))
    audit.record(Action.PLAN_CHANGED, "plan", app.slug, draft="discarded")
    return changed(app)


@blueprint.get("/preview")
@require(Permission.READ)
def preview(app_id: str) -> Response:
    """What publishing the draft would change, in words, breaking changes first, and what of it would be refused."""
    app = the_app(app_id)
    told = drafting.preview(app)
    return json_response(described(drafts.about(app)) | told)


@blueprint.post("/publish")
@require(Permission.EDIT_PLAN)
def publish_draft(app_id: str) -> Response:
    """Make the draft the next version: `{"revision", "note"?, "overwrite"?}`.

    Where another version came into force after the draft was begun, it is 409 unless `overwrite` is true.
    """
    app = the_app(app_id)
    body = json_body()
    overwrite = body.get("overwrite", False)
    if not isinstance(overwrite, bool):
        raise Refusal("bad_field", "`overwrite` is true or false.", 422)
    note = publishing.checked_note(body.get("note", ""))
    try:
        version = drafting.publish(app, seen(body), by(), note, overwrite=overwrite)
    except PlanInvalid as bad:
        raise invalid(bad.problems) from bad
    audit.record(Action.PLAN_PUBLISHED, "plan", app.slug, version=version, note=note)
    db.session.commit()
    return json_response({"plan_version": version})


def seen(members: Any) -> int:
    """The revision that the asker saw. Raises Refusal `bad_field`."""
    revision = number(members, "revision")
    if revision is None:
        raise Refusal("bad_field", "`revision` says which draft you saw: GET it first.", 422)
    return revision


def changed(app: AppRef) -> Response:
    """Commit, and tell what is there now."""
    db.session.commit()
    return json_response(described(drafts.about(app)))


def described(draft: Draft) -> dict[str, Any]:
    """A draft without its content."""
    shape: dict[str, Any] = {
        "exists": draft.exists,
        "revision": draft.revision,
        "current_version": draft.current_version,
        "changed_by": draft.author,
        "changed_at": draft.changed_at,
    }
    if not draft.exists:
        return shape
    about = {"base_version": draft.base_version, "events": draft.events, "rules": draft.rules}
    return shape | about | {"source_format": draft.source_format}
