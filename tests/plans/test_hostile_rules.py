"""Rules and patterns made to hurt, or that cannot be meant: refused at import with the reason, or harmless."""

import time
from typing import Any

import pytest

from app.plans import importing
from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event, Verdict
from app.validation.problems import PlanInvalid

BREATH_SECONDS = 2.0
Rules = list[dict[str, Any]]


def content(rules: Rules, conditions: Rules | None = None) -> dict[str, Any]:
    return {"events": {"e": {"rules": rules, "conditions": conditions or []}}}


def codes(rules: Rules, conditions: Rules | None = None) -> list[str]:
    with pytest.raises(PlanInvalid) as caught:
        compile_plan(content(rules, conditions), 1)
    return [problem.code for problem in caught.value.problems]


def sheet(pattern: str) -> Any:
    cell = pattern.replace('"', '""')
    return importing.read("csv", f'eventName,eventPayload,dataType,pattern\nbuy,a,text,"{cell}"\n'.encode())


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)+$",
        "(.*a){20}$",
        r"(\w+\s?)*$",
        "^(a+)+$",
        "^(a|aa)+$",
        r"^(\w+\s?)*$",
        "^(([a-z])+.)+[A-Z]",
    ],
)
def test_a_pattern_that_would_hold_a_backtracking_engine_is_answered_at_once(pattern: str) -> None:
    imported = sheet(pattern)
    assert imported.problems == []
    plan = compile_plan(imported.content, 1)
    for text in ("a" * 30_000 + "!", "a " * 15_000 + "!"):
        begun = time.perf_counter()
        judge(Event("buy", {"a": text}), plan)
        assert time.perf_counter() - begun < BREATH_SECONDS


@pytest.mark.parametrize(
    "pattern",
    [
        *("(?=a)b", "(?!a)b", "(?<=a)b", "(?<!a)b", r"(a)\1", r"(?P<x>a)(?P=x)", "[", "(", "*", "a{2,1}"),
        *("(a{1000}){1000}", "((a{100}){100}){100}", r"\p{Nope}", "\\", "a{1,1001}{1,1001}"),
    ],
)
def test_a_pattern_that_no_linear_engine_has_is_refused_with_its_line(pattern: str) -> None:
    (problem,) = sheet(pattern).problems
    assert (problem.code, problem.line) == ("bad_pattern", 2)
    assert "is refused" in problem.message


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("a{1,1001}", "a", True),
        (r"\p{Lu}", "É", True),
        (r"\p{Lu}", "é", False),
        ("(?i)^ABC$", "abc", True),
        ("x" * 10_000, "x" * 10_000, True),
        ("(a)" * 1_000, "a" * 1_000, True),
    ],
    ids=["many", "upper", "lower", "flag", "10 kB", "1,000 groups"],
)
def test_unusual_patterns_mean_what_they_say(pattern: str, text: str, fits: bool) -> None:
    imported = sheet(pattern)
    assert imported.problems == []
    verdict = judge(Event("buy", {"a": text}), compile_plan(imported.content, 1)).verdict
    assert (verdict is Verdict.VALID) is fits


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([{"path": "a", "type": "integer", "constraints": {"minimum": 3, "maximum": 2}}], "contradiction"),
        ([{"path": "a", "type": "text", "constraints": {"min_length": 3, "max_length": 2}}], "contradiction"),
        ([{"path": "a", "type": "array", "constraints": {"min_items": 3, "max_items": 2}}], "contradiction"),
        (
            [{"path": "a", "type": "number", "constraints": {"exclusive_minimum": 2, "maximum": 2}}],
            "contradiction",
        ),
        ([{"path": "a", "type": "text", "constraints": {"enum": ["x"], "const": "y"}}], "contradiction"),
        ([{"path": "a", "type": "text", "constraints": {"enum": []}}], "bad_constraint"),
        ([{"path": "a", "type": "text", "constraints": {"enum": [1]}}], "bad_constraint"),
        ([{"path": "a", "type": "number", "constraints": {"multiple_of": 1e-308}}], "bad_constraint"),
        ([{"path": "a", "type": "number", "constraints": {"multiple_of": 0}}], "bad_constraint"),
        ([{"path": "a", "type": "boolean", "constraints": {"pattern": "x"}}], "bad_constraint"),
        ([{"path": "a", "type": "colour"}], "unknown_type"),
        ([{"path": "a", "type": "text"}, {"path": "A", "type": "text"}], "duplicate_rule"),
        ([{"path": "a", "type": "text"}, {"path": "a.b", "type": "text"}], "path_conflict"),
        ([{"path": "a.b", "type": "text"}, {"path": "a[]", "type": "text"}], "path_conflict"),
        ([{"path": ".".join("a" * 100), "type": "text"}], "bad_path"),
        ([{"path": "a[0]", "type": "text"}], "bad_path"),
        ([{"path": "", "type": "text"}], "bad_path"),
        ([{"type": "text"}], "bad_rule"),
        (["a"], "bad_rule"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_rules_that_nothing_can_keep_or_that_cannot_be_read_are_refused(rules: Any, code: str) -> None:
    assert codes(rules) == [code]


@pytest.mark.parametrize(
    "condition",
    [
        {"if": "a", "equals": 1, "then": "b", "forbidden": True, "required": True},
        {"if": "a", "equals": 1, "then": "a"},
        {"if": "a", "then": "b"},
        {"if": "a", "equals": 1, "in": [1], "then": "b"},
        {"if": "a", "in": [], "then": "b"},
        {"if": "a", "equals": {"$ne": 1}, "then": "b"},
        {"if": "a[]", "equals": 1, "then": "b"},
        7,
    ],
    ids=str,
)
def test_a_condition_that_contradicts_itself_is_refused(condition: Any) -> None:
    assert codes([], [condition]) == ["bad_condition"]


def test_conditions_in_a_circle_are_asked_once_each() -> None:
    names = "abcde"
    circle = [
        {"if": one, "present": True, "then": names[(n + 1) % len(names)]} for n, one in enumerate(names)
    ]
    plan = compile_plan(content([], circle), 1)
    assert judge(Event("e", dict.fromkeys(names, 1)), plan).verdict is Verdict.VALID
    assert judge(Event("e", {"a": 1}), plan).verdict is Verdict.INVALID
    assert judge(Event("e", {}), plan).verdict is Verdict.VALID


def test_ten_thousand_options_and_no_more() -> None:
    options = [f"option {n}" for n in range(10_000)]
    rule = {"path": "a", "type": "text", "constraints": {"enum": options}}
    plan = compile_plan(content([rule]), 1)
    assert judge(Event("e", {"a": options[-1]}), plan).verdict is Verdict.VALID
    (violation,) = judge(Event("e", {"a": "option 10000"}), plan).violations
    assert len(str(violation.as_json())) < 2_000
    assert codes([{**rule, "constraints": {"enum": [*options, "one more"]}}]) == ["bad_constraint"]
