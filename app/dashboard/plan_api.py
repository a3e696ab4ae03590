"""Plans over JSON: import a file, publish it, and say what an event's fields should be."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, g, request

from app.auth.require import Permission, require
from app.dashboard.api import the_app
from app.dashboard.json import json_response
from app.errors import Refusal
from app.extensions import db
from app.plans import current, importing, publishing
from app.plans.aside import aside
from app.plans.reading import Reading
from app.store import audit
from app.store.apps import AppRef
from app.store.audit import Action
from app.validation.problems import Problem

blueprint = Blueprint("plan_api", __name__, url_prefix="/api/apps/<app_id>/plan")

MOST_BYTES = 5 * 1024 * 1024
MODES = ("replace", "merge")


@blueprint.post("/import")
@require(Permission.EDIT_PLAN)
def import_plan(app_id: str) -> Response:
    """Read the body as a plan; a new version, or the reasons why not and nothing changed."""
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
    """Make a version of the app's plan from a file; commits.

    Raises Refusal `unknown_format`, `bad_mode`, and `plan_invalid` (422) with every problem in it.
    """
    if format_ not in importing.FORMATS:
        raise Refusal("unknown_format", f"`format` is one of {', '.join(importing.FORMATS)}.")
    if mode not in MODES:
        raise Refusal("bad_mode", "`mode` is replace or merge.")
    imported = aside(importing.read, format_, body, reading)
    if imported.problems:
        raise invalid(imported.problems)
    version = publishing.publish(
        app, imported, source_format=format_, mode=mode, is_published=is_published, user_id=g.actor.user_id
    )
    audit.record(
        Action.PLAN_PUBLISHED if is_published else Action.PLAN_CHANGED, "plan", app.slug, version=version
    )
    db.session.commit()
    return {
        "plan_version": version,
        "rules": imported.rules,
        "events": imported.events,
        "problems": [],
        "warnings": [warning.as_json() for warning in imported.warnings],
        "loss": list(imported.loss),
    }


def invalid(problems: Sequence[Problem]) -> Refusal:
    """422 with every problem, by line where the file has lines."""
    message = "The plan has problems; nothing was changed. Mend them and import it again."
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
