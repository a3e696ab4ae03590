"""One event's JSON Schema as a document of its own: its schema, its dialect, and the definitions that it
uses.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import unquote

from app.validation.engine import DEFAULT_DIALECT, Schema, check
from app.validation.problems import Problem

DEFINITIONS: Final = ("$defs", "definitions")
# Deeper than any schema written by people; jsonschema-rs itself stops at 255.
MOST_LEVELS: Final = 128
# Places to visit if every reference were written out; the largest schema of GitHub's webhooks has 20,000.
# Beyond this, a few lines of nested choices could keep a core busy for seconds.
MOST_PLACES: Final = 2_000_000
# What one element of an array, or one property of many, may be asked: an event can have 30,000 elements.
MOST_ASKED_OF_EACH: Final = 5_000
_EACH: Final = ("items", "prefixItems", "additionalItems", "contains", "unevaluatedItems", "propertyNames")
_EACH_PROPERTY: Final = ("additionalProperties", "unevaluatedProperties", "patternProperties")
_OF_THE_SAME: Final = (
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependencies",
)
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_DEFINITION: Final = re.compile(r"#/(\$defs|definitions)/([^/]+)")


def build(schema: Schema, dialect: str | None, definitions: dict[str, dict[str, Any]]) -> Schema:
    """The schema with its dialect and, under `$defs` and `definitions`, what of the bundle's it refers to.

    Only what is used is added: compiling a document costs its size, once per event.
    """
    if isinstance(schema, bool):
        return schema
    document = {**schema}
    document.setdefault("$schema", dialect or DEFAULT_DIALECT)
    used = _used(schema, definitions)
    for place in DEFINITIONS:
        if used[place]:
            own = schema.get(place)
            document[place] = {**(own if isinstance(own, dict) else {}), **used[place]}
    return document


def _used(schema: Schema, definitions: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    used: dict[str, dict[str, Any]] = {place: {} for place in DEFINITIONS}
    waiting: list[Any] = [schema]
    while waiting:
        for reference in _references(waiting.pop()):
            found = _DEFINITION.match(reference)
            if found is None:
                if reference == "#" or reference.startswith("#/"):
                    continue
                # An anchor or a URI could be answered anywhere in the bundle.
                return {place: dict(definitions.get(place, {})) for place in DEFINITIONS}
            place, name = found.group(1), unescape(found.group(2))
            if name not in used[place] and name in definitions.get(place, {}):
                used[place][name] = definitions[place][name]
                waiting.append(definitions[place][name])
    return used


def _references(schema: Any) -> Iterator[str]:
    for part in containers(schema):
        if isinstance(part, dict):
            for keyword in _REFERENCES:
                if isinstance(reference := part.get(keyword), str):
                    yield reference


def containers(value: Any) -> Iterator[dict[str, Any] | list[Any]]:
    """Every object and array in a JSON value, itself included, without recursion."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            yield part
            waiting.extend(part)


def unescape(token: str) -> str:
    """A token of a JSON pointer in a URI fragment as the key that it names."""
    return unquote(token).replace("~1", "/").replace("~0", "~")


