"""The door: register, sign in, verify, sign out; each as a page with a form, and as JSON."""

from collections.abc import Callable
from typing import Any

from flask import (
    Blueprint,
    Response,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from flask_wtf.csrf import generate_csrf

from app import metrics
from app.auth import journeys
from app.auth import session as browser
from app.auth.forms import OWN_PATH, LoginForm, RegisterForm, VerifyForm, is_json, read_fields
from app.auth.require import open_door
from app.errors import Refusal
from app.extensions import db
from app.store import audit
from app.store.audit import Action

blueprint = Blueprint("auth", __name__, url_prefix="/auth")

HOME = "/dashboard"
LARGEST_BODY_BYTES = 64 * 1024
# Which field of a form a refusal is about; any other stands above the form.
FIELD_OF = {
    "bad_email": "email",
    "weak_password": "password",
    "bad_code": "code",
    "bad_link": "token",
    "unknown_invitation": "token",
}


@blueprint.url_value_preprocessor
def expect_little(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A megabyte of password is refused unread. Here, because the check of the token reads the form."""
    request.max_content_length = LARGEST_BODY_BYTES


@blueprint.get("/csrf")
@open_door
def csrf() -> dict[str, str]:
    """A program's first step: the token, and the cookie that it belongs to."""
    return {"csrf_token": generate_csrf()}


@blueprint.get("/register")
@open_door
def show_register() -> ResponseReturnValue:
    return _page("auth/register.html", RegisterForm(formdata=None))


@blueprint.post("/register")
@open_door
def register() -> ResponseReturnValue:
    """Ask for an account: a code is mailed, and whether the address was known is not told."""
    return _take(journeys.register, RegisterForm, "auth/register.html")


@blueprint.get("/login")
@open_door
def show_login() -> ResponseReturnValue:
    wanted = request.args.get("next", "")
    if OWN_PATH.fullmatch(wanted):
        session["next"] = wanted
    return _page("auth/login.html", LoginForm(formdata=None))


@blueprint.post("/login")
@open_door
def login() -> ResponseReturnValue:
    """Sign in: the password first, then what the answer names as next."""
    return _take(journeys.login, LoginForm, "auth/login.html")


@blueprint.get("/verify")
@open_door
def show_verify() -> ResponseReturnValue:
    if "email" not in session:
        return redirect(url_for("auth.show_login"), 303)
    form = VerifyForm(formdata=None, email=session["email"])
    return render_template("auth/verify.html", form=form, email=session["email"], error=None)


@blueprint.post("/verify")
@open_door
def verify() -> ResponseReturnValue:
    """The last step of both ways in: the code, and the address that it went to."""
    fields = read_fields()
    email = fields.get("email", "")
    wanted = session.get("next", HOME)
    try:
        journeys.verify(email, fields.get("code"), remember=bool(fields.get("remember")))
    except Refusal as refusal:
        return refused(refusal, "auth/verify.html", VerifyForm(formdata=fields), email=email)
    return _signed_in(wanted)


@blueprint.post("/resend")
@open_door
def resend() -> ResponseReturnValue:
    """Mail another code; only the newest works."""
    journeys.resend()
    if is_json():
        return {"next": "verify"}, 202
    return redirect(url_for("auth.show_verify", again="yes"), 303)


@blueprint.post("/logout")
@open_door
def logout() -> Response:
    """End this browser's session; also fine for a browser that has none."""
    if (who := browser.current()) is not None:
        audit.record(
            Action.SIGNED_OUT,
            "user",
            who.user_id,
            organisation_id=who.organisation_id,
            user_id=who.user_id,
        )
    browser.end()
    db.session.commit()
    response = jsonify(next="login") if is_json() else redirect(url_for("auth.show_login"), 303)
    # Not "cookies", which would take those of every host under our domain; not "cache", where nothing of ours is.
    response.headers["Clear-Site-Data"] = '"storage"'
    return make_response(response)


def _signed_in(wanted: str) -> ResponseReturnValue:
    if is_json():
        return {"next": None, "csrf_token": generate_csrf()}
    return redirect(wanted, 303)


def _page(template: str, form: FlaskForm) -> ResponseReturnValue:
    if browser.current() is not None:
        return redirect(HOME, 303)
    return render_template(template, form=form, error=None)


def _take(
    journey: Callable[[str, str], bool], form_class: type[LoginForm], template: str
) -> ResponseReturnValue:
    """The first step of both ways in: on to the code, or the form again, with what is wrong beside it."""
    fields = read_fields()
    wanted = session.get("next", HOME)
    try:
        is_in = journey(fields.get("email", ""), fields.get("password", ""))
    except Refusal as refusal:
        return refused(refusal, template, form_class(formdata=fields))
    if is_in:
        return _signed_in(wanted)
    if is_json():
        return {"next": "verify"}, 202
    return redirect(url_for("auth.show_verify"), 303)


def refused(refusal: Refusal, template: str, form: FlaskForm, **context: str) -> ResponseReturnValue:
    """To a program the refusal itself; to a person the form, with the reason beside its field."""
    if is_json():
        raise refusal
    g.reason = refusal.code
    metrics.REFUSALS.labels(refusal.code).inc()
    field = FIELD_OF.get(refusal.code)
    if field:
        form[field].errors = [refusal.message]
    page = render_template(template, form=form, error=None if field else refusal.message, **context)
    return page, refusal.status, refusal.headers
