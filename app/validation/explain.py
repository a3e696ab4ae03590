"""What the errors of jsonschema-rs say of a value, one by one: which constraint, what it wants, what came."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson
from jsonschema_rs import ValidationErrorKind as Kind

from app.validation.document import containers
from app.validation.model import Severity, Violation, ViolationKind
from app.validation.near import near_names
from app.validation.preview import preview, preview_options
from app.validation.types import WORDS, one_of, word_for

# A list of more texts than this gets no "did you mean": its index would not be worth its memory.
MOST_OPTIONS: Final = 500
# Larger than this, an invalid payload is explained by its first error alone: errors cost about 10 µs each,
# and an array of 30,000 wrong numbers has 30,000.
MOST_PLACES: Final = 10_000
# Each error carries a copy of the object that it is about, so errors of one object cost its size each.
MOST_COPIED_BYTES: Final = 3_000_000
_WEIGHTS: Final = {"required": 1, "allOf": 1, "enum": 5, "oneOf": 5, "anyOf": 5}
# Looked up once: a member of an enum costs more than the rest of a violation.
_TYPE_MISMATCH: Final = ViolationKind.TYPE_MISMATCH
_EMPTY_VALUE: Final = ViolationKind.EMPTY_VALUE
_CONSTRAINT_BROKEN: Final = ViolationKind.CONSTRAINT_BROKEN
# How a number or a boolean can begin; nearly every text that is wrong ends here.
_FIRST: Final = frozenset("-0123456789tTfF")
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?")

Broken = tuple[str, Any, Any]  # the constraint's name, what it expects, what it received


def _size(value: Any) -> Any:
    return len(value) if isinstance(value, (str, list, dict)) else preview(value)


_BROKEN: Final[dict[type, Callable[[Any, Any], Broken]]] = {
    Kind.Enum: lambda kind, value: ("enum", preview_options(kind.options), preview(value)),
    Kind.Constant: lambda kind, value: ("const", preview(kind.expected_value), preview(value)),
    Kind.Pattern: lambda kind, value: ("pattern", preview(kind.pattern), preview(value)),
    Kind.Format: lambda kind, value: ("format", kind.format, preview(value)),
    Kind.Minimum: lambda kind, value: ("minimum", kind.limit, preview(value)),
    Kind.Maximum: lambda kind, value: ("maximum", kind.limit, preview(value)),
    Kind.ExclusiveMinimum: lambda kind, value: ("exclusive_minimum", kind.limit, preview(value)),
    Kind.ExclusiveMaximum: lambda kind, value: ("exclusive_maximum", kind.limit, preview(value)),
    Kind.MultipleOf: lambda kind, value: ("multiple_of", kind.multiple_of, preview(value)),
    Kind.MinLength: lambda kind, value: ("min_length", kind.limit, _size(value)),
    Kind.MaxLength: lambda kind, value: ("max_length", kind.limit, _size(value)),
    Kind.MinItems: lambda kind, value: ("min_items", kind.limit, _size(value)),
    Kind.MaxItems: lambda kind, value: ("max_items", kind.limit, _size(value)),
    Kind.AdditionalItems: lambda kind, value: ("max_items", kind.limit, _size(value)),
    Kind.UnevaluatedItems: lambda kind, value: (
        "max_items",
        _size(value) - len(kind.unexpected),
        _size(value),
    ),
    Kind.MinProperties: lambda kind, value: ("min_properties", kind.limit, _size(value)),
    Kind.MaxProperties: lambda kind, value: ("max_properties", kind.limit, _size(value)),
    Kind.UniqueItems: lambda kind, value: ("unique_items", True, _first_twin(value)),
    Kind.Contains: lambda kind, value: ("contains", None, _size(value)),
    Kind.ContentEncoding: lambda kind, value: ("content_encoding", kind.content_encoding, preview(value)),
    Kind.ContentMediaType: lambda kind, value: (
        "content_media_type",
        kind.content_media_type,
        preview(value),
    ),
    Kind.Not: lambda kind, value: ("not", preview(kind.schema), preview(value)),
    Kind.FalseSchema: lambda kind, value: ("forbidden", None, preview(value)),
}


def broken(kind: Any, value: Any) -> Broken:
    """The constraint behind an error. A keyword that this judge does not know keeps its own name."""
    explain = _BROKEN.get(type(kind))
    return explain(kind, value) if explain else (snake(kind.name), None, preview(value))


def constraint_broken(kind: Any, path: str, value: Any) -> Violation:
    """The violation for an error about a value that is there and of the right type."""
    constraint, expected, received = broken(kind, value)
    suggestion = None
    if constraint == "enum" and isinstance(value, str):
        suggestion = nearest_option(kind.options, value)
    return Violation(_CONSTRAINT_BROKEN, path, expected, received, Severity.ERROR, constraint, suggestion)


def nearest_option(options: list[Any], value: str) -> str | None:
    """The text among the options that was probably meant."""
    if len(options) > MOST_OPTIONS:
        return None
    return near_names(tuple([option for option in options if isinstance(option, str)])).nearest(value)


def type_mismatch(
    types: tuple[str, ...], path: str, value: Any, severity: Severity = Severity.ERROR
) -> Violation:
    """The violation for a value of another type; `types` in JSON Schema's words."""
    if type(value) is not str:
        return Violation(_TYPE_MISMATCH, path, _words(types), word_for(value), severity)
    near = unquoted(value, types)
    return Violation(_TYPE_MISMATCH, path, _words(types), "text", severity, None, near)


