"""What there is to say about a route, and what the rooms' tables of them share."""

from dataclasses import dataclass, field
from typing import Any

from app.dashboard.openapi.schemas import KIND, MOMENT, VERDICT, Schema, ref
from app.dashboard.scope import RANGES
from app.store.filters import Origin

ERROR = ref("Error")
FILTERS: dict[str, Schema] = {
    **dict.fromkeys(
        ("event", "path", "app_version", "platform", "session", "device", "identity", "q"),
        {"type": "string", "maxLength": 256},
    ),
    "origin": {"enum": list(Origin)},
    "verdict": VERDICT,
    "kind": KIND,
}
SCOPE: dict[str, Schema] = {
    "range": {"enum": list(RANGES)},
    "from": MOMENT,
    "to": MOMENT,
    "platform": {"type": "string", "maxLength": 256},
    "app_version": {"type": "string", "maxLength": 256},
}


@dataclass(frozen=True, slots=True)
class Example:
    """A body, and the status with which it is answered. `query`: what stands behind the path."""

    name: str
    value: Any
    status: int
    media_type: str = "application/json"
    query: str = ""


@dataclass(frozen=True, slots=True)
class Described:
    """One route. `answers`: status → schema, None where no body comes. `media_type`: of the good answers."""

    tag: str
    answers: dict[int, Schema | None]
    query: dict[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    examples: tuple[Example, ...] = ()
    media_type: str = "application/json"
    is_csrf_checked: bool = False
    headers: dict[str, Schema] = field(default_factory=dict)
