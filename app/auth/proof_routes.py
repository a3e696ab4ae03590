"""Proving that it is still you: over JSON for programs, and the mailed code for the page that asks."""

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf

from app.auth import passkeys, proof
from app.auth.forms import OWN_PATH, is_json, read_fields, read_json
from app.auth.require import Permission, require
from app.errors import Refusal

blueprint = Blueprint("proof", __name__, url_prefix="/auth/proof")


@blueprint.post("")
@require(Permission.READ)
def prove() -> ResponseReturnValue:
    """For programs that act with a session: `password` or `code`."""
    if not is_json():
        raise Refusal("unsupported_media_type", "Send JSON as application/json.", 415)
    fields = read_fields()
    proof.prove(fields.get("password"), fields.get("code"))
    return {"proven": True, "csrf_token": generate_csrf()}


@blueprint.post("/passkey")
@require(Permission.READ)
def passkey() -> dict[str, Any]:
    """A challenge for one of one's own passkeys; its answer goes along with the form."""
    read_json()
    return passkeys.proof_options()


@blueprint.post("/mail")
@require(Permission.READ)
def mail() -> ResponseReturnValue:
    """Have a code mailed; a page gets itself again, with all that it carries."""
    path = request.form.get("proof_path", "")
    if not is_json() and not OWN_PATH.fullmatch(path):
        raise Refusal("bad_form", "This page lost its way. Go back and begin again.", 400)
    proof.mail_code()
    return {"mailed": True} if is_json() else proof.page(path, mailed=True)
