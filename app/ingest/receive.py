"""The product in twenty lines: judge, keep, then announce."""

import re
from collections.abc import Sequence

import orjson
import uuid_utils

from app.ingest.parse import Received, fact, moment
from app.ingest.receipt import Receipt
from app.live import bell
from app.plans.current import current
from app.store import keeping
from app.store.apps import AppRef
from app.store.keeping import Row
from app.validation.compile import CompiledPlan
from app.validation.judge import judge
from app.validation.model import Judgement, Violation

# nginx makes it once per request and repeats it when it tries another instance.
PROXY_REQUEST_ID = re.compile(r"[0-9a-f]{32}")


def receive(
    app: AppRef, events: Sequence[Received], request_id: str = "", environment: str | None = None
) -> Receipt:
    """Judge, keep, then announce. Returns only when every event is safe; an announcement may be lost.

    Raises Refusal `busy` when the events could not be committed in time; sending them again is safe.
    """
    plan = current(app)
    judged = judge_all(app, plan, events)
    fallback = base_id(request_id)
    rows = [
        row(app, plan, e, j, f"{fallback}.{n}", environment)
        for n, (e, j) in enumerate(zip(events, judged, strict=True))
    ]
    outcomes = keeping.keep(rows)
    bell.announce(app, outcomes)
    return Receipt(plan.version if plan else None, events, judged, outcomes)


def check(app: AppRef, events: Sequence[Received]) -> Receipt:
    """Judge only: nothing is kept or announced."""
    plan = current(app)
    return Receipt(plan.version if plan else None, events, judge_all(app, plan, events), None)


def judge_all(app: AppRef, plan: CompiledPlan | None, events: Sequence[Received]) -> list[Judgement]:
    """The verdict on each event, all by the same plan."""
    return [judge(e.event, plan, exempt_system_events=app.exempt_system_events) for e in events]


def base_id(request_id: str) -> str:
    """What the message ids of events begin with that came without: the same when a proxy repeats the request."""
    return request_id if PROXY_REQUEST_ID.fullmatch(request_id) else uuid_utils.uuid7().hex


def row(
    app: AppRef,
    plan: CompiledPlan | None,
    received: Received,
    judgement: Judgement,
    fallback: str,
    environment: str | None = None,
) -> Row:
    """The log entry of one judged event."""
    envelope = received.event.envelope
    return Row(
        event_id=str(uuid_utils.uuid7()),
        app_id=app.id,
        organisation_id=app.organisation_id,
        message_id=received.message_id or fallback,
        event_name=received.event.name,
        verdict=judgement.verdict,
        plan_version=plan.version if plan else None,
        platform=fact(envelope, "platform"),
        app_version=fact(envelope, "appVersion"),
        environment=environment,
        session_id=fact(envelope, "sessionId"),
        device_id=fact(envelope, "deviceId"),
        identity=fact(envelope, "identity", "userId", "anonymousId"),
        run_id=None,
        occurred_at=moment(envelope.get("eventTime", envelope.get("timestamp"))),
        sent_at=moment(envelope.get("sentAt")),
        digest=received.digest,
        violations=as_stored(judgement.violations),
        violations_omitted=judgement.omitted,
        payload=received.payload_json,
        envelope=received.envelope_json,
    )


def as_stored(violations: Sequence[Violation]) -> str:
    """What an event broke, as JSON: nearly always nothing."""
    return orjson.dumps([violation.as_json() for violation in violations]).decode() if violations else "[]"
