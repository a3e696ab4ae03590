"""The section on passkeys of one's own page: making, naming and removing them."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import metrics
from app.auth import passkeys
from app.auth.proof import recently_proven
from app.auth.require import Permission, require
from app.dashboard import account
from app.dashboard.json import json_body
from app.dashboard.pages import shell
from app.errors import Refusal

blueprint = Blueprint("passkey_pages", __name__, url_prefix="/account/passkeys")


@blueprint.post("/new")
@require(Permission.READ)
@recently_proven
def begin() -> ResponseReturnValue:
    """The page on which the browser makes one, under the name that was typed."""
    name = request.form.get("name", "")
    try:
        options = passkeys.registration_options(name)
    except Refusal as refusal:
        g.reason = refusal.code
        metrics.REFUSALS.labels(refusal.code).inc()
        return account.page(refusal.status, error=refusal.message)
    return render_template("account/passkey.html", shell=shell(), options=options, name=name)


@blueprint.post("")
@require(Permission.READ)
def make() -> ResponseReturnValue:
    """Keep what the browser made."""
    made = json_body()
    passkeys.register(made.get("credential"), made.get("name"))
    return {"next": url_for("account.show", done="passkey")}, 201


@blueprint.post("/<int:passkey_id>/rename")
@require(Permission.READ)
def rename(passkey_id: int) -> ResponseReturnValue:
    passkeys.rename(passkey_id, request.form.get("name"))
    return redirect(url_for("account.show", _anchor="passkeys-title"), 303)


@blueprint.post("/<int:passkey_id>/remove")
@require(Permission.READ)
@recently_proven
def remove(passkey_id: int) -> ResponseReturnValue:
    passkeys.remove(passkey_id)
    return redirect(url_for("account.show", _anchor="passkeys-title"), 303)
