"""Small changes of a plan: each does what it says, is refused where it cannot, and can be taken back."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.plans import operations
from app.plans.content import Content
from app.validation.problems import PlanInvalid

CONTENT: Content = {
    "matching": {"events": "relaxed", "properties": "relaxed"},
    "bundles": {"1": {"dialect": "http://json-schema.org/draft-07/schema#", "$defs": {}, "definitions": {}}},
    "events": {
        "buy": {
            "rules": [
                {"path": "total", "type": "number", "required": True},
                {"path": "sku", "type": "text", "constraints": {"enum": ["a", "b"]}},
            ],
            "conditions": [{"if": "sku", "equals": "a", "then": "total"}],
        },
        "push": {"schema": {"type": "object"}, "bundle": "1"},
        "leave": {"rules": [], "description": "Gone."},
    },
}
SCHEMA = {"type": "object", "required": ["id"]}


def done(*given: dict[str, Any]) -> Content:
    content = copy.deepcopy(CONTENT)
    operations.change(content, given)
    return content


def test_events_are_added_at_their_place_renamed_and_deleted() -> None:
    content = done(
        {"op": "add_event", "event": "view", "at": 1},
        {"op": "rename_event", "event": "leave", "to": "left"},
        {"op": "delete_event", "event": "push"},
    )
    assert list(content["events"]) == ["buy", "view", "left"]
    assert content["events"]["left"] == CONTENT["events"]["leave"]


def test_rules_are_added_set_and_deleted() -> None:
    content = done(
        {"op": "add_rule", "event": "buy", "rule": {"path": "items[].id", "type": "text"}, "at": 0},
        {"op": "set_rule", "event": "buy", "path": "total", "set": {"required": None, "path": "sum"}},
        {"op": "delete_rule", "event": "buy", "path": "sku"},
    )
    assert content["events"]["buy"]["rules"] == [
        {"path": "items[].id", "type": "text"},
        {"path": "sum", "type": "number"},
    ]


def test_an_event_is_described_by_rules_or_by_a_schema() -> None:
    content = done({"op": "set_event", "event": "buy", "set": {"schema": SCHEMA, "description": "Bought."}})
    assert content["events"]["buy"] == {"schema": SCHEMA, "description": "Bought."}
    content = done({"op": "set_event", "event": "push", "set": {"rules": []}})
    assert content["events"]["push"] == {"rules": []}


def test_the_plan_has_settings_and_rules_of_its_own() -> None:
    lenient = {"types": "lenient"}
    content = done({"op": "set_plan", "set": {"judging": lenient, "common": {"rules": []}}})
    assert (content["judging"], content["common"]) == (lenient, {"rules": []})


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ({}, "bad_operation"),
        ("delete everything", "bad_operation"),
        ({"op": "drop_table"}, "bad_operation"),
        ({"op": ["add_event"]}, "bad_operation"),
        ({"op": "add_event"}, "bad_operation"),
        ({"op": "add_event", "event": "view", "at": True}, "bad_operation"),
        ({"op": "add_event", "event": " view"}, "bad_event_name"),
        ({"op": "add_event", "event": "v" * 257}, "bad_event_name"),
        ({"op": "add_event", "event": "BUY"}, "event_taken"),
        ({"op": "add_event", "event": "view", "definition": {"rules": None}}, "bad_plan"),
        (
            {"op": "add_event", "event": "view", "definition": {"schema": {"$ref": "#/nowhere"}}},
            "unknown_reference",
        ),
        ({"op": "rename_event", "event": "buy", "to": "leave"}, "event_taken"),
        ({"op": "rename_event", "event": "nobody", "to": "x"}, "unknown_event"),
        ({"op": "delete_event", "event": "nobody"}, "unknown_event"),
        ({"op": "set_event", "event": "buy", "set": {"colour": "red"}}, "bad_operation"),
        ({"op": "set_event", "event": "buy", "set": {"rules": {}}}, "bad_plan"),
        ({"op": "add_rule", "event": "buy", "rule": {"path": "x", "type": "colour"}}, "unknown_type"),
        ({"op": "add_rule", "event": "buy", "rule": {"path": "Total", "type": "text"}}, "duplicate_rule"),
        ({"op": "add_rule", "event": "buy", "rule": []}, "bad_rule"),
        ({"op": "add_rule", "event": "push", "rule": {"path": "x", "type": "text"}}, "has_schema"),
        ({"op": "set_rule", "event": "buy", "path": "nothing", "set": {"type": "text"}}, "unknown_rule"),
        ({"op": "set_rule", "event": "buy", "path": "sku", "set": {"required": "no"}}, "bad_rule"),
        ({"op": "set_rule", "event": "buy", "path": "sku", "set": {"type": "number"}}, "bad_constraint"),
        ({"op": "set_rule", "event": "buy", "path": "sku", "set": {"constraints": []}}, "bad_rule"),
        ({"op": "delete_rule", "event": "buy", "path": "Sku"}, "unknown_rule"),
        ({"op": "set_plan", "set": {"events": {}}}, "bad_operation"),
        ({"op": "set_plan", "set": {"judging": {"types": "sloppy"}}}, "bad_plan"),
        ({"op": "set_plan", "set": {"common": {"rules": [{"path": "x", "type": "y"}]}}}, "unknown_type"),
        ({"op": "replace", "content": {"events": []}}, "bad_plan"),
        ({"op": "replace", "content": {"events": {"a": {"rules": 1}}}}, "bad_plan"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(operation: Any, code: str) -> None:
    with pytest.raises(PlanInvalid) as refused:
        done(operation)
    assert code in {problem.code for problem in refused.value.problems}


def test_only_what_was_touched_is_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of a plan with ten thousand events costs what one event costs."""
    compiled: list[set[str]] = []
    compile_plan = operations.compile_plan
    monkeypatch.setattr(
        operations,
        "compile_plan",
        lambda c, v, **more: compiled.append(set(c["events"])) or compile_plan(c, v, **more),
    )
    done({"op": "set_rule", "event": "buy", "path": "sku", "set": {"required": True}})
    assert compiled == [{"buy"}]


