"""Bundles of JSON Schemas: event name → schema, beside what belongs to the bundle."""

import json
from typing import Any

import pytest

from app.plans import importing
from app.plans.imported import Imported


def read(bundle: Any) -> Imported:
    body = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
    return importing.read("json-schema", body)


def test_every_key_but_the_bundles_own_is_an_event() -> None:
    imported = read(
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$defs": {"a": {"type": "string"}},
            "definitions": {"b": {"properties": {"c": {}}}},
            "push": {"properties": {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/definitions/b"}}},
            "anything": True,
            "Type": False,
        }
    )
    assert imported.problems == []
    assert list(imported.content["events"]) == ["push", "anything", "Type"]
    assert imported.content["bundles"]["1"]["dialect"] == "http://json-schema.org/draft-07/schema#"
    assert (imported.events, imported.rules) == (3, 3)


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (b"", ["bad_json"]),
        (b"{", ["bad_json"]),
        (b'{"a": NaN}', ["bad_json"]),
        (b"\xff", ["bad_json"]),
        (b"[]", ["not_a_bundle"]),
        (b"5", ["not_a_bundle"]),
        (b"{}", ["no_events"]),
        (b'{"$defs": {}}', ["no_events"]),
        (b'{"$defs": 5, "a": true}', ["not_a_bundle"]),
        (b'{"$schema": 5, "a": true}', ["unknown_dialect"]),
        (b'{"$schema": "https://example.com/x", "a": {}}', ["unknown_dialect"]),
        (b'{"a": "b", "c": 5}', ["not_a_schema", "not_a_schema"]),
        (b'{" a": true, "": true}', ["bad_event_name", "bad_event_name"]),
        (b'{"type": "object", "properties": {"a": {"type": "string"}}}', ["not_a_bundle"]),
        (b'{"a": true, "a": false}', ["duplicate_key"]),
        (b'{"a": {"properties": {"b": {}, "b": {}}}}', ["duplicate_key"]),
        (b'{"a": ' + b'{"not": ' * 200 + b"{}" + b"}" * 201, ["too_deep"]),
        (b"[" * 2000, ["bad_json"]),
        (b'{"a": {"$ref": "https://example.com/x"}}', ["remote_reference"]),
        (b'{"a": {"type": "x"}, "b": {"pattern": "("}}', ["bad_schema", "bad_pattern"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_used_is_refused_with_a_code(body: bytes, codes: list[str]) -> None:
    imported = read(body)
    assert [problem.code for problem in imported.problems] == codes
    assert imported.events == 0


def test_a_problem_names_the_event_and_the_place_in_its_schema() -> None:
    imported = read({"buy": {"properties": {"a": {"pattern": "["}}}})
    assert imported.problems[0].as_json()["path"] == "buy: /properties/a/pattern"


def test_a_byte_order_mark_and_long_numbers_are_no_problem() -> None:
    assert read(b'\xef\xbb\xbf{"a": {"maximum": 1' + b"0" * 300 + b"}}").problems == []


def test_a_definition_in_the_shadow_of_the_bundles_is_warned_about() -> None:
    own = {"$defs": {"id": {"type": "string"}, "other": {}}, "properties": {"id": {"$ref": "#/$defs/id"}}}
    imported = read({"$defs": {"id": {"type": "integer"}}, "e": own})
    assert [(warning.code, warning.event) for warning in imported.warnings] == [("shadowed_definition", "e")]
