"""Property test: what rules compile to agrees with a checker that is slow, obvious, and shares nothing with it."""

import re
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event, Verdict

TYPES = st.sampled_from(
    ["text", "integer", "number", "boolean", "date", "datetime", "array", "object", "any"]
)
LEAVES = st.sampled_from(["a", "b", "o.x", "o.deep.y", "l[]", "m[].z", "m[].w[]"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 2.0, 1762165800, 1762165800000])
    | st.sampled_from(
        ["", " ", "a", "abc", "2", "-1.5", "true", "2025-11-03", "2025-02-29", "2025-11-03 10:30:00"]
    )
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from("xz"), SCALARS, max_size=2)


# Often enough for a lenient plan's rules to meet a text that they take.
TEXTS = st.sampled_from(["0", "2", "0.5", "1.0", "true", "false"])


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(TYPES)
    rule: dict[str, Any] = {"path": draw(LEAVES), "type": kind}
    rule |= {name: draw(st.booleans()) for name in ("required", "nullable", "blank")}
    rule["severity"] = draw(st.sampled_from(["error", "error", "warning"]))
    if kind in ("date", "datetime"):
        rule["epoch"] = draw(st.sampled_from([None, "seconds", "milliseconds"]))
    limits = {
        "text": {"min_length": 1, "max_length": 2, "enum": ["a", "abc", ""], "pattern": "^a"},
        "integer": {"minimum": 0, "maximum": 2},
        "number": {"exclusive_minimum": -1, "multiple_of": 0.5},
        "array": {"min_items": 1, "unique_items": True},
        "object": {"max_properties": 1},
    }.get(kind, {})
    chosen = draw(st.lists(st.sampled_from(sorted(limits)), unique=True)) if limits else []
    return rule | {"constraints": {name: limits[name] for name in chosen}}


PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "a": VALUES,
        "b": VALUES,
        "o": VALUES
        | st.fixed_dictionaries({}, optional={"x": VALUES, "deep": st.fixed_dictionaries({"y": VALUES})}),
        "l": VALUES | st.lists(VALUES, max_size=3),
        "m": VALUES
        | st.lists(
            st.fixed_dictionaries({}, optional={"z": VALUES, "w": st.lists(VALUES, max_size=2)}), max_size=2
        ),
    },
)


def placed(steps: list[str], value: Any) -> Any:
    """A payload with the value at these steps."""
    for step in reversed(steps):
        value = [value, value] if step == "[]" else {step: value}
    return value


def fits(value: Any, rule: dict[str, Any], *, lenient: bool) -> bool:
    """Whether a value that is there fits a rule."""
    kind, limits = rule["type"], rule["constraints"]
    if value is None:
        return rule["nullable"] or (kind == "any" and not rule["required"])
    if lenient and isinstance(value, str):
        value = taken(value, kind)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "any":
        return True
    if kind in ("date", "datetime"):
        if is_number and rule["epoch"]:
            return (
                value < 1e11
                if rule["epoch"] == "seconds" and value >= 0
                else (rule["epoch"] == "milliseconds" and 1e11 <= value < 1e14)
            )
        return isinstance(value, str) and is_day(value, with_time=kind == "datetime")
    right = {
        "text": isinstance(value, str),
        "integer": is_number and value == int(value),
        "number": is_number,
        "boolean": isinstance(value, bool),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }[kind]
    if not right:
        return False
    if (
        kind == "text"
        and rule["required"]
        and not rule["nullable"]
        and not rule["blank"]
        and not value.strip()
    ):
        return False
    return all(within(value, name, limit) for name, limit in limits.items())


def within(value: Any, name: str, limit: Any) -> bool:
    return {
        "min_length": lambda: len(value) >= limit,
        "max_length": lambda: len(value) <= limit,
        "enum": lambda: value in limit,
        "pattern": lambda: re.search(limit, value) is not None,
        "minimum": lambda: value >= limit,
        "maximum": lambda: value <= limit,
        "exclusive_minimum": lambda: value > limit,
        "multiple_of": lambda: value % limit == 0,
        "min_items": lambda: len(value) >= limit,
        "unique_items": lambda: len({repr(key(item)) for item in value}) == len(value),
        "max_properties": lambda: len(value) <= limit,
    }[name]()


def key(item: Any) -> Any:
    """2 and 2.0 are one item, true and 1 are two."""
    if isinstance(item, (int, float)) and not isinstance(item, bool):
        return float(item)
    return sorted(item.items()) if isinstance(item, dict) else item


def is_day(text: str, *, with_time: bool) -> bool:
    shapes = ["%Y-%m-%d %H:%M:%S"] if with_time else ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d"]
    for shape in shapes:
        try:
            datetime.strptime(text, shape)  # noqa: DTZ007  # only whether it is one
        except ValueError:
            continue
        return True
    return False


def taken(text: str, kind: str) -> Any:
    if kind == "integer" and re.fullmatch("-?[0-9]", text):
        return int(text)
    if kind == "number" and re.fullmatch(r"-?[0-9](\.[0-9])?", text):
        return float(text)
    return text == "true" if kind == "boolean" and text in ("true", "false") else text


def breaks(rule: dict[str, Any], payload: Any, steps: list[str], *, lenient: bool) -> bool:
    """Whether a payload breaks a rule: what is on the way must be an object or array, and what is required
    there.
    """
    if not steps:
        return not fits(payload, rule, lenient=lenient)
    step, *rest = steps
    if step == "[]":
        if not isinstance(payload, list):
            return True
        return any(breaks(rule, item, rest, lenient=lenient) for item in payload)
    if not isinstance(payload, dict):
        return True
    return breaks(rule, payload[step], rest, lenient=lenient) if step in payload else rule["required"]


@settings(max_examples=1500, deadline=None)
@given(rule=rules(), payload=PAYLOADS, value=VALUES | TEXTS, is_placed=st.booleans(), lenient=st.booleans())
def test_one_rule_at_any_place_says_what_the_obvious_checker_says(
    rule: dict[str, Any], payload: dict[str, Any], value: Any, is_placed: bool, lenient: bool
) -> None:
    judging = {"types": "lenient" if lenient else "strict", "unplanned_properties": "allowed"}
    plan = compile_plan({"judging": judging, "events": {"e": {"rules": [rule]}}}, 1)
    steps = rule["path"].replace("[]", ".[]").split(".")
    payload = placed(steps, value) if is_placed else payload
    is_broken = breaks(rule, payload, steps, lenient=lenient)
    judgement = judge(Event("e", payload), plan)
    weighty = [v for v in judgement.violations if v.severity != "info"]
    assert bool(weighty) == is_broken
    assert (judgement.verdict is Verdict.INVALID) == (is_broken and rule["severity"] == "error")
