"""A plan's versions over JSON: list them, tell in words what changed between two, and go back to one."""

from typing import Any

from flask import Blueprint, Response, request

from app.auth.require import Permission, require
from app.dashboard.api import the_app
from app.dashboard.json import json_body, json_response
from app.dashboard.plan_api import by
from app.dashboard.plan_taking import number
from app.errors import Refusal
from app.extensions import db
from app.plans import content as contents
from app.plans import diff, publishing, words
from app.plans.aside import aside
from app.plans.content import Content
from app.store import audit, plans
from app.store.apps import AppRef
from app.store.audit import Action

blueprint = Blueprint("version_api", __name__, url_prefix="/api/apps/<app_id>/plan/versions")

MOST_VERSIONS = 100
MOST_DIGITS = 9


@blueprint.get("")
@require(Permission.READ)
def list_versions(app_id: str) -> Response:
    """The newest versions, newest first, with the number of the one in force."""
    app = the_app(app_id)
    listed = plans.versions(app, MOST_VERSIONS)
    return json_response({"current": app.plan_version, "versions": listed})


@blueprint.get("/<int:version>/changes")
@require(Permission.READ)
def show_changes(app_id: str, version: int) -> Response:
    """What changed from the version `?since=` (else the one before) to this one, in words, breaking ones first."""
    app = the_app(app_id)
    new = needed(app, version)
    since = request.args.get("since", str(version - 1))
    if not since.isascii() or not since.isdecimal() or len(since) > MOST_DIGITS:
        raise Refusal("bad_filter", "`since` is a version's number, or 0 for an empty plan.")
    old = needed(app, int(since)) if int(since) else None
    found = aside(diff.changes, old, new)
    return json_response(
        {
            "since": int(since),
            "version": version,
            "counts": diff.counts(found),
            "changes": [words.as_json(change) for change in found],
        }
    )


@blueprint.post("/<int:version>/revert")
@require(Permission.EDIT_PLAN)
def revert(app_id: str, version: int) -> Response:
    """Publish what a version holds as the next version: history only grows. `{"note"?, "version"?}`.

    `version` names the one in force that was seen: where it is another by now, it is 409 `plan_changed`.
    """
    app = the_app(app_id)
    body = json_body() if request.content_length else {}
    note = publishing.checked_note(body.get("note", ""))
    made = publishing.revert(app, version, by(), note, number(body, "version"))
    audit.record(Action.PLAN_PUBLISHED, "plan", app.slug, version=made, reverted_to=version)
    db.session.commit()
    answer: dict[str, Any] = {"plan_version": made, "reverted_to": version}
    return json_response(answer)


def needed(app: AppRef, version: int) -> Content:
    """A version's content. Raises Refusal `unknown_version`."""
    text = plans.find_content(app, version)
    if text is None:
        raise publishing.unknown_version()
    return contents.from_text(text)
