"""Plans over JSON: import a file, publish it, and say what an event's fields should be."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, g, request

from app.auth.require import Permission, require
from app.dashboard import import_api
from app.dashboard.api import the_app
from app.dashboard.json import json_response
from app.dashboard.plan_taking import asked_for, take, understood
from app.errors import Refusal
from app.extensions import db
from app.plans import current, importing
from app.plans.aside import aside
from app.plans.reading import Reading
from app.store.plans import By
from app.validation.problems import Problem

blueprint = Blueprint("plan_api", __name__, url_prefix="/api/apps/<app_id>/plan")


@blueprint.url_value_preprocessor
def expect_much(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """The general limit is for bodies that are held whole. Here, because it is checked before the view is reached."""
    if endpoint == "plan_api.import_plan":
        request.max_content_length = import_api.MOST_BYTES


@blueprint.post("/import")
@require(Permission.EDIT_PLAN)
def import_plan(app_id: str) -> Response:
    """Read the body as a plan: the next version (`publish=true`), else the draft; or why not, and nothing changed.

    Where there is a draft already, `revision` says which one is to be replaced. `version` names the one in force that
    was seen, so that nobody else's is replaced unseen. `dry_run=true` changes nothing and tells what would change. A
    large file is answered 202 once it is safe, and read by a worker.
    """
    app = the_app(app_id)
    if request.mimetype.startswith("multipart/"):
        raise Refusal("unsupported_media_type", "Send the file itself as the body, not a form.", 415)
    format_, asked = asked_for(request.args)
    body = import_api.small_body(format_)
    if body is None:
        return import_api.take_large(app, format_, asked)
    imported = aside(importing.read, format_, body, Reading(asked["sheet"]))
    if imported.problems:
        raise invalid(imported.problems, understood(imported))
    answer = take(app, format_, asked, imported, by())
    db.session.commit()
    return json_response(answer)


def by() -> By:
    """Who asks, as a plan remembers them."""
    return By(g.actor.user_id, g.actor.key_id)


def invalid(problems: Sequence[Problem], beside: Mapping[str, Any] | None = None) -> Refusal:
    """422 with every problem, by line where the file has lines; `beside`: what was understood all the same."""
    message = "The plan has problems; nothing was changed. Mend them and send it again."
    told = dict(beside or {}) | {"problems": [problem.as_json() for problem in problems]}
    return Refusal("plan_invalid", message, 422, members=told)


@blueprint.get("/expected")
@require(Permission.READ)
def show_expected(app_id: str) -> Response:
    """The fields that the published plan expects of one event, for the page that shows the event."""
    app = the_app(app_id)
    fields = current.expected(app, request.args.get("event", ""))
    return json_response({"plan_version": app.plan_version, "fields": fields})
