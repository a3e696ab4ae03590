"""Signing in with a passkey: what the page's script asks for, and what it hands in."""

from typing import Any

from flask import Blueprint, session
from flask_wtf.csrf import generate_csrf

from app.auth import passkeys
from app.auth.forms import read_json
from app.auth.require import open_door

blueprint = Blueprint("passkeys", __name__, url_prefix="/auth/passkey")

HOME = "/dashboard"


@blueprint.post("/options")
@open_door
def options() -> dict[str, Any]:
    """A challenge for this browser; says nothing about anybody."""
    read_json()
    return passkeys.sign_in_options()


@blueprint.post("")
@open_door
def sign_in() -> dict[str, Any]:
    """The device's answer; signs in and says where to go."""
    credential = read_json().get("credential")
    wanted = session.get("next", HOME)
    passkeys.sign_in(credential)
    return {"next": wanted, "csrf_token": generate_csrf()}
