"""What the section on sessions of one's own page does."""

import uuid

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from app.auth import sessions
from app.auth.require import Permission, require

blueprint = Blueprint("sessions", __name__, url_prefix="/account/sessions")


@blueprint.post("/<uuid:session_id>/end")
@require(Permission.READ)
def end(session_id: uuid.UUID) -> ResponseReturnValue:
    """End one of one's own sessions; somebody else's is as unknown as one that never was."""
    sessions.end(session_id)
    return redirect(url_for("account.show", _anchor="sessions-title"), 303)


@blueprint.post("/end-others")
@require(Permission.READ)
def end_others() -> ResponseReturnValue:
    """End all of one's own sessions but this one."""
    sessions.end_others()
    return redirect(url_for("account.show", _anchor="sessions-title"), 303)
