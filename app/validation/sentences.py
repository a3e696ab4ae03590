"""What a violation says to a person: made when it is shown, so that the stored code and parameters stay
stable.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from app.validation.model import Violation, ViolationKind
from app.validation.types import WORDS

_PAYLOAD: Final = "The payload"
Shape = dict[str, Any]


def sentence(violation: Violation | Shape) -> str:
    """One violation in one or two sentences. Takes it as the judge made it or as it was stored."""
    shape = violation.as_json() if isinstance(violation, Violation) else violation
    say = _SENTENCES.get(shape.get("kind", ""))
    return say(shape) if say else f"{_place(shape)} breaks the plan."


def _place(shape: Shape) -> str:
    path = shape.get("path")
    return f"`{path}`" if path else _PAYLOAD


def _received(shape: Shape) -> str:
    """The received value, or that it is private."""
    return "something else (its value is private)" if shape.get("private") else _quoted(shape.get("received"))


def _quoted(value: Any) -> str:
    """A value in a sentence: texts in quotation marks, everything else as JSON."""
    return json.dumps(value, ensure_ascii=False)


def _a(word: str) -> str:
    """The type word with its article."""
    if word in ("text", "null") or not word:
        return word
    first, *rest = word.split(" or ")
    article = "an" if first[:1] in "aeiou" else "a"
    one = first if first in ("text", "null") else f"{article} {first}"
    return " or ".join([one, *(_a(other) for other in rest)])


def _missing(shape: Shape) -> str:
    expected = shape.get("expected")
    said = f"{_place(shape)} is missing."
    if isinstance(expected, list) and expected:
        said = f"{_place(shape)} is missing. It must be {_listed(expected)}."
    elif isinstance(expected, str):
        said = f"{_place(shape)} is missing. It must be {_a(expected)}."
    near = shape.get("suggestion")
    return f"{said} The event has `{near}`: is that what it was meant to be?" if near else said


def _empty(shape: Shape) -> str:
    what = "null" if shape.get("received") == "null" else "empty"
    expected = shape.get("expected")
    wanted = _a(expected) if isinstance(expected, str) and expected != "any" else "a value"
    return f"{_place(shape)} is {what}, but must be {wanted}."


def _mistyped(shape: Shape) -> str:
    expected, received = shape.get("expected") or "of another type", shape.get("received") or "nothing"
    said = f"{_place(shape)} must be {_a(str(expected))}, but is {_a(str(received))}."
    near = shape.get("suggestion")
    return f"{said} Send {near} without quotation marks." if near is not None else said


def _unplanned_property(shape: Shape) -> str:
    near = shape.get("suggestion")
    said = f"{_place(shape)} is not in the plan."
    return f"{said} Did you mean `{near}`?" if near else said


def _unplanned_event(shape: Shape) -> str:
    near = shape.get("suggestion")
    said = f"The plan has no event {_quoted(shape.get('received'))}."
    return f"{said} Did you mean `{near}`?" if near else said


def _condition(shape: Shape) -> str:
    expected = shape.get("expected") if isinstance(shape.get("expected"), dict) else {}
    assert isinstance(expected, dict)
    if beside := expected.get("with"):
        return f"{_place(shape)} {_state(shape)}. It must come with {_names(beside)}."
    when = _when(expected)
    if expected.get("forbidden"):
        return f"{_place(shape)} must not be sent when {when}."
    kind, constraints = expected.get("type", "any"), expected.get("constraints")
    wanted = "there" if kind == "any" else _a(str(kind))
    if isinstance(constraints, dict) and constraints:
        limits = " and ".join(f"{name} {_quoted(limit)}" for name, limit in constraints.items())
        wanted = f"{wanted} with {limits}"
    return f"{_place(shape)} {_state(shape, has_value=bool(constraints))}. It must be {wanted} when {when}."


def _state(shape: Shape, *, has_value: bool = False) -> str:
    """What is there instead of what a condition asks for; `has_value`: it can be the value itself."""
    received = shape.get("received")
    if shape.get("private"):
        return "is something else (its value is private)"
    if received is None:
        return "is missing"
    if isinstance(received, str) and not received.strip():
        return "is empty"
    is_word = isinstance(received, str) and received in WORDS.values()
    return f"is {_quoted(received)}" if has_value and not is_word else f"is {_a(str(received))}"


def _when(expected: dict[str, Any]) -> str:
    """A condition's premise."""
    for state in ("present", "absent"):
        if path := expected.get(state):
            return f"`{path}` is {state}"
    when = expected.get("when")
    premises = [
        f"`{path}` is {_listed(value) if isinstance(value, list) and value else _quoted(value)}"
        for path, value in (when.items() if isinstance(when, dict) else ())
    ]
    return " and ".join(premises) or "its condition holds"


def _names(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names) if isinstance(names, list) else f"`{names}`"


def _listed(options: list[Any]) -> str:
    """ "EUR" or "USD"; with more than two, commas before."""
    words = [option if _is_rest(option) else _quoted(option) for option in options]
    if len(words) == 1:
        return words[0]
    if _is_rest(options[-1]):
        return "one of " + ", ".join(words)
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _is_rest(option: Any) -> bool:
    return isinstance(option, str) and option.startswith("… ") and option.endswith(" more")


