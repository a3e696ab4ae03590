"""The fields that a planned event should have, as a list: for people who look at one."""

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from app.validation.branches import CHOICES, parts, types
from app.validation.by_rules import RulesEvent, rules_of
from app.validation.compile import PlannedEvent
from app.validation.document import resolve
from app.validation.engine import Schema
from app.validation.paths import EACH, format_rule_path
from app.validation.shared import Both
from app.validation.types import WORDS, one_of

# A schema can describe more fields than anybody looks at, or endlessly many.
MOST_FIELDS: Final = 500
MOST_LEVELS: Final = 8
Field = dict[str, Any]
Way = tuple[str, ...]


def fields_of(planned: PlannedEvent) -> list[Field]:
    """Path (`items[].price`), type in our words, and whether required, in the order of the plan."""
    if isinstance(planned, Both):
        own = fields_of(planned.own)
        paths = {field["path"] for field in own}
        return own + [field for field in fields_of(planned.common) if field["path"] not in paths]
    if isinstance(planned, RulesEvent):
        return [
            {"path": rule.path, "type": rule.type.value, "required": rule.required}
            for _, rule in rules_of(planned.root)
        ]
    document = planned.document
    fields: list[Field] = []
    # Level by level, so that where there are too many it is the deepest that are left out.
    waiting: deque[tuple[Way, list[Any]]] = deque([((), [document])])
    while waiting and len(fields) < MOST_FIELDS:
        way, schemas = waiting.popleft()
        for field, place, found in _below(document, schemas, way):
            fields.append(field)
            if len(place) < MOST_LEVELS:
                waiting.append((place, found))
                if items := [item for schema in found for item in _items(document, schema)]:
                    waiting.append(((*place, EACH), items))
    return fields[:MOST_FIELDS]


def _below(document: Schema, schemas: list[Any], way: Way) -> Iterator[tuple[Field, Way, list[Any]]]:
    """The fields just below a place that these schemas describe, as alternatives or as parts."""
    distinct = {id(resolved): resolved for resolved in (resolve(document, schema) for schema in schemas)}
    described = [_object(document, schema) for schema in distinct.values()]
    required = set.intersection(*(names for _, names in described)) if described else set()
    properties: dict[str, list[Any]] = {}
    for declared, _ in described:
        for name, found in declared.items():
            properties.setdefault(name, []).extend(found)
    for name, found in properties.items():
        place = (*way, name)
        field = {
            "path": format_rule_path(place),
            "type": _type(document, found),
            "required": name in required,
        }
        yield field, place, found


def _object(document: Schema, schema: Any, depth: int = 0) -> tuple[dict[str, list[Any]], set[str]]:
    """The properties that a schema declares, and those it requires; of alternatives what all require."""
    properties: dict[str, list[Any]] = {}
    required: set[str] = set()
    for part in parts(document, schema):
        declared = part.get("properties")
        for name, found in declared.items() if isinstance(declared, dict) else ():
            properties.setdefault(name, []).append(found)
        names = part.get("required")
        required.update(name for name in names if isinstance(name, str)) if isinstance(names, list) else None
        for branches in _choices(part) if depth < MOST_LEVELS else ():
            each = [_object(document, branch, depth + 1) for branch in branches]
            required |= set.intersection(*(wanted for _, wanted in each))
            for found_in_branch, _ in each:
                for name, found in found_in_branch.items():
                    properties.setdefault(name, []).extend(found)
    return properties, required


def _choices(part: dict[str, Any]) -> list[list[Any]]:
    return [part[keyword] for keyword in CHOICES if isinstance(part.get(keyword), list) and part[keyword]]


def _items(document: Schema, schema: Any) -> list[Any]:
    found = []
    for part in parts(document, schema):
        found += [part["items"]] if isinstance(part.get("items"), dict) else []
        for branches in _choices(part):
            found += [
                b["items"] for b in branches if isinstance(b, dict) and isinstance(b.get("items"), dict)
            ]
    return found


def _type(document: Schema, schemas: list[Any]) -> str:
    words: list[str] = []
    for schema in {id(resolved): resolved for resolved in (resolve(document, s) for s in schemas)}.values():
        admitted = types(document, schema)
        if admitted is None:
            return "any"
        words += sorted(admitted)
    return one_of([WORDS.get(word, word) for word in words])
