"""The forms of the door, and what reads the same fields from JSON: one set of rules judges both."""

import re
from typing import Any

import orjson
from flask import request
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, EmailField, HiddenField, PasswordField, StringField

from app.errors import Refusal

# A path on this host: browsers read a second slash or a backslash as the beginning of another host's name.
OWN_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


class LoginForm(FlaskForm):
    """E-mail and password. What is wrong with them is said by app/auth/journeys.py."""

    email = EmailField()
    password = PasswordField()


class RegisterForm(LoginForm):
    """The same two fields; the page says other things about them."""


class ForgotForm(FlaskForm):
    """Whose password is forgotten."""

    email = EmailField()


class ResetForm(FlaskForm):
    """The mailed link's token, or the whole link as pasted, and the password to come."""

    token = StringField("Link from the mail")
    password = PasswordField("New password")


class InvitationForm(FlaskForm):
    """The mailed link's token, or the whole link as pasted."""

    token = StringField("Link from the mail")


class ChangeForm(FlaskForm):
    """The password that there is, and the one to come."""

    current = PasswordField("Current password")
    password = PasswordField("New password")


class VerifyForm(FlaskForm):
    """The mailed code and whom it went to. Text, not a number: leading zeros count."""

    email = HiddenField()
    code = StringField()
    remember = BooleanField("Remember this browser for 30 days")


def read_fields() -> MultiDict[str, str]:
    """The request's fields, from a form or a JSON object. Only strings pass; a field may come once.

    Raises Refusal `unsupported_media_type`, `bad_json`, `bad_form`.
    """
    if is_json():
        return MultiDict(_json_fields())
    if request.mimetype != "application/x-www-form-urlencoded":
        raise Refusal("unsupported_media_type", "Send a form, or JSON as application/json.", 415)
    if any(len(values) > 1 for _, values in request.form.lists()):
        raise Refusal("bad_form", "A field came twice.", 400)
    return MultiDict(request.form)


def is_json() -> bool:
    """Does a program ask? By `application/json` alone, which no foreign page can send without our leave."""
    return request.mimetype == "application/json" or (not request.mimetype and not request.content_length)


def read_json() -> dict[str, Any]:
    """The request's JSON object, for what no form sends. Raises Refusal `unsupported_media_type`, `bad_json`."""
    if not is_json():
        raise Refusal("unsupported_media_type", "Send JSON as application/json.", 415)
    body = request.get_data()
    try:
        found = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        raise Refusal("bad_json", "The body is not valid JSON.", 400) from None
    if not isinstance(found, dict):
        raise Refusal("bad_json", "The body must be a JSON object.", 400)
    return found


def _json_fields() -> dict[str, str]:
    return {name: value for name, value in read_json().items() if isinstance(value, str)}
