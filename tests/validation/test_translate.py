"""Rules as a JSON Schema, and a JSON Schema as rules."""

import json
from typing import Any

import jsonschema_rs
import pytest

from app.validation.options import Options
from app.validation.translate import rules_as_schema, schema_as_rules

RULES: dict[str, Any] = {
    "description": "Somebody paid.",
    "rules": [
        {"path": "order_id", "type": "text", "required": True, "description": "Ours", "owner": "Shop"},
        {"path": "at.moments[]", "type": "datetime", "epoch": "seconds", "nullable": True},
        {"path": "day", "type": "date", "severity": "warning"},
        {"path": "currency", "type": "text", "required": True, "constraints": {"format": "currency"}},
        {"path": "email", "type": "text", "private": True, "constraints": {"format": "email"}},
        {"path": "anything", "type": "any", "required": True},
        {"path": "this", "type": "any", "required": True, "nullable": True, "constraints": {"const": 5}},
        {"path": "items", "type": "array", "constraints": {"unique_items": True, "max_items": 9}},
        {"path": "items[].price", "type": "number", "required": True, "constraints": {"minimum": 0}},
        {"path": "note", "type": "text", "required": True, "blank": True},
        {"path": "said", "type": "text", "required": True, "constraints": {"pattern": r"\S"}},
        {"path": "odd.items[].tags[]", "type": "text", "constraints": {"enum": ["a", "b"]}},
    ],
    "conditions": [
        {"if": "order_id", "equals": "x", "then": "note", "type": "text"},
        {"if": "order_id", "present": False, "then": "odd.part", "forbidden": True},
        {"if": "anything", "in": [1, 2], "then": "until", "type": "date", "required": False},
        {"if": "note", "present": True, "then": "said", "type": "text", "constraints": {"max_length": 3}},
    ],
    "unplanned_properties": "error",
}


def test_rules_come_back_from_their_schema() -> None:
    schema = json.loads(json.dumps(rules_as_schema(RULES)))
    definition, problems = schema_as_rules(schema)
    assert problems == []
    assert definition is not None
    assert rules_as_schema(definition) == schema
    by_path = {rule["path"]: rule for rule in definition["rules"]}
    expected = {rule["path"]: rule for rule in RULES["rules"]}
    assert by_path == expected
    assert [{"required": True, **c} for c in definition["conditions"] if "forbidden" not in c] == [
        {"required": True, **c} for c in RULES["conditions"] if "forbidden" not in c
    ]


@pytest.mark.parametrize(("unplanned", "is_valid"), [("error", False), ("warning", True), ("allowed", True)])
def test_an_exported_schema_refuses_what_is_unplanned_only_where_that_is_an_error(
    unplanned: str, is_valid: bool
) -> None:
    rules = {"rules": [{"path": "a", "type": "text"}], "unplanned_properties": unplanned}
    assert jsonschema_rs.is_valid(rules_as_schema(rules), {"b": 1}) is is_valid
    assert schema_as_rules(rules_as_schema(rules)) == (rules, [])


def test_common_rules_are_part_of_the_exported_schema_and_the_events_own_count_instead() -> None:
    common = {"rules": [{"path": "A", "type": "integer"}, {"path": "user", "type": "text", "required": True}]}
    schema = rules_as_schema({"rules": [{"path": "a", "type": "text"}]}, Options(), common)
    assert schema["properties"] == {"a": {"type": "string"}, "user": {"type": "string", "pattern": r"\S"}}
    assert schema["required"] == ["user"]


def test_a_schema_that_others_wrote_is_read_as_rules() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "title": "Purchase",
        "properties": {
            "id": {"type": ["string", "null"], "maxLength": 3},
            "count": {"type": "integer", "description": "How many"},
            "tags": {"type": "array", "items": {"$ref": "#/definitions/tag"}},
        },
        "required": ["id", "count"],
        "definitions": {"tag": {"type": "string", "enum": ["a", "b"]}},
    }
    definition = {
        "rules": [
            {
                "path": "id",
                "type": "text",
                "required": True,
                "nullable": True,
                "constraints": {"max_length": 3},
            },
            {"path": "count", "type": "integer", "required": True, "description": "How many"},
            {"path": "tags", "type": "array"},
            {"path": "tags[]", "type": "text", "constraints": {"enum": ["a", "b"]}},
        ],
        "unplanned_properties": "allowed",
    }
    assert schema_as_rules(schema) == (definition, [])


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        (True, None),
        ({"properties": {"a": {"type": "string"}}}, None),  # says nothing of what is no object
        ({"type": "object", "properties": {"a": {"oneOf": [{}]}}}, "a"),
        ({"type": "object", "properties": {"a": {"type": ["string", "integer"]}}}, "a"),
        ({"type": "object", "properties": {"a": False}}, "a"),
        ({"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}}, "a"),
        ({"type": "object", "patternProperties": {"^a": {}}}, None),
        ({"type": "object", "required": ["a"]}, "a"),
        ({"type": "object", "allOf": [{"required": ["a"]}]}, None),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "object", "properties": {}, "additionalProperties": False}},
            },
            None,
        ),
    ],
    ids=str,
)
def test_what_rules_cannot_say_is_refused_with_its_place(schema: Any, path: str | None) -> None:
    definition, problems = schema_as_rules(schema)
    assert definition is None
    assert {problem.code for problem in problems} == {"not_as_rules"}
    assert problems[0].path == path
