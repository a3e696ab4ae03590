"""Schemas and payloads made to hurt: refused with a reason, or judged within a breath."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import MOST_VIOLATIONS, Event, Verdict
from app.validation.problems import PlanInvalid

# Far above what any of these takes (milliseconds), far below what they took before the judge was careful
# (minutes).
BREATH_SECONDS = 2.0


def refused(schema: Any, **bundle: Any) -> list[str]:
    """The codes of the problems that a schema has as the plan of one event."""
    content = {"bundles": {"1": bundle}, "events": {"e": {"schema": schema, "bundle": "1"}}}
    with pytest.raises(PlanInvalid) as caught:
        compile_plan(content, 1)
    return [problem.code for problem in caught.value.problems]


def chain(wrap: Callable[[int], Any], length: int) -> dict[str, Any]:
    """Definitions of which each one refers to the next."""
    definitions = {f"d{i}": wrap(i + 1) for i in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{length}": {"type": "integer"}}}


def twice(keyword: str) -> Callable[[int], Any]:
    return lambda i: {keyword: [{"$ref": f"#/$defs/d{i}"}, {"$ref": f"#/$defs/d{i}"}]}


def nested(depth: int) -> Any:
    schema: Any = {"type": "integer"}
    for _ in range(depth):
        schema = {"allOf": [schema]}
    return schema


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ({"$ref": "https://example.com/schema.json"}, "remote_reference"),
        ({"$ref": "file:///etc/passwd"}, "remote_reference"),
        ({"$ref": "other.json"}, "remote_reference"),
        ({"$ref": "#/$defs/nowhere"}, "unknown_reference"),
        ({"$dynamicRef": "#nowhere"}, "unknown_reference"),
        ({"$schema": "https://example.com/my-dialect"}, "unknown_dialect"),
        ({"type": "strin"}, "bad_schema"),
        ({"minLength": -1}, "bad_schema"),
        ({"properties": {"a": 5}}, "bad_schema"),
        ({"pattern": "(?=a)b"}, "bad_pattern"),
        ({"pattern": r"(a)\1"}, "bad_pattern"),
        ({"patternProperties": {"(?<!a)b": {}}}, "bad_pattern"),
        ({"pattern": "["}, "bad_pattern"),
        ({"pattern": "(a{1000}){1000}"}, "bad_pattern"),
        (nested(100), "too_deep"),
        (nested(400), "too_deep"),
        (chain(twice("anyOf"), 40), "too_complex"),
        (chain(twice("allOf"), 40), "too_complex"),
        ({"items": {"not": chain(twice("anyOf"), 14)}} | chain(twice("anyOf"), 14), "too_complex"),
        ({"additionalProperties": {"anyOf": [{"const": i} for i in range(6_000)]}}, "too_complex"),
        ({"items": {"not": {"enum": [{"v": i} for i in range(10_000)]}}}, "too_complex"),
        ({"pattern": r"\p{Nope}"}, "bad_pattern"),
        ({"pattern": "a{1,1001}{1,1001}"}, "bad_pattern"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value)[:40],
)
def test_a_schema_that_cannot_be_judged_by_is_refused_with_its_reason(schema: Any, code: str) -> None:
    assert refused(schema) == [code]


@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        ({"$ref": "#"}, {"a": 1}),
        ({"not": {"$ref": "#"}}, {"a": 1}),
        ({"oneOf": [{"$ref": "#"}, {"$ref": "#"}]}, {"a": 1}),
        ({"allOf": [{"$ref": "#"}], "required": ["b"]}, {"a": 1}),
        (chain(lambda i: {"$ref": f"#/$defs/d{i}"}, 3000), {"a": 1}),
        (chain(twice("anyOf"), 12), {"a": 1}),
        ({"properties": {"a": {"pattern": "^(a|aa)+$"}}}, {"a": "a" * 50_000 + "!"}),
        ({"properties": {"a": {"pattern": "(.*a){20}$"}}}, {"a": "b" * 50_000}),
        ({"properties": {"a": {"uniqueItems": True}}}, {"a": [{"k": i} for i in range(10_000)] + [{"k": 1}]}),
        ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": list(range(30_000))}),
        ({"properties": {"a": {"enum": list(range(10_000))}}}, {"a": "x"}),
        ({"additionalProperties": False}, {f"key {i}": i for i in range(10_000)}),
        ({"required": [f"key {i}" for i in range(10_000)]}, {f"kez {i}": i for i in range(2_000)}),
        ({"multipleOf": 1e-308}, {}),
        ({"properties": {"a": {"multipleOf": 1e-308}}}, {"a": 1.5}),
        (
            {"properties": {"a": {"items": {"enum": [f"v{i}" for i in range(10_000)]}}}},
            {"a": ["x"] * 9_000},
        ),
        (
            {"properties": {"a": {"items": {"oneOf": [{"const": i} for i in range(1_000)]}}}},
            {"a": ["x"] * 9_000},
        ),
        ({"properties": {"a": {"items": {"allOf": [{"minLength": 2}] * 1_000}}}}, {"a": ["x"] * 9_000}),
        ({"properties": {"a": {"contains": {"pattern": "(.*a){20}$"}}}}, {"a": ["b" * 50] * 1_000}),
        (
            {"patternProperties": {f"(.*a){{{i}}}b$": {} for i in range(1, 60)}, "required": ["z"]},
            {"a" * 30 + str(i): 1 for i in range(2_000)},
        ),
        (
            {
                "$dynamicAnchor": "t",
                "anyOf": [{"properties": {"a": {"$dynamicRef": "#t"}}, "required": ["b"]}],
            },
            {"a": {"a": {"a": {}}}},
        ),
        ({"allOf": [{"required": [f"p{i}"]} for i in range(1000)]}, {"a": 1}),
        ({"anyOf": [{"required": [f"p{i}"], "properties": {f"p{i}": {}}} for i in range(1000)]}, {"a": 1}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_schema_made_to_hurt_is_judged_within_a_breath(schema: Any, payload: dict[str, Any]) -> None:
    plan = compile_plan({"events": {"e": {"schema": schema}}}, 1)
    begun = time.perf_counter()
    judgement = judge(Event("e", payload), plan)
    assert time.perf_counter() - begun < BREATH_SECONDS
    assert len(judgement.violations) <= MOST_VIOLATIONS
    assert (judgement.verdict is Verdict.INVALID) == bool(judgement.violations)


def expression(depth: int) -> dict[str, Any]:
    """A tree of operations with one wrong leaf."""
    return {"op": "plus", "left": expression(depth - 1)} if depth else {"op": "number", "value": "one"}


@pytest.mark.parametrize("has_discriminator", [True, False])
def test_a_recursive_choice_costs_its_depth_and_not_its_powers(has_discriminator: bool) -> None:
    """Listing the errors of all branches of all choices takes 5 to the power of 30 steps here."""
    branches: list[dict[str, Any]] = [
        {
            "required": ["op", "left"],
            "properties": {
                "op": {"const": name} if has_discriminator else {},
                "left": {"$ref": "#/$defs/expression"},
            },
        }
        for name in ("plus", "minus", "times", "over")
    ]
    number = {"required": ["value"], "properties": {"op": {"const": "number"}, "value": {"type": "number"}}}
    schema = {"$ref": "#/$defs/expression", "$defs": {"expression": {"anyOf": [*branches, number]}}}
    plan = compile_plan({"events": {"e": {"schema": schema}}}, 1)
    begun = time.perf_counter()
    judgement = judge(Event("e", expression(15)), plan)
    assert time.perf_counter() - begun < BREATH_SECONDS
    assert judgement.verdict is Verdict.INVALID
    if has_discriminator:
        assert [violation.path for violation in judgement.violations] == [".".join(["left"] * 15) + ".value"]


def test_what_is_beyond_a_hundred_is_counted() -> None:
    plan = compile_plan({"events": {"e": {"rules": [{"path": "numbers[]", "type": "number"}]}}}, 1)
    judgement = judge(Event("e", {"numbers": ["x"] * 250}), plan)
    assert (len(judgement.violations), judgement.omitted) == (100, 150)


@pytest.mark.parametrize(
    "payload",
    [{1: 2}, {"a": object()}, {"a": float("nan")}, {"a": 10**5000}, {"b": "\ud800", "a": 1}],
    ids=["a key that is no text", "no JSON at all", "not a number", "5,000 digits", "a lone surrogate"],
)
@pytest.mark.parametrize("event", ["schema", "rules"])
def test_what_no_parser_lets_through_is_invalid_and_no_exception(event: str, payload: Any) -> None:
    rules = {"rules": [{"path": "a", "type": "text"}]}
    schema = {"schema": {"properties": {"a": {"type": "string"}}, "additionalProperties": False}}
    plan = compile_plan({"events": {"rules": rules, "schema": schema}}, 1)
    judgement = judge(Event(event, payload), plan)
    assert judgement.verdict is Verdict.INVALID
    assert judgement.violations


def test_a_payload_nested_beyond_measure_is_judged() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    plan = compile_plan({"events": {"e": {"schema": {"properties": {"a": {"type": "string"}}}}}}, 1)
    assert judge(Event("e", {"a": deep}), plan).verdict is Verdict.INVALID