def at(document: Any, steps: Sequence[str | int]) -> Any:
    """What stands at these steps, or None."""
    for step in steps:
        if isinstance(document, list) and isinstance(step, str) and step.isdecimal():
            step = int(step)  # a JSON pointer spells indexes like keys
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def target_of(document: Schema, reference: Any) -> Any:
    """The part of the document that a local reference names, or None."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    return at(document, [unescape(token) for token in reference.split("/")[1:]])


def resolve(document: Schema, schema: Any) -> Any:
    """The schema that local references lead to, at most 20 on; the schema itself where it has none."""
    for _ in range(20):
        target = target_of(document, schema.get("$ref")) if isinstance(schema, dict) else None
        if target is None:
            break
        schema = target
    return schema


def problems(document: Schema) -> list[Problem]:
    """Why this document cannot be judged by; empty where it can. Codes: too_deep, too_complex, and
    `engine.check`'s.
    """
    if levels(document) > MOST_LEVELS:
        return [Problem("too_deep", f"The schema is nested deeper than {MOST_LEVELS} levels.")]
    found = check(document)
    if not found and _places(document) > MOST_PLACES:
        text = "With its references written out, the schema has over two million places. Nest fewer choices."
        return [Problem("too_complex", text)]
    if not found and _asked_of_each(document) > MOST_ASKED_OF_EACH:
        text = "One element of an array would be asked over 5,000 things. Nest fewer choices there."
        return [Problem("too_complex", text)]
    return found


def levels(value: Any) -> int:
    """How deep a JSON value is nested; counting stops just above MOST_LEVELS."""
    deepest, layer = 0, [value]
    while layer and deepest <= MOST_LEVELS:
        layer = [
            child
            for part in layer
            if isinstance(part, (dict, list))
            for child in (part.values() if isinstance(part, dict) else part)
        ]
        deepest += 1
    return deepest


def _asked_of_each(document: Schema) -> int:
    """The most that one of many elements or properties is asked anywhere: the schemas that it must be tried by."""
    most, weights = 0, _weights(document)
    for part in containers(document):
        if not isinstance(part, dict):
            continue
        for keyword in (*_EACH, *_EACH_PROPERTY):
            asked = part.get(keyword)
            for schema in asked if isinstance(asked, list) else _schemas(asked):
                most = max(most, weights.get(id(schema), 0), _values(schema))
    return most


def _weights(document: Schema) -> dict[int, int]:
    """By schema, how many schemas are asked of the same value as it is, with references followed."""
    weights: dict[int, int] = {}
    open_now: set[int] = set()
    waiting: list[tuple[Any, bool]] = [(part, False) for part in containers(document)]
    while waiting:
        part, is_closing = waiting.pop()
        if is_closing:
            open_now.discard(id(part))
            below = sum(weights.get(id(child), 1) for child in _beside(document, part))
            weights[id(part)] = 1 + below + _values(part)
        elif id(part) not in weights and id(part) not in open_now:
            open_now.add(id(part))
            waiting.append((part, True))
            waiting.extend((child, False) for child in _beside(document, part))
    return weights


def _beside(document: Schema, part: Any) -> list[Any]:
    """The schemas that are asked of the same value."""
    if not isinstance(part, dict):
        return []
    below = [value for keyword in _OF_THE_SAME if keyword in part for value in _schemas(part[keyword])]
    target = target_of(document, part.get("$ref"))
    return [*below, target] if isinstance(target, dict) else below


def _schemas(value: Any) -> list[Any]:
    """The value, or what it lists: a schema, a list of schemas, or schemas by name."""
    if isinstance(value, list):
        return [item for item in value if isinstance(item, dict)]
    return (
        [value, *(item for item in value.values() if isinstance(item, dict))]
        if isinstance(value, dict)
        else []
    )


def _values(schema: Any) -> int:
    """Lists of objects and arrays are compared one by one; of other values the engine keeps an index."""
    values = schema.get("enum") if isinstance(schema, dict) else None
    is_compared = isinstance(values, list) and any(isinstance(value, (dict, list)) for value in values)
    return len(values) * 5 if is_compared and values else 0


def _places(document: Schema) -> int:
    """The number of places that the document has when every local reference is written out.

    A reference back into what is being written counts as one: jsonschema-rs remembers what it found there.
    """
    counted: dict[int, int] = {}
    open_now: set[int] = set()
    waiting: list[tuple[Any, bool]] = [(document, False)]
    while waiting:
        part, is_closing = waiting.pop()
        if is_closing:
            open_now.discard(id(part))
            counted[id(part)] = 1 + sum(counted.get(id(child), 1) for child in _below(document, part))
        elif id(part) not in counted and id(part) not in open_now:
            open_now.add(id(part))
            waiting.append((part, True))
            waiting.extend((child, False) for child in _below(document, part))
    return counted.get(id(document), 1)


def _below(document: Schema, part: Any) -> list[Any]:
    if isinstance(part, list):
        return [child for child in part if isinstance(child, (dict, list))]
    if not isinstance(part, dict):
        return []
    below = [v for k, v in part.items() if k not in DEFINITIONS and isinstance(v, (dict, list))]
    target = target_of(document, part.get("$ref"))
    return [*below, target] if isinstance(target, (dict, list)) else below
