"""The fields that an event should have, listed for people."""

import orjson

from app.plans import importing
from app.plans.expected import MOST_FIELDS, fields_of
from app.validation.compile import compile_plan
from local import github


def fields(definition: dict[str, object]) -> list[tuple[str, str, bool]]:
    planned = compile_plan({"events": {"e": definition}}, 1).events["e"]
    return [(field["path"], field["type"], field["required"]) for field in fields_of(planned)]


def test_the_fields_of_rules_are_the_rules_in_their_order() -> None:
    rules = [
        {"path": "z", "type": "text", "required": True},
        {"path": "items[].price", "type": "number"},
        {"path": "a.b", "type": "date"},
    ]
    assert fields({"rules": rules}) == [
        ("z", "text", True),
        ("items[].price", "number", False),
        ("a.b", "date", False),
    ]


def test_the_fields_of_a_schema_go_through_references_arrays_and_choices() -> None:
    schema = {
        "$defs": {
            "money": {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}
        },
        "required": ["total"],
        "properties": {
            "total": {"$ref": "#/$defs/money"},
            "lines": {"type": "array", "items": {"properties": {"odd.key": {"enum": ["a", None]}}}},
            "note": {"type": ["string", "null"]},
            "free": {},
        },
        "oneOf": [
            {"required": ["card", "by"], "properties": {"card": {"type": "string"}, "by": {"const": "card"}}},
            {"required": ["by"], "properties": {"by": {"const": "cash"}}},
        ],
    }
    assert sorted(fields({"schema": schema})) == [
        ("by", "text", True),
        ("card", "text", False),
        ("free", "any", False),
        ("lines", "array", False),
        ('lines[]["odd.key"]', "text or null", False),
        ("note", "text or null", False),
        ("total", "object", True),
        ("total.amount", "number", True),
    ]


def test_a_schema_that_contains_itself_is_listed_to_an_end() -> None:
    node = {"properties": {"next": {"$ref": "#"}, "value": {"type": "integer"}}}
    assert 2 < len(fields({"schema": node})) <= MOST_FIELDS
    assert fields({"schema": True}) == []


def test_githubs_events_are_listed_from_the_top() -> None:
    imported = importing.read("json-schema", orjson.dumps(github.bundle()))
    planned = compile_plan(imported.content, 1, is_checked=True).events["issues"]
    found = {field["path"]: field for field in fields_of(planned)}
    assert len(found) == MOST_FIELDS
    assert found["action"] == {"path": "action", "type": "text", "required": True}
    assert found["sender"]["required"]
    assert not found["organization"]["required"]
    assert found["issue.labels[].name"]["type"] == "text"
