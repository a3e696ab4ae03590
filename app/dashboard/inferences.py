"""From stored events to a draft: of a bounded sample, what all have in common becomes the draft's new events."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from app.errors import Refusal
from app.extensions import db
from app.plans import drafting
from app.plans.aside import aside
from app.plans.content import Content, empty
from app.plans.inferring import Inferred, Observed, key_of
from app.plans.publishing import MERGE, Edition
from app.store import catalogue, past
from app.store.apps import AppRef
from app.store.plans import By
from app.validation import options
from app.validation.judge import is_system_event
from app.validation.paths import relax

SOURCE: Final = "inferred"
# Of one event, newest first.
MOST_SAMPLED: Final = 500
# Of the whole app; an event that is rarer than this is inferred by itself.
MOST_LOOKED_AT: Final = 50_000
MOST_EVENTS: Final = 500
TRIES: Final = 3


def of_event(app: AppRef, name: str) -> Inferred:
    """The event as its newest payloads have it. Raises Refusal `never_seen`."""
    seen = catalogue.seen(app).get(name)
    payloads = catalogue.sample(app, name, seen.last_at) if seen else []
    if not payloads:
        raise Refusal("never_seen", "No event of this name was seen lately.", 404)
    relaxed = options.read(drafting.open_(app).content).relaxed_properties

    def look() -> Inferred:
        observed = Observed(name, MOST_SAMPLED, relaxed=relaxed)
        for payload in payloads:
            observed.see(name, payload)
        return observed.inferred()

    return aside(look)


def of_app(app: AppRef, *, with_planned: bool, tell: Callable[[int], bool]) -> tuple[list[Inferred], int]:
    """The events of the newest MOST_LOOKED_AT, and how many names were left out for want of room.

    with_planned: those too that the draft, or the plan, describes. tell: hears how many were looked at; False ends it.
    """
    content = drafting.open_(app).content
    said = options.read(content)
    known = set() if with_planned else _known(content, relaxed=said.relaxed_events)
    observed: dict[str, Observed] = {}
    left_out: set[str] = set()
    looked_at = 0
    for events in past.newest_first(app, MOST_LOOKED_AT):
        for event in events:
            key = key_of(event.name, relaxed=said.relaxed_events)
            if key in known or (app.exempt_system_events and is_system_event(event.envelope)):
                continue
            if key not in observed and len(observed) >= MOST_EVENTS:
                left_out.add(key)
                continue
            one = observed.setdefault(
                key, Observed(event.name, MOST_SAMPLED, relaxed=said.relaxed_properties)
            )
            if not one.is_full:
                one.see(event.name, event.payload)
        looked_at += len(events)
        if not tell(looked_at):
            return [], 0
    return [one.inferred() for one in observed.values()], len(left_out)


def _known(content: Content, *, relaxed: bool) -> set[str]:
    """The events that the content describes, as they are counted together."""
    return {
        relax(name) if relaxed and "schema" not in definition else key_of(name, relaxed=relaxed)
        for name, definition in content["events"].items()
    }


def adopt(app: AppRef, inferred: Iterable[Inferred], by: By) -> int:
    """Put the events into the draft, in place of those of the same name; its revision. The caller commits.

    Nothing else of the draft is touched, so whoever edits it meanwhile loses nothing. Raises Refusal `plan_changed`.
    """
    events = {one.name: one.definition for one in inferred}
    for tried in range(TRIES):
        opened = drafting.open_(app)
        content = empty() | {"matching": opened.content["matching"], "events": events}
        try:
            return drafting.replace(app, Edition(content, SOURCE, by, MERGE), opened.draft.revision)
        except Refusal as refusal:
            if refusal.code != "plan_changed" or tried == TRIES - 1:
                raise
            db.session.rollback()
    raise AssertionError("the last try returns or raises")


def as_json(one: Inferred) -> dict[str, Any]:
    """An inferred event as a study keeps it: its rules, each with what was seen."""
    rules = [
        {**rule, "seen": evidence}
        for rule, evidence in zip(one.definition["rules"], one.evidence, strict=True)
    ]
    return {"event": one.name, "sampled": one.sampled, "omitted": one.omitted, "rules": rules}
