"""API keys over JSON: made once, shown once."""

from flask import Blueprint, Response, g

from app.auth import keys
from app.auth.require import Permission, require
from app.dashboard.json import json_body, json_response
from app.errors import Refusal
from app.extensions import db
from app.store import audit
from app.store.audit import Action
from app.store.keys import add_api_key

blueprint = Blueprint("keys_api", __name__, url_prefix="/api/keys")
SCOPES = ("read", "manage")


@blueprint.post("")
@require(Permission.MANAGE)
def create_api_key() -> Response:
    """Make an API key of this organisation with the scopes `read`, `manage` or both."""
    scopes = json_body().get("scopes")
    if not isinstance(scopes, list) or not scopes or any(scope not in SCOPES for scope in scopes):
        raise Refusal("bad_scopes", f"`scopes` is a list of {' and '.join(SCOPES)}.", 422)
    minted = keys.mint(keys.Kind.API)
    add_api_key(g.actor.organisation_id, minted.hash, minted.prefix, sorted(set(scopes)))
    audit.record(Action.KEY_MADE, "api_key", minted.prefix, scopes=" ".join(sorted(set(scopes))))
    db.session.commit()
    return json_response({"api_key": minted.key, "scopes": sorted(set(scopes))}, 201)
