"""Keys over JSON: API keys of the organisation and write keys of an app. Each is made once and shown once."""

from typing import Any

from flask import Blueprint, Response, g

from app.auth import keys, notices
from app.auth.notices import Notice
from app.auth.proof import recently_proven_if
from app.auth.require import Permission, require
from app.dashboard.api import the_app
from app.dashboard.json import json_body, json_response
from app.errors import Refusal
from app.extensions import db
from app.store import audit
from app.store import keys as kept
from app.store.apps import AppRef
from app.store.audit import Action
from app.store.keys import KeyShown

blueprint = Blueprint("keys_api", __name__, url_prefix="/api")
SCOPES = ("read", "manage")
MOST_NAME_CHARACTERS = 100
MOST_ENVIRONMENT_CHARACTERS = 32
MOST_DAYS = 3650


@blueprint.get("/keys")
@require(Permission.MANAGE)
def list_api_keys() -> Response:
    """The organisation's living API keys, without their secret."""
    return json_response({"keys": [_shown(key) for key in kept.api_keys(g.actor.organisation_id)]})


@blueprint.post("/keys")
@require(Permission.MANAGE)
@recently_proven_if(lambda: _is_to_manage())
def create_api_key() -> Response:
    """Make an API key of this organisation with the scopes `read`, `manage` or both."""
    asked = json_body()
    key, key_id, scopes = make_api_key(
        asked.get("scopes"), asked.get("name", ""), asked.get("expires_in_days")
    )
    return json_response({"api_key": key, "id": key_id, "scopes": scopes}, 201)


@blueprint.delete("/keys/<int:key_id>")
@require(Permission.MANAGE)
def delete_api_key(key_id: int) -> Response:
    """End an API key. It is refused everywhere within a second."""
    revoke_api_key(key_id)
    return Response(status=204)


@blueprint.get("/apps/<app_id>/keys")
@require(Permission.MANAGE)
def list_write_keys(app_id: str) -> Response:
    """The app's living write keys, without their secret."""
    return json_response({"keys": [_shown(key) for key in kept.write_keys(the_app(app_id))]})


@blueprint.post("/apps/<app_id>/keys")
@require(Permission.MANAGE)
def create_write_key(app_id: str) -> Response:
    """Make a further write key; the others go on working."""
    asked = json_body()
    key, key_id = make_write_key(
        the_app(app_id),
        asked.get("name", ""),
        asked.get("environment"),
        asked.get("answers", "explain"),
        asked.get("expires_in_days"),
    )
    return json_response({"write_key": key, "id": key_id}, 201)


@blueprint.delete("/apps/<app_id>/keys/<int:key_id>")
@require(Permission.MANAGE)
def delete_write_key(app_id: str, key_id: int) -> Response:
    """End a write key. It is refused everywhere within a second."""
    revoke_write_key(the_app(app_id), key_id)
    return Response(status=204)


def _is_to_manage() -> bool:
    scopes = json_body().get("scopes")
    return isinstance(scopes, list) and "manage" in scopes


def make_api_key(scopes: Any, name: Any, days: Any) -> tuple[str, int, list[str]]:
    """Make an API key in the actor's organisation; commits. Raises Refusal for what is not allowed (422)."""
    if not isinstance(scopes, list) or not scopes or any(scope not in SCOPES for scope in scopes):
        raise Refusal("bad_scopes", f"`scopes` is a list of {' and '.join(SCOPES)}.", 422)
    allowed, minted = sorted(set(scopes)), keys.mint(keys.Kind.API)
    key_id = kept.add_api_key(
        g.actor.organisation_id, minted.hash, minted.prefix, allowed, _name(name), _days(days)
    )
    notices.tell_of_key(Notice.KEY_MADE, "api_key", key_id)
    audit.record(Action.KEY_MADE, "api_key", minted.prefix, scopes=" ".join(allowed))
    db.session.commit()
    return minted.key, key_id, allowed


def make_write_key(app: AppRef, name: Any, environment: Any, answers: Any, days: Any) -> tuple[str, int]:
    """Make a write key of the app; commits. Raises Refusal for what is not allowed (422)."""
    if answers not in kept.ANSWERS:
        raise Refusal("bad_answers", f"`answers` is one of {', '.join(kept.ANSWERS)}.", 422)
    where = _text("environment", environment or "", MOST_ENVIRONMENT_CHARACTERS) or None
    minted = keys.mint(keys.Kind.WRITE)
    key_id = kept.add_write_key(app, minted.hash, minted.prefix, _name(name), where, answers, _days(days))
    notices.tell_of_key(Notice.KEY_MADE, "write_key", key_id)
    audit.record(Action.KEY_MADE, "write_key", minted.prefix, app=app.slug, answers=answers)
    db.session.commit()
    return minted.key, key_id


def revoke_api_key(key_id: int) -> None:
    """End an API key of the actor's organisation; commits. Raises Refusal `unknown_key`."""
    _revoked("api_key", key_id, kept.revoke_api_key(g.actor.organisation_id, key_id))


def revoke_write_key(app: AppRef, key_id: int) -> None:
    """End a write key of the app; commits. Raises Refusal `unknown_key`."""
    _revoked("write_key", key_id, kept.revoke_write_key(app, key_id), app=app.slug)


def _revoked(kind: str, key_id: int, prefix: str | None, **facts: Any) -> None:
    if prefix is None:
        raise Refusal("unknown_key", "There is no such key here, or it was revoked before.", 404)
    notices.tell_of_key(Notice.KEY_REVOKED, kind, key_id)
    audit.record(Action.KEY_REVOKED, kind, prefix, **facts)
    db.session.commit()


def _name(given: Any) -> str:
    return _text("name", given, MOST_NAME_CHARACTERS)


def _text(name: str, given: Any, most: int) -> str:
    if not isinstance(given, str) or len(given.strip()) > most or not given.isprintable():
        raise Refusal(f"bad_{name}", f"`{name}` is text of at most {most} characters.", 422)
    return given.strip()


def days_of(typed: str) -> Any:
    """What a form's field for days says: nothing is never; what is no number is left for the check to refuse."""
    typed = typed.strip()
    if not typed:
        return None
    return int(typed[:9]) if typed.isascii() and typed.isdigit() else typed


def _days(given: Any) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MOST_DAYS:
        raise Refusal("bad_expiry", f"`expires_in_days` is a whole number from 1 to {MOST_DAYS:,}.", 422)
    return given


def _shown(key: KeyShown) -> dict[str, Any]:
    facts = {
        name: getattr(key, name)
        for name in ("id", "prefix", "name", "created_at", "expires_at", "last_used_at")
    }
    if key.answers is None:
        return {**facts, "scopes": key.scopes}
    return {**facts, "environment": key.environment, "answers": key.answers}
