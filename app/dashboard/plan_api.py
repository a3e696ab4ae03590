"""Plans over JSON: import a file, publish it, and say what an event's fields should be."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, g, request

from app.auth.require import Permission, require
from app.dashboard.api import the_app
from app.dashboard.json import json_response
from app.errors import Refusal
from app.extensions import db
from app.plans import current, drafting, importing, publishing
from app.plans.aside import aside
from app.plans.publishing import MODES, Edition
from app.plans.reading import Reading
from app.store import audit
from app.store.apps import AppRef
from app.store.audit import Action
from app.store.plans import By
from app.validation.problems import Problem

blueprint = Blueprint("plan_api", __name__, url_prefix="/api/apps/<app_id>/plan")

MOST_DIGITS = 9  # of what a column of versions or revisions holds


@blueprint.post("/import")
@require(Permission.EDIT_PLAN)
def import_plan(app_id: str) -> Response:
    """Read the body as a plan: the next version (`publish=true`), else the draft; or why not, and nothing changed.

    Where there is a draft already, `revision` says which one is to be replaced. `version` names the one in force that
    was seen, so that nobody else's is replaced unseen.
    """
    app = the_app(app_id)
    is_published = request.args.get("publish", "false").lower()
    if is_published not in ("true", "false"):
        raise Refusal("bad_filter", "`publish` is true or false.")
    answer = take_plan(
        app,
        request.args.get("format", ""),
        request.get_data(),
        mode=request.args.get("mode", "replace"),
        is_published=is_published == "true",
        reading=Reading(request.args.get("sheet")),
    )
    return json_response(answer)


def take_plan(
    app: AppRef, format_: str, body: bytes, *, mode: str, is_published: bool, reading: Reading
) -> dict[str, Any]:
    """Make a version of the app's plan, or its draft, from a file; commits.

    Raises Refusal `unknown_format`, `bad_mode`, `plan_changed`, and `plan_invalid` (422) with every problem in it.
    """
    if format_ not in importing.FORMATS:
        raise Refusal("unknown_format", f"`format` is one of {', '.join(importing.FORMATS)}.")
    if mode not in MODES:
        raise Refusal("bad_mode", "`mode` is replace or merge.")
    note = publishing.checked_note(request.args.get("note", ""))
    seen, revision = number(request.args, "version"), number(request.args, "revision")
    imported = aside(importing.read, format_, body, reading)
    if imported.problems:
        raise invalid(imported.problems)
    edition = Edition(imported.content, format_, by(), mode, note, seen)
    if is_published:
        version, revision = publishing.publish(app, edition), None
        audit.record(Action.PLAN_PUBLISHED, "plan", app.slug, version=version, note=note)
    else:
        version, revision = None, drafting.replace(app, edition, revision)
        audit.record(Action.PLAN_CHANGED, "plan", app.slug, draft_revision=revision, format=format_)
    db.session.commit()
    return {
        "plan_version": version,
        "draft_revision": revision,
        "rules": imported.rules,
        "events": imported.events,
        "problems": [],
        "warnings": [warning.as_json() for warning in imported.warnings],
        "loss": list(imported.loss),
    }


def by() -> By:
    """Who asks, as a plan remembers them."""
    return By(g.actor.user_id, g.actor.key_id)


def number(members: Any, name: str) -> int | None:
    """A whole number from 0 among the members; None where it is not there. Raises Refusal `bad_field`."""
    given = members.get(name)
    if given is None:
        return None
    text = "" if isinstance(given, (bool, float)) else str(given)
    if not text.isascii() or not text.isdecimal() or len(text) > MOST_DIGITS:
        raise Refusal("bad_field", f"`{name}` is a whole number from 0.")
    return int(text)


def invalid(problems: Sequence[Problem]) -> Refusal:
    """422 with every problem, by line where the file has lines."""
    message = "The plan has problems; nothing was changed. Mend them and send it again."
    return Refusal(
        "plan_invalid", message, 422, members={"problems": [problem.as_json() for problem in problems]}
    )


@blueprint.get("/expected")
@require(Permission.READ)
def show_expected(app_id: str) -> Response:
    """The fields that the published plan expects of one event, for the page that shows the event."""
    app = the_app(app_id)
    fields = current.expected(app, request.args.get("event", ""))
    return json_response({"plan_version": app.plan_version, "fields": fields})
