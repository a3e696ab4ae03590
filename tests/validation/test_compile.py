"""Plans as a whole: finding events, refusing what cannot be used, costing the same whatever the size."""

import time
from typing import Any

import pytest

from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event, Verdict
from app.validation.problems import PlanInvalid


def rules(*paths: str, **more: Any) -> dict[str, Any]:
    return {"rules": [{"path": path, "type": "text", "required": True} for path in paths], **more}


def verdict(plan_content: dict[str, Any], name: str, payload: dict[str, Any]) -> Verdict:
    return judge(Event(name, payload), compile_plan(plan_content, 1)).verdict


def test_without_a_published_plan_every_event_is_unplanned() -> None:
    judgement = judge(Event("purchase", {}), None)
    assert judgement.verdict is Verdict.UNPLANNED
    assert [v.as_json() for v in judgement.violations] == [
        {
            "kind": "unplanned_event",
            "path": "",
            "severity": "warning",
            "expected": None,
            "received": "purchase",
        }
    ]


def test_rules_are_found_by_a_relaxed_name_and_schemas_by_the_exact_one() -> None:
    plan = {"events": {"Add To Cart": rules("a"), "push": {"schema": {"required": ["a"]}}}}
    assert verdict(plan, "add_to_cart", {"a": "x"}) is Verdict.VALID
    assert verdict(plan, "push", {}) is Verdict.INVALID
    assert verdict(plan, "Push", {}) is Verdict.UNPLANNED


def test_an_exact_name_wins_over_a_relaxed_one() -> None:
    plan = {"events": {"Push": rules("a"), "push": {"schema": True}}}
    assert verdict(plan, "push", {}) is Verdict.VALID
    assert verdict(plan, "PUSH", {}) is Verdict.INVALID


def test_a_plan_can_ask_for_exact_names() -> None:
    plan = {"matching": {"events": "exact", "properties": "exact"}, "events": {"Buy": rules("cardName")}}
    assert verdict(plan, "buy", {"cardName": "x"}) is Verdict.UNPLANNED
    assert verdict(plan, "Buy", {"cardName": "x"}) is Verdict.VALID
    assert verdict(plan, "Buy", {"cardname": "x"}) is Verdict.INVALID


