"""Where a member says how often to be mailed what is new, and stops it."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth.require import Permission, require
from app.dashboard.api import the_app
from app.dashboard.pages import shell
from app.dashboard.reports.digest import CHOICES
from app.errors import Refusal
from app.extensions import db
from app.store import digests

blueprint = Blueprint("digests", __name__)


@blueprint.get("/digests")
@require(Permission.READ)
def show() -> ResponseReturnValue:
    """All that one is mailed of in this organisation; the mails lead here."""
    mine = digests.of_user(g.actor.organisation_id, g.actor.user_id)
    return render_template("dashboard/digests.html", shell=shell(), mine=mine, choices=CHOICES)


@blueprint.post("/apps/<app_id>/digest")
@require(Permission.READ)
def choose(app_id: str) -> ResponseReturnValue:
    """Be mailed each day, each week, or no more. Raises Refusal `bad_field`."""
    app, every = the_app(app_id), request.form.get("every", "")
    if every not in ("", *CHOICES):
        raise Refusal("bad_field", f"`every` is one of {', '.join(CHOICES)}, or empty.", 422)
    digests.choose(app, g.actor.user_id, every or None)
    db.session.commit()
    if request.form.get("from") == "digests":
        return redirect(url_for("digests.show"), 303)
    return redirect(url_for("reports.show", app_id=app_id) + "#digest-title", 303)