def test_a_list_is_taken_back_as_one() -> None:
    """Its last operation first: each expects what the ones before it left."""
    content = copy.deepcopy(CONTENT)
    together = [
        {"op": "add_event", "event": "view"},
        {"op": "add_rule", "event": "view", "rule": {"path": "sku", "type": "text"}},
        {"op": "rename_event", "event": "view", "to": "seen"},
    ]
    operations.change(content, operations.change(content, together))
    assert content == CONTENT


PATHS = some.sampled_from(["total", "sku", "id", "items[].id"])
NAMES = some.sampled_from(["buy", "push", "leave", "view", "join"])
ANY = some.one_of(
    some.builds(lambda e, a: {"op": "add_event", "event": e, "at": a}, NAMES, some.integers(0, 4)),
    some.builds(lambda e: {"op": "delete_event", "event": e}, NAMES),
    some.builds(lambda e, t: {"op": "rename_event", "event": e, "to": t}, NAMES, NAMES),
    some.builds(
        lambda e, s: {"op": "set_event", "event": e, "set": s},
        NAMES,
        some.sampled_from(
            [
                {"schema": SCHEMA},
                {"rules": []},
                {"description": "x"},
                {"description": None},
                {"conditions": []},
            ]
        ),
    ),
    some.builds(
        lambda e, p, a: {"op": "add_rule", "event": e, "rule": {"path": p, "type": "any"}, "at": a},
        NAMES,
        PATHS,
        some.integers(0, 3),
    ),
    some.builds(lambda e, p: {"op": "delete_rule", "event": e, "path": p}, NAMES, PATHS),
    some.builds(
        lambda e, p, s: {"op": "set_rule", "event": e, "path": p, "set": s},
        NAMES,
        PATHS,
        some.sampled_from(
            [{"required": True}, {"required": None, "severity": "info"}, {"path": "id"}, {"type": "any"}]
        ),
    ),
    some.just({"op": "set_plan", "set": {"judging": {"types": "lenient"}, "matching": {"events": "exact"}}}),
    some.just({"op": "replace", "content": {"events": {"other": {"rules": []}}}}),
)


@given(some.lists(ANY, max_size=12))
def test_whatever_was_done_can_be_taken_back_in_its_order(steps: list[dict[str, Any]]) -> None:
    content = copy.deepcopy(CONTENT)
    undo: list[list[dict[str, Any]]] = []
    for step in steps:
        before = copy.deepcopy(content)
        try:
            undo.append(operations.change(content, [step]))
        except PlanInvalid:
            content = before
    for taken_back in reversed(undo):
        operations.change(content, taken_back)
    assert content == CONTENT
    assert list(content["events"]) == list(CONTENT["events"])
