"""The front door: events come in as bytes and leave as a receipt."""

import orjson
from flask import Blueprint, Response, g, request
from werkzeug.exceptions import ClientDisconnected

from app.auth.require import Permission, require
from app.errors import Refusal
from app.extensions import settings
from app.ingest import body, parse
from app.ingest.parse import Received, Rejected
from app.ingest.receipt import REASONS
from app.ingest.receive import check, receive

blueprint = Blueprint("ingest", __name__)
REJECTION_STATUS = {"too_large": 413}


@blueprint.post("/api/logs")
@blueprint.post("/api/logs/<app_id>")
@require(Permission.SEND)
def take(app_id: str | None = None) -> Response:
    """Judge, keep and announce the events in the body."""
    events = read_events()
    receipt = receive(g.sender, good(events), g.request_id)
    return as_response(receipt.answer(events))


@blueprint.post("/api/logs/<app_id>/validate")
@require(Permission.SEND)
def validate(app_id: str) -> Response:
    """Judge the events in the body and keep nothing."""
    events = read_events()
    return as_response(check(g.sender, good(events)).answer(events))


def read_events() -> list[Received | Rejected]:
    """Every event of the body, in its order.

    Raises Refusal where the body as a whole cannot be read, and for one single event that is rejected.
    """
    limits = settings()
    body.check_type(request.content_type or "")
    packed = request.get_data(cache=False)
    if request.content_length and len(packed) < request.content_length:
        raise ClientDisconnected
    unpacked = body.unpack(packed, request.headers.get("Content-Encoding", ""), limits.max_body_bytes)
    found = body.read(unpacked)
    if len(found.values) > limits.max_batch_events:
        most = f"A body may hold {limits.max_batch_events:,} events. Send the rest in another."
        raise Refusal("too_large", most, 413)
    events = [parse.event(value, limits) for value in found.values]
    if found.is_single and isinstance(only := events[0], Rejected):
        raise Refusal(only.reason, REASONS[only.reason], REJECTION_STATUS.get(only.reason, 400))
    g.events = len(events)
    return events


def good(events: list[Received | Rejected]) -> list[Received]:
    """Those that can be judged."""
    return [event for event in events if isinstance(event, Received)]


def as_response(answer: dict[str, object]) -> Response:
    """orjson writes an answer five times as fast as Flask's own encoder."""
    return Response(orjson.dumps(answer), content_type="application/json")
