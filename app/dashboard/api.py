"""The JSON API: apps, plans, events, counts and the live stream. Pages ask here, and so may programs."""

import base64
import binascii
import re
import secrets
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, g, request

from app.auth import keys, notices
from app.auth.notices import Notice
from app.auth.require import Permission, require
from app.auth.staying import may_stay
from app.dashboard.json import json_body, json_response
from app.errors import Refusal
from app.extensions import db
from app.live import stream
from app.plans.explained import explained
from app.store import apps, audit, deleting, events, summary, written
from app.store.apps import AppRef
from app.store.audit import Action
from app.store.filters import Filters, Origin
from app.store.keys import add_write_key
from app.validation.model import Verdict, ViolationKind

blueprint = Blueprint("api", __name__, url_prefix="/api/apps")

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
MOST_NAME_CHARACTERS = 100
MOST_FILTER_CHARACTERS = 256
MOST_EVENTS = 1000
EVENT_FIELDS = (
    "event_id",
    "message_id",
    "name",
    "verdict",
    "violations",
    "violations_omitted",
    "received_at",
    "plan_version",
    "payload",
    "envelope",
    "platform",
    "app_version",
    "session_id",
    "device_id",
    "identity",
    "origin",
)
TEXTS = ("event", "app_version", "platform", "session", "device", "identity", "path", "q")


def the_app(app_id: str) -> AppRef:
    """The organisation's app of that id; anyone else's is as unknown as one that never was."""
    app = apps.find(g.actor.organisation_id, app_id)
    if app is None:
        raise Refusal("unknown_app", "There is no such app in this organisation.", 404)
    g.app_id = app.id
    return app


@blueprint.post("")
@require(Permission.MANAGE)
def create_app_() -> Response:
    """Make an app and its first write key, which is shown only here."""
    body = json_body()
    app, write_key = make_app(body.get("name"), body.get("app_id"))
    return json_response({"app_id": app.slug, "write_key": write_key}, 201)


def make_app(name: Any, slug: Any) -> tuple[AppRef, str]:
    """Make an app with a write key in the actor's organisation; commits. Raises Refusal for what is not allowed."""
    name = app_name(name)
    slug = slug_for(name) if slug in (None, "") else slug
    if not isinstance(slug, str) or not SLUG.fullmatch(slug):
        rule = (
            "`app_id` may hold a-z, 0-9, - and _, up to 64 characters, with a letter or digit at both ends."
        )
        raise Refusal("bad_app_id", rule, 422)
    app = apps.create(g.actor.organisation_id, slug, name)
    key = keys.mint(keys.Kind.WRITE)
    key_id = add_write_key(app, key.hash, key.prefix)
    notices.tell_of_key(Notice.KEY_MADE, "write_key", key_id)
    audit.record(Action.APP_MADE, "app", app.slug, name=app.name, write_key=key.prefix)
    db.session.commit()
    return app, key.key


def app_name(name: Any) -> str:
    """A name as it is kept. Raises Refusal `bad_name`."""
    if (
        not isinstance(name, str)
        or not 0 < len(name.strip()) <= MOST_NAME_CHARACTERS
        or not name.isprintable()
    ):
        raise Refusal("bad_name", f"`name` must be text of 1 to {MOST_NAME_CHARACTERS} characters.", 422)
    return name.strip()


def slug_for(name: str) -> str:
    """A slug made of the name, with a few random letters so that it is free."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "app"
    return f"{words}-{secrets.token_hex(4)}"


@blueprint.get("/<app_id>/events")
@require(Permission.READ)
def list_events(app_id: str) -> Response:
    """Stored events, newest first, by keyset: page n costs what page 1 costs.

    A search may end before the page is full: `searched_to` says how far back it looked, `next_cursor` goes on there.
    """
    app = the_app(app_id)
    limit = whole_number("limit", default=50, least=1, most=MOST_EVENTS)
    cursor = request.args.get("cursor")
    wanted = asked_fields()
    found = events.page(app.id, asked_filters(), limit, decode_cursor(cursor) if cursor else None)
    return json_response(
        {
            "events": [_projected(stream.with_sentences(event), wanted) for event in found.events],
            "next_cursor": encode_cursor(found.looked_to) if found.looked_to else None,
            "searched_to": found.looked_to[0] if found.looked_to else None,
        }
    )


@blueprint.get("/<app_id>/events/<event_id>")
@require(Permission.READ)
def show_event(app_id: str, event_id: str) -> Response:
    """One stored event, with the rule behind each violation and the corrected payload."""
    return json_response(explained_event(the_app(app_id), event_id))


@blueprint.delete("/<app_id>/events/<event_id>")
@require(Permission.MANAGE)
def delete_event(app_id: str, event_id: str) -> Response:
    """Delete one event for good, and take it out of every count."""
    remove_event(the_app(app_id), event_id)
    return Response(status=204)


def remove_event(app: AppRef, event_id: str) -> None:
    """Delete the app's event of that id; commits. Raises Refusal `unknown_event`."""
    known = events.is_event_id(event_id)
    name = deleting.delete(app.organisation_id, app.id, event_id) if known else None
    if name is None:
        raise unknown_event()
    written.forget_of_app(app.organisation_id, app.id)
    audit.record(Action.DELETED, "event", event_id, app=app.slug, name=name)
    db.session.commit()


