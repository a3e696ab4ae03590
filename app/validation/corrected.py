"""The payload as it was probably meant: what the violations suggest, done."""

import copy
from typing import Any, Final

import orjson

from app.validation.compile import PlannedEvent
from app.validation.model import Violation, ViolationKind
from app.validation.paths import BadPath, parse_path

# One correction can show the next: a name that was a slip, and then a text where a number belongs.
MOST_ROUNDS: Final = 5
_VALUES: Final = ("enum",)


def corrected(payload: dict[str, Any], planned: PlannedEvent) -> dict[str, Any] | None:
    """The payload with every safe suggestion followed; None where there is none. The payload itself stays.

    Safe is: a property under the name that the plan has for it, where nothing is there yet; a number or a truth
    value without its quotation marks; the one allowed value that a text is a slip of. Nothing is made up, and
    nothing is dropped. Raises ValueError for a payload that is not JSON.
    """
    mended = payload
    for _ in range(MOST_ROUNDS):
        copied = copy.deepcopy(mended)
        violations = planned.judge(copied).violations
        if not sum([_correct(copied, violation) for violation in violations]):
            break
        mended = copied
    return None if mended is payload else mended


def _correct(payload: dict[str, Any], violation: Violation) -> bool:
    """Follow one violation's suggestion in place; whether anything changed."""
    if violation.suggestion is None:
        return False
    try:
        *way, last = parse_path(violation.path)
        parent: Any = payload
        for step in way:
            parent = parent[step]
        return _follow(parent, last, violation)
    except (BadPath, LookupError, TypeError):  # a key too long to be told, or mended on the way here
        return False


def _follow(parent: Any, last: str | int, violation: Violation) -> bool:
    suggestion = violation.suggestion
    match violation.kind:
        case ViolationKind.MISSING_PROPERTY:
            return _rename(parent, suggestion, last)
        case ViolationKind.UNPLANNED_PROPERTY:
            return _rename(parent, last, suggestion)
        case ViolationKind.TYPE_MISMATCH if isinstance(parent[last], str):
            parent[last] = orjson.loads(suggestion or "")
            return True
        case ViolationKind.CONSTRAINT_BROKEN if violation.constraint in _VALUES:
            parent[last] = suggestion
            return True
    return False


def _rename(parent: Any, old: Any, new: Any) -> bool:
    """Give a key another name in its place; not where the name is taken."""
    if not isinstance(parent, dict) or old not in parent or new in parent:
        return False
    items = [(new if key == old else key, value) for key, value in parent.items()]
    parent.clear()
    parent.update(items)
    return True
