"""The judge: one event, one plan, one verdict."""

from typing import Any, Final

from app.validation.compile import CompiledPlan
from app.validation.model import EXEMPT, Event, Judgement, Severity, Verdict, Violation, ViolationKind
from app.validation.preview import preview

# What is said of a payload that no parser of ours lets through: not JSON, or nested beyond all measure.
UNREADABLE: Final = Judgement(
    Verdict.INVALID, (Violation(ViolationKind.CONSTRAINT_BROKEN, "", "JSON", None, constraint="readable"),)
)


def judge(event: Event, plan: CompiledPlan | None, *, exempt_system_events: bool = False) -> Judgement:
    """The verdict on an event. Never raises, whatever the event; None is a plan that was never published.

    The cost depends on the event and on what the plan says of it, not on the plan's other events.
    """
    if exempt_system_events and is_system_event(event.envelope):
        return EXEMPT
    planned = plan.find(event.name) if plan is not None else None
    if planned is None:
        return _unplanned(event.name, plan)
    try:
        return planned.judge(event.payload)
    except ValueError:  # how jsonschema-rs refuses what is not JSON
        return UNREADABLE


def is_system_event(envelope: dict[str, Any]) -> bool:
    """Whether an SDK sent this of its own accord: its `eventId` is an integer, or digits, other than 0."""
    given = envelope.get("eventId")
    if isinstance(given, str):
        return given.isascii() and given.isdigit() and given.strip("0") != ""
    return isinstance(given, int) and not isinstance(given, bool) and given != 0


def _unplanned(name: str, plan: CompiledPlan | None) -> Judgement:
    severity = plan.unplanned_events if plan is not None else Severity.WARNING
    if severity is None:
        return Judgement(Verdict.UNPLANNED)
    near = plan.nearest(name) if plan is not None else None
    violation = Violation(ViolationKind.UNPLANNED_EVENT, "", None, preview(name), severity, suggestion=near)
    return Judgement(Verdict.UNPLANNED, (violation,))
