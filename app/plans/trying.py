"""Trying an event out: what the draft would say of it, before anybody is judged by it."""

from typing import Any

from app.errors import Refusal
from app.plans import drafting
from app.plans.aside import aside
from app.plans.content import Content
from app.plans.explained import explained_by
from app.store.apps import AppRef
from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import NAME_MEMBERS, PAYLOAD_MEMBERS, Event
from app.validation.problems import PlanInvalid
from app.validation.sentences import sentence


def judged(app: AppRef, given: Any) -> dict[str, Any]:
    """The verdict on an event by the draft, else by what is in force: violations with their rules and in words, and the
    payload that was probably meant.

    Raises Refusal `not_an_object`, `no_event_name`, `bad_payload`, `plan_invalid` (422).
    """
    event = _event(given)
    content = drafting.open_(app).content
    try:
        return aside(_judged, content, event, exempt=app.exempt_system_events)
    except PlanInvalid as bad:  # a draft of an older release
        raise Refusal("plan_invalid", bad.problems[0].message, 422) from bad


def _judged(content: Content, event: Event, *, exempt: bool) -> dict[str, Any]:
    plan = compile_plan(content, 0, is_checked=True)
    judgement = judge(event, plan, exempt_system_events=exempt)
    entry = {
        "name": event.name,
        "verdict": judgement.verdict,
        "payload": event.payload,
        "violations": [{**v.as_json(), "message": sentence(v)} for v in judgement.violations],
        "violations_omitted": judgement.omitted,
    }
    return explained_by(plan.find(event.name), entry)


def _event(given: Any) -> Event:
    if not isinstance(given, dict):
        raise Refusal("not_an_object", "An event is a JSON object.", 422)
    names = [name.strip() for member in NAME_MEMBERS if isinstance(name := given.get(member), str)]
    name = next(filter(None, names), None)
    if name is None:
        raise Refusal("no_event_name", "The event has no name. Give it `eventName`, a text.", 422)
    payload: Any = next((given[member] for member in PAYLOAD_MEMBERS if member in given), {})
    if not isinstance(payload, dict):
        raise Refusal("bad_payload", "`payload` (or `properties`) must be an object.", 422)
    return Event(name, payload, given)
