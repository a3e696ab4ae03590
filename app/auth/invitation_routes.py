"""Joining by a mailed link: open it, look at what it offers, join.

The link's token stands behind the #, where no log and no Referer sees it; a script hands it over in a form, or a person
pastes the link. From then on this browser's session knows which invitation is meant, by its hash, also across signing
in and registering.
"""

from flask import Blueprint, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue

from app.auth import links, members
from app.auth import session as browser
from app.auth.forms import InvitationForm, read_fields
from app.auth.require import Permission, open_door, require
from app.auth.routes import HOME, expect_little, refused
from app.errors import Refusal

blueprint = Blueprint("invitation", __name__, url_prefix="/invitation")
blueprint.url_value_preprocessor(expect_little)

HELD = "invitation"


@blueprint.get("")
@open_door
def show() -> ResponseReturnValue:
    """What the opened invitation offers; else the form that opens one."""
    token_hash = _held()
    if token_hash is None:
        return render_template("auth/invitation.html", form=InvitationForm(formdata=None), error=None)
    try:
        offer = members.offered(token_hash)
    except Refusal as refusal:
        session.pop(HELD)
        return refused(refusal, "auth/invitation.html", InvitationForm(formdata=None))
    return render_template("auth/offer.html", offer=offer, who=browser.current())


@blueprint.post("")
@open_door
def open_() -> ResponseReturnValue:
    """Remember which invitation is meant. It changes nothing else: mail programs open links, too."""
    fields = read_fields()
    token = links.cleaned(fields.get("token"))
    try:
        token_hash = links.hashed(token or "")
        members.offered(token_hash)
    except Refusal as refusal:
        return refused(refusal, "auth/invitation.html", InvitationForm(formdata=fields))
    session[HELD] = token_hash.hex()
    session["next"] = url_for("invitation.show")
    return redirect(url_for("invitation.show"), 303)


@blueprint.post("/accept")
@require(Permission.READ)
def accept() -> ResponseReturnValue:
    members.accept(_held() or b"")
    session.pop(HELD, None)
    return redirect(HOME, 303)


def _held() -> bytes | None:
    """The hash of the token that this browser opened; None, too, where somebody else wrote into Redis."""
    try:
        return bytes.fromhex(session.get(HELD, "")) or None
    except ValueError:
        return None