def test_a_schema_without_dialect_takes_its_bundles_and_2020_12_without_one() -> None:
    schema = {"properties": {"day": {"format": "date"}}}
    draft_07 = {"dialect": "http://json-schema.org/draft-07/schema#"}
    own = {"schema": {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"}, "bundle": "7"}
    plan = {"bundles": {"7": draft_07}, "events": {"old": {"schema": schema, "bundle": "7"}, "own": own}}
    plan["events"]["new"] = {"schema": schema}
    assert verdict(plan, "old", {"day": "x"}) is Verdict.INVALID
    assert verdict(plan, "own", {"day": "x"}) is Verdict.VALID
    assert verdict(plan, "new", {"day": "x"}) is Verdict.VALID


def test_references_point_into_the_bundle_and_onwards() -> None:
    bundle = {
        "$defs": {"a/b": {"$ref": "#/definitions/number%20one"}, "unused": {"type": "string"}},
        "definitions": {"number one": {"type": "integer", "minimum": 3}},
    }
    plan = {
        "bundles": {"1": bundle},
        "events": {"e": {"schema": {"properties": {"x": {"$ref": "#/$defs/a~1b"}}}}},
    }
    plan["events"]["e"]["bundle"] = "1"
    assert verdict(plan, "e", {"x": 3}) is Verdict.VALID
    assert verdict(plan, "e", {"x": 2}) is Verdict.INVALID


def test_the_bundles_definition_counts_where_the_event_has_one_of_the_same_name() -> None:
    event = {"$defs": {"id": {"type": "string"}}, "properties": {"id": {"$ref": "#/$defs/id"}}}
    plan = {
        "bundles": {"1": {"$defs": {"id": {"type": "integer"}}}},
        "events": {"e": {"schema": event, "bundle": "1"}},
    }
    assert verdict(plan, "e", {"id": 1}) is Verdict.VALID


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        ({"rules": [{"type": "text"}]}, "bad_rule"),
        ({"rules": [{"path": "a..b", "type": "text"}]}, "bad_path"),
        ({"rules": [{"path": "a", "type": "colour"}]}, "unknown_type"),
        ({"rules": [{"path": "a", "type": ["text"]}]}, "unknown_type"),
        ({"rules": [{"path": "a", "type": "text", "severity": "fatal"}]}, "bad_rule"),
        ({"rules": [{"path": "a", "type": "text", "severity": {}}]}, "bad_rule"),
        (rules("a", conditions=[{"if": "a", "equals": 1, "then": "b", "type": []}]), "bad_condition"),
        ({"rules": [{"path": "a", "type": "text", "constraints": {"minimum": 1}}]}, "bad_constraint"),
        ({"rules": [{"path": "a", "type": "text", "constraints": {"shade": 1}}]}, "bad_constraint"),
        ({"rules": [{"path": "a", "type": "text", "constraints": {"enum": []}}]}, "bad_constraint"),
        ({"rules": [{"path": "a", "type": "text", "constraints": {"enum": ["x", 1]}}]}, "bad_constraint"),
        ({"rules": [{"path": "a", "type": "integer", "constraints": {"const": 1.5}}]}, "bad_constraint"),
        ({"rules": [{"path": "a", "type": "text", "constraints": {"format": "colour"}}]}, "bad_constraint"),
        ({"rules": [{"path": "a", "type": "text", "constraints": {"pattern": "(?=a)"}}]}, "bad_pattern"),
        (
            {"rules": [{"path": "a", "type": "number", "constraints": {"minimum": 2, "maximum": 1}}]},
            "contradiction",
        ),
        (
            {"rules": [{"path": "a", "type": "text", "constraints": {"enum": ["x"], "const": "y"}}]},
            "contradiction",
        ),
        (rules("a", "A"), "duplicate_rule"),
        (rules("a", "a.b"), "path_conflict"),
        (rules("a", "a[]"), "path_conflict"),
        (rules("a.b", "a[].b"), "path_conflict"),
        (rules("a", conditions=[{"if": "a", "then": "b"}]), "bad_condition"),
        (rules("a", conditions=[{"if": "a", "equals": 1, "then": "b[]"}]), "bad_condition"),
        (rules("a", conditions=[{"if": "a", "equals": [1], "then": "b"}]), "bad_condition"),
        (rules("a", conditions=[{"if": "a", "equals": 1, "then": "a"}]), "bad_condition"),
        (rules("a", conditions=[{"if": "a", "equals": 1, "then": "b", "type": "colour"}]), "bad_condition"),
        ("no object", "bad_plan"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_code_and_a_place(definition: Any, code: str) -> None:
    with pytest.raises(PlanInvalid) as caught:
        compile_plan({"events": {"fine": rules("a"), "wrong": definition}}, 1)
    assert {problem.code for problem in caught.value.problems} == {code}
    assert {problem.event for problem in caught.value.problems} == {"wrong"}


def test_all_problems_are_told_at_once() -> None:
    wrong = {"rules": [{"path": "a", "type": "x"}, {"path": "b..", "type": "text"}]}
    with pytest.raises(PlanInvalid) as caught:
        compile_plan({"events": {"one": wrong, "two": {"schema": {"type": "x"}}}}, 1)
    assert [(p.event, p.rule, p.code) for p in caught.value.problems] == [
        ("one", 0, "unknown_type"),
        ("one", 1, "bad_path"),
        ("two", None, "bad_schema"),
    ]


def test_a_checked_plan_is_taken_into_use_at_once() -> None:
    content = {"events": {f"event {i}": rules(*(f"property {j}" for j in range(10))) for i in range(1000)}}
    begun = time.perf_counter()
    plan = compile_plan(content, 7, is_checked=True)
    assert time.perf_counter() - begun < 0.1
    assert (plan.version, len(plan.events)) == (7, 1000)
    assert judge(Event("event 3", {}), plan).verdict is Verdict.INVALID
