"""What was refused of late, and why: a page and the same as JSON, so that a sender's mistake can be found."""

from dataclasses import asdict

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from app.auth.require import Permission, require
from app.dashboard import api, pages
from app.dashboard.json import json_response
from app.store import refused

blueprint = Blueprint("refused", __name__)


@blueprint.get("/apps/<app_id>/refused")
@require(Permission.READ)
def show(app_id: str) -> ResponseReturnValue:
    frame, app = pages.shell_of(app_id)
    return render_template(
        "dashboard/refused.html",
        shell=frame,
        counts=refused.counts(app.organisation_id, app.id),
        samples=refused.of(app.organisation_id, app.id),
        days=refused.KEPT_DAYS,
    )


@blueprint.get("/api/apps/<app_id>/refused")
@require(Permission.READ)
def list_refused(app_id: str) -> Response:
    """How many requests and events were refused in a week for which reason, and the latest ten samples of each."""
    app = api.the_app(app_id)
    samples = [asdict(sample) for sample in refused.of(app.organisation_id, app.id)]
    return json_response({"counts": refused.counts(app.organisation_id, app.id), "samples": samples})