def _times(count: Any, noun: str) -> str:
    return (
        f"{count} {noun}"
        if count == 1
        else f"{count} {noun}s"
        if noun != "property"
        else f"{count} properties"
    )


def _limit(words: str) -> Callable[[Shape], str]:
    return lambda s: f"{_place(s)} must be {words} {_quoted(s.get('expected'))}, but is {_received(s)}."


def _count(words: str, noun: str) -> Callable[[Shape], str]:
    return lambda s: (
        f"{_place(s)} must have {words} {_times(s.get('expected'), noun)}, but has {s.get('received')}."
    )


def _enum(shape: Shape) -> str:
    options = shape.get("expected")
    wanted = _listed(options) if isinstance(options, list) and options else "one of no values at all"
    near = shape.get("suggestion")
    hint = f" Did you mean {_quoted(near)}?" if near else ""
    return f"{_place(shape)} must be {wanted}, but is {_received(shape)}.{hint}"


def _format(shape: Shape) -> str:
    expected, received = shape.get("expected"), _received(shape)
    shapes = {
        "date": "a real day, like 2025-11-03",
        "datetime": "a real moment, like 2025-11-03T10:30:00",
        "date-time": "a date and time with its zone, like 2025-11-03T10:30:00Z",
        "epoch seconds": "a number of seconds since 1970, like 1762165800",
        "epoch milliseconds": "a number of milliseconds since 1970, like 1762165800000",
        "country": "a country's code of two letters (ISO 3166-1), like DE",
        "currency": "a currency's code of three letters (ISO 4217), like EUR",
        "semver": "a semantic version, like 1.4.0",
    }
    wanted = shapes.get(str(expected), f"in the format {expected}")
    return f"{_place(shape)} must be {wanted}, but is {received}."


def _property_names(shape: Shape) -> str:
    expected = shape.get("expected")
    wanted = (
        ", ".join(f"{k} {_quoted(v)}" for k, v in expected.items()) if isinstance(expected, dict) else "other"
    )
    return f"The name of {_place(shape)} is not allowed: names must have {wanted}."


def _one_of(shape: Shape) -> str:
    expected, received = shape.get("expected"), shape.get("received")
    if expected == "exactly one":
        names = _listed(received) if isinstance(received, list) else _quoted(received)
        return f"{_place(shape)} fits several alternatives at once ({names}), but may fit only one."
    return _any_of(shape)


def _any_of(shape: Shape) -> str:
    expected = shape.get("expected")
    options = expected if isinstance(expected, list) else [expected]
    words = [
        " and ".join(f"{k} {_quoted(v)}" for k, v in option.items())
        if isinstance(option, dict)
        else str(option)
        for option in options
    ]
    return f"{_place(shape)} must be one of: {'; '.join(words)}; but is {_received(shape)}."


def _properties(how: str) -> Callable[[Shape], str]:
    return lambda s: f"{_place(s)} must have {how} of {_names(s.get('expected'))}."


_CONSTRAINTS: Final[dict[str, Callable[[Shape], str]]] = {
    "enum": _enum,
    "const": _limit("exactly"),
    "pattern": lambda s: f"{_place(s)} must match `{s.get('expected')}`, but is {_received(s)}.",
    "format": _format,
    "minimum": _limit("at least"),
    "maximum": _limit("at most"),
    "exclusive_minimum": _limit("more than"),
    "exclusive_maximum": _limit("less than"),
    "multiple_of": _limit("a multiple of"),
    "min_length": _count("at least", "character"),
    "max_length": _count("at most", "character"),
    "min_items": _count("at least", "item"),
    "max_items": _count("at most", "item"),
    "min_properties": _count("at least", "property"),
    "max_properties": _count("at most", "property"),
    "unique_items": lambda s: (
        f"{_place(s)} must not repeat an item, but repeats "
        f"{'one (its value is private)' if s.get('private') else _quoted(s.get('received'))}."
    ),
    "contains": lambda s: f"{_place(s)} does not have as many items of the asked kind as it must.",
    "not": lambda s: f"{_place(s)} must not be {_quoted(s.get('received'))}: the plan excludes it.",
    "forbidden": lambda s: f"{_place(s)} must not be sent at all.",
    "property_names": _property_names,
    "one_of": _one_of,
    "any_of": _any_of,
    "one_of_properties": _properties("exactly one"),
    "any_of_properties": _properties("at least one"),
    "readable": lambda s: "The payload is not JSON that can be judged.",
    "schema": lambda s: "The payload does not fit the event's schema.",
}


def _constraint(shape: Shape) -> str:
    say = _CONSTRAINTS.get(shape.get("constraint") or "")
    if say:
        return say(shape)
    return f"{_place(shape)} breaks `{shape.get('constraint')}`: it is {_quoted(shape.get('received'))}."


_SENTENCES: Final[dict[str, Callable[[Shape], str]]] = {
    ViolationKind.MISSING_PROPERTY: _missing,
    ViolationKind.EMPTY_VALUE: _empty,
    ViolationKind.TYPE_MISMATCH: _mistyped,
    ViolationKind.CONSTRAINT_BROKEN: _constraint,
    ViolationKind.UNPLANNED_PROPERTY: _unplanned_property,
    ViolationKind.UNPLANNED_EVENT: _unplanned_event,
    ViolationKind.CONDITION_BROKEN: _condition,
}
