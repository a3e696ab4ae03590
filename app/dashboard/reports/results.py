"""Results: stored events with what is wrong with each. A row for each violation, one for an event without any."""

from collections.abc import Iterator
from typing import Any, Final

from app.dashboard.reports.files import Cell, Item, Shape, as_text
from app.live import stream

OF_EVENT: Final = (
    "received_at",
    "event_id",
    "message_id",
    "name",
    "verdict",
    "app_version",
    "platform",
    "session_id",
    "device_id",
    "origin",
    "plan_version",
)
OF_VIOLATION: Final = ("severity", "kind", "path", "constraint", "expected", "received", "message")


def items(events: list[dict[str, Any]]) -> list[Item]:
    """The events with a sentence for each violation."""
    return [stream.with_sentences(event) for event in events]


def _rows(event: Item) -> Iterator[list[Cell]]:
    """The event's facts in each row, so that one may sort; its payload in the first."""
    facts: list[Cell] = [event[fact] for fact in OF_EVENT]
    payload = as_text(event["payload"])
    for violation in event["violations"] or [{}]:
        yield [*facts, *(as_text(violation.get(fact)) for fact in OF_VIOLATION), payload]
        payload = ""


RESULTS: Final = Shape("results", (*OF_EVENT, *OF_VIOLATION, "payload"), _rows)
