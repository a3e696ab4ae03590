"""POST /api/token: an API key for a token that lives for minutes."""

from typing import Any

import orjson
from flask import Blueprint, Response, g, request

from app.auth import tokens
from app.auth.require import Permission, require
from app.errors import Refusal
from app.extensions import settings

blueprint = Blueprint("tokens", __name__, url_prefix="/api/token")


@blueprint.post("")
@require(Permission.READ)
def exchange() -> Response:
    """A token with the key's scopes, or fewer. Raises Refusal `key_needed`, `bad_scopes`, `bad_expiry`."""
    actor = g.actor
    if actor.key_id is None or actor.expires_at is not None:
        raise Refusal("key_needed", "A token is given for an API key, and for nothing else.", 403)
    asked = _asked()
    scopes = asked.get("scopes", sorted(actor.scopes))
    if (
        not isinstance(scopes, list)
        or not scopes
        or any(scope not in sorted(actor.scopes) for scope in scopes)
    ):
        raise Refusal("bad_scopes", f"`scopes` may hold {' and '.join(sorted(actor.scopes))}.", 422)
    seconds = asked.get("expires_in", tokens.LONGEST_SECONDS)
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int)
        or not 1 <= seconds <= tokens.LONGEST_SECONDS
    ):
        raise Refusal("bad_expiry", f"`expires_in` is from 1 to {tokens.LONGEST_SECONDS} seconds.", 422)
    token = tokens.mint(settings().secret_key, actor.organisation_id, actor.key_id, set(scopes), seconds)
    answer = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": seconds,
        "scopes": sorted(set(scopes)),
    }
    return Response(orjson.dumps(answer), content_type="application/json")


def _asked() -> dict[str, Any]:
    """The request's JSON object; nothing at all asks for the usual."""
    body = request.get_data()
    try:
        asked = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise Refusal("bad_json", "The body is not valid JSON.") from error
    if not isinstance(asked, dict):
        raise Refusal("bad_json", "The body must be a JSON object.")
    return asked
