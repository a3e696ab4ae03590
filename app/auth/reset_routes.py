"""Forgotten passwords: ask for a link, open it, choose a new one. As pages with a form, and as JSON."""

from flask import Blueprint, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue

from app.auth import new_password
from app.auth.forms import ForgotForm, ResetForm, is_json, read_fields
from app.auth.require import open_door
from app.auth.routes import expect_little, refused
from app.errors import Refusal

blueprint = Blueprint("reset", __name__, url_prefix="/auth")
blueprint.url_value_preprocessor(expect_little)


@blueprint.get("/forgot")
@open_door
def show_forgot() -> ResponseReturnValue:
    form = ForgotForm(formdata=None, email=session.get("email", ""))
    return render_template("auth/forgot.html", form=form, error=None)


@blueprint.post("/forgot")
@open_door
def forgot() -> ResponseReturnValue:
    """Ask for a link: a mail is sent, whoever's address it is."""
    fields = read_fields()
    try:
        new_password.ask(fields.get("email", ""))
    except Refusal as refusal:
        return refused(refusal, "auth/forgot.html", ForgotForm(formdata=fields))
    if is_json():
        return {"next": "reset"}, 202
    return redirect(url_for("reset.show_sent"), 303)


@blueprint.get("/forgot/sent")
@open_door
def show_sent() -> ResponseReturnValue:
    if "email" not in session:
        return redirect(url_for("reset.show_forgot"), 303)
    return render_template("auth/sent.html", email=session["email"])


@blueprint.get("/reset")
@open_door
def show_reset() -> ResponseReturnValue:
    """Where the mailed link leads; its token stands behind the #, which the page's script reads. Changes nothing."""
    return render_template("auth/reset.html", form=ResetForm(formdata=None), error=None)


@blueprint.post("/reset")
@open_door
def reset() -> ResponseReturnValue:
    """Choose a new password with a link's token."""
    fields = read_fields()
    try:
        new_password.reset(fields.get("token"), fields.get("password", ""))
    except Refusal as refusal:
        return refused(refusal, "auth/reset.html", ResetForm(formdata=fields))
    if is_json():
        return {"next": "login"}
    return redirect(url_for("auth.show_login", done="reset"), 303)
