"""The history: every stored event by time, with filters that live in the address."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.auth.require import Permission, require
from app.dashboard import api, pages
from app.dashboard.assets import embedded
from app.store import deletions
from app.validation.model import Verdict, ViolationKind

blueprint = Blueprint("history", __name__)


@blueprint.get("/apps/<app_id>/history")
@require(Permission.READ)
def show(app_id: str) -> ResponseReturnValue:
    """The filters and an empty list; the page's script asks for the events. Raises Refusal `bad_filter`."""
    frame, app = pages.shell_of(app_id)
    return render_template(
        "dashboard/history.html",
        shell=frame,
        asked=api.asked_filters(),
        verdicts=list(Verdict),
        kinds=list(ViolationKind),
        deletions=deletions.of_app(app.organisation_id, app.id),
        page_data=embedded(pages.addresses(app_id)),
    )


@blueprint.post("/apps/<app_id>/events/<event_id>/delete")
@require(Permission.MANAGE)
def delete(app_id: str, event_id: str) -> ResponseReturnValue:
    """Delete one event, and back to the others."""
    api.remove_event(api.the_app(app_id), event_id)
    return redirect(url_for("history.show", app_id=app_id), 303)
