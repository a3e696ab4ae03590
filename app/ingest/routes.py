"""The front door: events come in as bytes and leave as a receipt."""

from typing import Any, NamedTuple

import orjson
from flask import Blueprint, Response, g, request
from werkzeug.exceptions import ClientDisconnected

from app import metrics
from app.auth import allowance, quota
from app.auth.require import Permission, require
from app.errors import Refusal
from app.extensions import settings
from app.ingest import body, cors, parse, refused, used_up
from app.ingest.parse import Received, Rejected
from app.ingest.receipt import REASONS
from app.ingest.receive import check, receive
from app.validation.model import Verdict

blueprint = Blueprint("ingest", __name__)
blueprint.after_request(cors.allow)
blueprint.after_request(refused.note_request)
blueprint.after_request(used_up.note_request)
REJECTION_STATUS = {"too_large": 413}


@blueprint.post("/api/logs")
@blueprint.post("/api/logs/<app_id>")
@require(Permission.SEND)
def take(app_id: str | None = None) -> Response:
    """Judge, keep and announce the events in the body."""
    events = read_events()
    key = g.write_key
    fit = good(events.read)
    with quota.spending(key, len(fit)):
        receipt = receive(g.sender, fit, g.request_id, key.environment)
    if receipt.outcomes is not None:
        g.bytes_kept = used_up.size_of(receipt.events, receipt.outcomes)
    organisation = metrics.organisation(g.organisation_id)
    metrics.child(metrics.ORGANISATION_EVENTS, organisation).inc(len(receipt.events))
    return as_response(receipt.answer(events.read, is_quiet=key.answers == "quiet"), events)


@blueprint.post("/api/logs/<app_id>/validate")
@require(Permission.SEND)
def validate(app_id: str) -> Response:
    """Judge the events in the body and keep nothing. Raises Refusal `quiet_key`: it would tell what the plan says."""
    if g.write_key.answers == "quiet":
        raise Refusal(
            "quiet_key", "This key gets no explanations. Validate with a key that answers `explain`.", 403
        )
    events = read_events()
    return as_response(check(g.sender, good(events.read)).answer(events.read), events)


class Events(NamedTuple):
    """Every event of a body, in its order, the values they were read from, and whether it was one single event."""

    read: list[Received | Rejected]
    values: list[Any]
    is_single: bool


def read_events() -> Events:
    """The events of this request's body, counted against the limits.

    Raises Refusal where the body as a whole cannot be read, and `rate_limited`. A body costs one event even if
    it cannot be read.
    """
    limits = settings()
    cors.check(g.write_key.cors_origins)
    allowance.spend(1, g.write_key.key_id, g.organisation_id)
    body.check_type(request.content_type or "")
    packed = request.get_data(cache=False)
    if request.content_length and len(packed) < request.content_length:
        raise ClientDisconnected
    unpacked = body.unpack(packed, request.headers.get("Content-Encoding", ""), limits.max_body_bytes)
    g.body = unpacked
    found = body.read(unpacked)
    if len(found.values) > limits.max_batch_events:
        most = f"A body may hold {limits.max_batch_events:,} events. Send the rest in another."
        raise Refusal("too_large", most, 413)
    if len(found.values) > 1:
        allowance.spend(len(found.values) - 1, g.write_key.key_id, g.organisation_id)
    events = [parse.event(value, limits) for value in found.values]
    g.events = len(events)
    return Events(events, found.values, found.is_single)


def good(events: list[Received | Rejected]) -> list[Received]:
    """Those that can be judged."""
    return [event for event in events if isinstance(event, Received)]


def as_response(answer: dict[str, Any], events: Events) -> Response:
    """200, whatever became of the events; only a single one that was rejected is refused with its reason.

    To a key that asked for `strict` answers, 422 where an event is invalid, with the same body: it was kept.
    """
    if events.is_single and answer["rejected"]:
        reason = answer["results"][0]["reason"]
        raise Refusal(reason, REASONS[reason], REJECTION_STATUS.get(reason, 400))
    results = answer["results"]
    if answer["rejected"]:
        for value, result in zip(events.values, results, strict=True):
            if result["status"] == "rejected":
                metrics.child(metrics.REFUSALS, result["reason"]).inc()
                refused.note_event(result["reason"], value)
    is_strict = g.write_key.answers == "strict"
    is_invalid = is_strict and any(result["verdict"] == Verdict.INVALID for result in results)
    status = 422 if is_invalid else 200
    return Response(orjson.dumps(answer), status=status, content_type="application/json")