@lru_cache(maxsize=256)
def _words(types: tuple[str, ...]) -> str:
    return one_of([WORDS.get(word, word) for word in types])


def unquoted(text: str, types: Sequence[str]) -> str | None:
    """The text without its quotes, where that is a value of one of these types."""
    if text[:1] not in _FIRST:
        return None
    if "number" in types and _NUMBER.fullmatch(text):
        return text
    if "integer" in types and _INTEGER.fullmatch(text):
        return text
    return text.lower() if "boolean" in types and text.lower() in ("true", "false") else None


def _first_twin(items: Any) -> Any:
    """The first value that comes a second time."""
    seen: list[Any] = []
    for item in items[:200] if isinstance(items, list) else []:
        if any(item == other and (type(item) is bool) == (type(other) is bool) for other in seen):
            return preview(item)
        seen.append(item)
    return _size(items)


def without_echoes(found: list[Violation]) -> list[Violation]:
    """Without what only follows from a wrong type or no value at the same place.

    The integer 5 is then no member of a list of texts either, but that helps nobody.
    """
    settled, broken = [], False
    for violation in found:
        kind = violation.kind
        if kind is _TYPE_MISMATCH or kind is _EMPTY_VALUE:
            settled.append(violation.path)
        elif kind is _CONSTRAINT_BROKEN:
            broken = True
    if not settled or not broken:
        return found
    return [v for v in found if v.kind is not _CONSTRAINT_BROKEN or v.path not in settled]


def is_large(payload: Any, widest: int) -> bool:
    """Whether a payload is too large for its errors to be listed; `widest` is how many one object can have."""
    try:
        size = len(orjson.dumps(payload))
    except TypeError:  # an integer beyond 64 bits, which no parser of ours makes
        size = 0
    if size * widest > MOST_COPIED_BYTES:
        return True
    if size and size <= MOST_PLACES:  # a place takes a byte at least
        return False
    places, waiting = 0, [payload] if isinstance(payload, (dict, list)) else []
    while waiting and places <= MOST_PLACES:
        part = waiting.pop()
        places += len(part)
        children = part.values() if isinstance(part, dict) else part
        waiting.extend(child for child in children if isinstance(child, (dict, list)))
    return places > MOST_PLACES


def widest(schema: Any) -> int:
    """How many errors one object can have by a single keyword of this schema, or what weighs as much.

    An error about a list of values carries a copy of it, and one about a choice asked every branch.
    """
    found = 0
    for part in containers(schema):
        if isinstance(part, dict):
            for keyword, weight in _WEIGHTS.items():
                if isinstance(listed := part.get(keyword), list):
                    found = max(found, len(listed) // weight)
    return found


def snake(keyword: str) -> str:
    """A JSON Schema keyword in our spelling: maxLength is max_length."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", keyword).lower()
