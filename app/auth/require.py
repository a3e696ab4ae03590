"""The one word of authorisation: `@require(Permission.…)` on every view, `@open_door` on the few public ones.

A view that carries neither is shut. The word only marks; one hook before every request asks who is there.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import structlog
from flask import Flask, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app import errors
from app.auth import keys, limits, origin, proof, sender, session, tokens, used
from app.auth.memory import Memory
from app.errors import Refusal
from app.extensions import settings
from app.store import tenancy
from app.store.keys import ApiKeyRef, by_api_key_hash, by_api_key_id
from app.store.tables import Role

log = structlog.get_logger()

View = TypeVar("View", bound=Callable[..., Any])
KEY_REMEMBERED_SECONDS = 0.5


class Permission(enum.StrEnum):
    """What a view asks for."""

    SEND = "send"  # write keys, and nobody else
    READ = "read"
    EDIT_PLAN = "edit_plan"
    MANAGE = "manage"
    MANAGE_MEMBERS = "manage_members"  # people only: no key invites anybody
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, for which organisation, and what they may do: a person's session or a program's API key."""

    organisation_id: int
    permissions: frozenset[Permission]
    user_id: int | None = None
    email: str | None = None
    role: Role | None = None
    session_id: UUID | None = None
    key_id: int | None = None
    scopes: frozenset[str] = frozenset()  # of an API key or its token
    expires_at: int | None = None  # Unix seconds; of a token


READS = frozenset({Permission.READ})
EDITS = READS | {Permission.EDIT_PLAN}
MANAGES = EDITS | {Permission.MANAGE}
ADMINISTERS = MANAGES | {Permission.MANAGE_MEMBERS}
OWNS = ADMINISTERS | {Permission.OWN}
OF_ROLE = {Role.OWNER: OWNS, Role.ADMIN: ADMINISTERS, Role.EDITOR: EDITS, Role.VIEWER: READS}
OF_SCOPE = {"read": READS, "manage": MANAGES}


def require(permission: Permission) -> Callable[[View], View]:
    """Let only those in who have the permission; `g.actor` (SEND: `g.sender`) then says who it is."""

    def mark(view: View) -> View:
        view.required = permission  # type: ignore[attr-defined]
        return view

    return mark


def open_door(view: View) -> View:
    """Let everybody into this view."""
    view.open_door = True  # type: ignore[attr-defined]
    return view


def untokened(view: View) -> View:
    """What browsers send by themselves carries no CSRF token. For an open door that changes nothing."""
    view.untokened = True  # type: ignore[attr-defined]
    return view


def init_app(flask_app: Flask) -> None:
    """In this order: an address is counted even if nobody may be behind it, an actor once it is known."""
    limits.count_arrivals(flask_app)
    sender.init_app(flask_app)
    flask_app.extensions["api_keys"] = Memory("api_keys", by_api_key_hash, KEY_REMEMBERED_SECONDS)
    flask_app.extensions["api_keys_by_id"] = Memory("api_keys", by_api_key_id, KEY_REMEMBERED_SECONDS)
    open_door(flask_app.view_functions["static"])
    flask_app.before_request(guard)
    limits.count_actors(flask_app)


def guard() -> ResponseReturnValue | None:
    """Before every request: may the view that it names answer it? Raises Refusal; may redirect."""
    tenancy.enter(None)  # the connection's last request may have entered one
    if request.endpoint is None or request.method == "OPTIONS":
        return None  # no view will answer: it becomes 404 or 405, or the list of methods
    view = current_app.view_functions[request.endpoint]
    required: Permission | None = getattr(view, "required", None)
    if required is Permission.SEND:
        sender.admit()
        return None
    if required is not None:
        return _admit(required) or proof.check(view)
    if not getattr(view, "open_door", False):
        log.error("view_unguarded", endpoint=request.endpoint)
        raise _forbidden()
    if request.method not in origin.SAFE_METHODS and not getattr(view, "untokened", False):
        origin.check()
    return None


def _admit(required: Permission) -> ResponseReturnValue | None:
    """Set `g.actor` to whoever has the permission; send a person who is not signed in to the door."""
    key = _key()
    actor = _actor_of_key(key) if key else _actor_of_session()
    if actor is None:
        return _ask_to_sign_in()
    if not key and request.method not in origin.SAFE_METHODS:
        origin.check()
    if required not in actor.permissions:
        raise _forbidden()
    g.actor = actor
    g.organisation_id = actor.organisation_id
    tenancy.enter(actor.organisation_id)
    return None


def _forbidden() -> Refusal:
    return Refusal("forbidden", "This needs more rights than you have here. Ask an owner or admin.", 403)


def _is_api() -> bool:
    return request.path.startswith("/api/")


def _key() -> str | None:
    """The API key of this request. Raises Refusal `key_in_url`, `two_credentials`."""
    if not _is_api():
        return None  # pages are for people
    keys.refuse_in_url()
    key = keys.presented()
    if key and current_app.config["SESSION_COOKIE_NAME"] in request.cookies:
        raise Refusal("two_credentials", "Send an API key or the session cookie, not both.", 400)
    return key


def _actor_of_key(key: str) -> Actor:
    if tokens.is_written(key):
        return _actor_of_token(key)
    found: ApiKeyRef | None = None
    if keys.is_written(key, keys.Kind.API):
        found = current_app.extensions["api_keys"].recall(keys.hashed(key))
    if found is None:
        message = "This is no living API key. Write keys (lvw_…) only send events; API keys begin with lva_."
        raise Refusal("bad_key", message, 401, headers=sender.CHALLENGE)
    return _actor(found, found.scopes)


def _actor_of_token(token: str) -> Actor:
    """Whoever the token's key is, with what both the token and the key allow."""
    claims = tokens.read(settings().secret_key, token)
    found = current_app.extensions["api_keys_by_id"].recall((claims.organisation_id, claims.key_id))
    if found is None:
        message = "The API key of this token was revoked or has expired. Get a token for another key."
        raise Refusal("bad_token", message, 401, headers=tokens.CHALLENGE)
    return _actor(found, found.scopes & claims.scopes, claims.expires_at)


def _actor(key: ApiKeyRef, scopes: frozenset[str], expires_at: int | None = None) -> Actor:
    if key.is_closed:
        keys.refuse_closed()
    used.note_api_key(key.id)
    permissions = frozenset[Permission]().union(*(OF_SCOPE.get(scope, ()) for scope in scopes))
    return Actor(key.organisation_id, permissions, key_id=key.id, scopes=scopes, expires_at=expires_at)


def _actor_of_session() -> Actor | None:
    found = session.current()
    if found is None:
        return None
    if not _is_api():  # a page asks several things at once, and all come with the old id
        session.note_role(found.role.value)
    return Actor(
        found.organisation_id,
        OF_ROLE[found.role],
        user_id=found.user_id,
        email=found.email,
        role=found.role,
        session_id=found.session_id,
    )


def _ask_to_sign_in() -> ResponseReturnValue:
    if errors.wants_json():
        raise Refusal("not_signed_in", "Sign in, or send an API key.", 401, headers=sender.CHALLENGE)
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("auth.show_login", next=wanted), 303)