def explained_event(app: AppRef, event_id: str) -> dict[str, Any]:
    """The app's event as a person reads it. Raises Refusal `unknown_event`."""
    return explained(app, stream.with_sentences(the_event(app, event_id)))


def the_event(app: AppRef, event_id: str) -> dict[str, Any]:
    """The app's event of that id. Raises Refusal `unknown_event`."""
    known = events.find(app.id, event_id) if events.is_event_id(event_id) else None
    if known is None:
        raise unknown_event()
    return known


def unknown_event() -> Refusal:
    return Refusal("unknown_event", "There is no such event in this app.", 404)


@blueprint.get("/<app_id>/summary")
@require(Permission.READ)
def show_summary(app_id: str) -> Response:
    """Exact counts over all history, or between two moments."""
    app = the_app(app_id)
    from_, to_ = moment("from"), moment("to")
    return json_response({"from": from_, "to": to_, **summary.counts(app, from_, to_)})


@blueprint.get("/<app_id>/live")
@require(Permission.READ)
def live(app_id: str) -> Response:
    """Server-sent events: every event committed from now on, or after Last-Event-ID."""
    app = the_app(app_id)
    cursor = request.headers.get("Last-Event-ID") or request.args.get("cursor")
    if cursor and not events.is_cursor(cursor):
        raise Refusal(
            "bad_cursor", "Last-Event-ID is not one that this stream sent. Connect without it.", 400
        )
    if any(name in request.args for name in ("from", "to")):
        raise Refusal("bad_filter", "The live stream cannot search the past: ask /events for from and to.")
    # Taken before the first byte: what is committed once the client knows that it is connected is on the stream.
    cursor = cursor or stream.newest_cursor()
    frames = stream.follow(app.id, app.organisation_id, asked_filters(), cursor, may_stay())
    db.session.remove()  # a stream is open for minutes; its first query's connection is not
    return Response(frames, content_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def asked_fields() -> list[str] | None:
    """The members that `fields` names; None: all. Raises Refusal `bad_filter`."""
    given = request.args.get("fields")
    if not given:
        return None
    wanted = given.split(",")
    if unknown := [name for name in wanted if name not in EVENT_FIELDS]:
        raise Refusal("bad_filter", f"`fields` names members of an event; `{unknown[0][:40]}` is none.")
    return wanted


def _projected(event: dict[str, Any], wanted: list[str] | None) -> dict[str, Any]:
    return event if wanted is None else {name: event[name] for name in wanted if name in event}


def asked_filters() -> Filters:
    """The filters in the query string. Raises Refusal `bad_filter`."""
    given = {name: short_text(name) for name in TEXTS}
    return Filters(
        verdict=one_of("verdict", Verdict),
        kind=one_of("kind", ViolationKind),
        origin=one_of("origin", Origin),
        received_from=moment("from"),
        received_to=moment("to"),
        **given,
    )


def short_text(name: str) -> str | None:
    value = request.args.get(name) or None
    if value and (len(value) > MOST_FILTER_CHARACTERS or "\x00" in value):
        raise Refusal(
            "bad_filter", f"`{name}` may have {MOST_FILTER_CHARACTERS} characters, none of them NUL."
        )
    return value


def one_of(name: str, allowed: Any) -> str | None:
    value = request.args.get(name) or None
    if value is not None and value not in list(allowed):
        raise Refusal("bad_filter", f"`{name}` is one of {', '.join(allowed)}.")
    return value


def whole_number(name: str, default: int, least: int, most: int) -> int:
    raw = request.args.get(name)
    if raw is None:
        return default
    if not raw.isascii() or not raw.isdigit() or not least <= int(raw[:10]) <= most:
        raise Refusal("bad_filter", f"`{name}` is a whole number from {least} to {most}.")
    return int(raw)


def moment(name: str) -> datetime | None:
    """An ISO 8601 moment; without a zone it is UTC."""
    raw = request.args.get(name)
    if not raw:
        return None
    try:
        # A + in a query string that nobody escaped arrives as a space.
        parsed = datetime.fromisoformat(raw.replace(" ", "+") if "T" in raw else raw)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refusal("bad_filter", f"`{name}` is a moment such as 2026-01-31T12:00:00Z.") from error


def encode_cursor(place: events.Place) -> str:
    """Where a page ended: opaque to clients, and no secret."""
    return base64.urlsafe_b64encode(f"{place[0].isoformat()} {place[1]}".encode()).decode()


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """What encode_cursor encoded. Raises Refusal `bad_cursor`."""
    try:
        at, _, event_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        received_at = datetime.fromisoformat(at)
    except (ValueError, binascii.Error) as error:
        raise Refusal("bad_cursor", "`cursor` is not one that this list gave out.") from error
    if received_at.tzinfo is None or not events.is_event_id(event_id):
        raise Refusal("bad_cursor", "`cursor` is not one that this list gave out.")
    return received_at, event_id
