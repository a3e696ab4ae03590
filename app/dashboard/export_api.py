"""A plan as a file to take away, and what the file cannot hold."""

from flask import Blueprint, Response

from app.auth.require import Permission, require
from app.dashboard.api import one_of, the_app, whole_number
from app.dashboard.json import json_response
from app.errors import Refusal
from app.extensions import db
from app.plans import content as contents
from app.plans import exporting
from app.plans.aside import aside
from app.plans.exports.exported import TooLarge
from app.store import audit, plans
from app.store.audit import Action

blueprint = Blueprint("export_api", __name__, url_prefix="/api/apps/<app_id>/plan")

LOSS_HEADER = "X-Plan-Loss"


@blueprint.get("/export")
@require(Permission.READ)
def export_plan(app_id: str) -> Response:
    """The published plan, or `?version=`, as a file; with `report=true` what the file cannot hold, as JSON.

    The file's answer says in `X-Plan-Loss` how many things these are.
    """
    app = the_app(app_id)
    format_ = one_of("format", exporting.FORMATS)
    if format_ is None:
        raise Refusal("unknown_format", f"`format` is one of {', '.join(exporting.FORMATS)}.")
    wants_report = one_of("report", ("true", "false")) == "true"
    version = whole_number("version", app.plan_version or 0, 0, plans.LARGEST_VERSION)
    text = plans.find_content(app, version)
    if text is None:
        raise Refusal("unknown_version", "The app's plan has no such version.", 404)
    try:
        exported = aside(lambda: exporting.write(format_, contents.from_text(text)))
    except TooLarge as error:
        raise Refusal("too_large", str(error), 422) from error
    name = exporting.file_name(app.slug, version, format_)
    if wants_report:
        return json_response(
            {"format": format_, "plan_version": version, "file_name": name, "loss": exported.loss}
        )
    audit.record(Action.EXPORTED, "plan", app.slug, version=version, format=format_)
    db.session.commit()
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        LOSS_HEADER: str(len(exported.loss)),
        "Cache-Control": "private, no-store",
    }
    return Response(exported.body, content_type=exporting.FORMATS[format_].media_type, headers=headers)
