"""A person's own page: who they are, and how they come in. Each section is a partial in templates/account/."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app import metrics
from app.auth import authenticator, devices, new_password, passkeys, sessions
from app.auth.forms import ChangeForm
from app.auth.require import Permission, require
from app.dashboard.pages import shell
from app.errors import Refusal
from app.extensions import db

blueprint = Blueprint("account", __name__, url_prefix="/account")

# The page's sections in their order, and what asks for what each one shows (`facts` in its partial).
SECTIONS: dict[str, Callable[[], Any]] = {
    "who": lambda: None,
    "password": lambda: ChangeForm(formdata=None),
    "passkeys": passkeys.mine,
    "factors": authenticator.state,
    "sessions": sessions.mine,
    "devices": devices.mine,
}


# Which field of the password's form a refusal is about.
FIELD_OF = {"wrong_password": "current", "weak_password": "password"}


@blueprint.get("")
@require(Permission.READ)
def show() -> ResponseReturnValue:
    return page()


def page(status: int = 200, error: str | None = None, **given: Any) -> tuple[str, int]:
    """The whole page. given: facts of sections that the caller has already, as a form with what was typed in it."""
    sections = {name: given[name] if name in given else ask() for name, ask in SECTIONS.items()}
    return render_template("account/account.html", shell=shell(), sections=sections, error=error), status


@blueprint.post("/password")
@require(Permission.READ)
def change_password() -> ResponseReturnValue:
    """Choose another password; the reason why not stands beside its field."""
    form = ChangeForm()
    try:
        new_password.change(form.current.data or "", form.password.data or "")
    except Refusal as refusal:
        db.session.rollback()
        g.reason = refusal.code
        metrics.REFUSALS.labels(refusal.code).inc()
        if refusal.code in FIELD_OF:
            form[FIELD_OF[refusal.code]].errors = [refusal.message]
            return page(refusal.status, password=form)
        return *page(refusal.status, refusal.message, password=form), refusal.headers
    return redirect(url_for("account.show", done="password"), 303)


@blueprint.post("/devices/<int:device_id>/forget")
@require(Permission.READ)
def forget_device(device_id: int) -> ResponseReturnValue:
    """Ask for a code in that browser again; somebody else's is as unknown as one that never was."""
    devices.forget(device_id)
    return redirect(url_for("account.show", _anchor="devices-title"), 303)
