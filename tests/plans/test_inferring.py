"""A plan of what was seen: every payload that it was made of is valid by it, and each rule says what speaks for it."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.plans import observing
from app.plans.inferring import Inferred, Observed
from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event, Verdict
from tests.plans.plan_strategies import TEXTS

KEYS = st.sampled_from(["a", "A", "b c", "b_c", "o", "l", "x.y", "", "[]", '"', "payload"]) | TEXTS
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from(["2025-11-03", "2025-11-03T10:00:00Z", "a@b.example", "USD", "1.2.3", "", " "])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
PAYLOADS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4), min_size=1, max_size=6)


def infer(payloads: list[dict[str, Any]], *, relaxed: bool = True) -> Inferred:
    seen = Observed("buy", len(payloads), relaxed=relaxed)
    for payload in payloads:
        seen.see("buy", payload)
    return seen.inferred()


def rules(payloads: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {rule["path"]: rule for rule in infer(payloads).definition["rules"]}


@settings(max_examples=400, deadline=None)
@given(payloads=PAYLOADS, times=st.sampled_from([1, 12]), matching=st.sampled_from(["relaxed", "exact"]))
def test_whatever_was_seen_is_valid_by_the_rules_made_of_it(
    payloads: list[dict[str, Any]], times: int, matching: str
) -> None:
    payloads = orjson.loads(orjson.dumps(payloads))
    inferred = infer(payloads * times, relaxed=matching == "relaxed")
    plan = compile_plan({"matching": {"properties": matching}, "events": {"buy": inferred.definition}}, 1)
    for payload in payloads:
        judgement = judge(Event("buy", payload), plan)
        assert judgement.verdict is Verdict.VALID, judgement.violations
    assert [rule["path"] for rule in inferred.definition["rules"]] == [
        each["path"] for each in inferred.evidence
    ]


def test_what_is_always_there_is_required_and_what_was_null_may_be() -> None:
    found = rules([{"a": 1, "b": None, "c": " "}, {"a": 2, "b": "x", "c": "y", "d": True}])
    assert found["a"] == {"path": "a", "type": "integer", "required": True}
    assert found["b"] == {"path": "b", "type": "text", "required": True, "nullable": True}
    assert found["c"] == {"path": "c", "type": "text", "required": True, "blank": True}
    assert found["d"] == {"path": "d", "type": "boolean"}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5], "number"),
        ([1, "1"], "any"),
        ([None], "any"),
        (["2025-11-03", "2025-11-03 10:00:00"], "date"),
        (["2025-11-03T10:00:00Z", "2025-11-03 10:00:00"], "datetime"),
        (["2025-11-03", "soon"], "text"),
        ([[], [1]], "array"),
        ([{}, {"a": 1}], "object"),
    ],
    ids=str,
)
def test_the_type_is_the_narrowest_that_all_values_have(values: list[Any], kind: str) -> None:
    assert rules([{"v": value} for value in values])["v"]["type"] == kind


def test_nested_objects_and_arrays_are_described_to_their_leaves() -> None:
    found = rules([{"o": {"items": [{"sku": "a", "tags": ["x"]}, {"sku": "b"}]}}, {"o": {"items": []}}])
    assert {path: rule["type"] for path, rule in found.items()} == {
        "o": "object",
        "o.items": "array",
        "o.items[].sku": "text",
        "o.items[].tags": "array",
        "o.items[].tags[]": "text",
    }
    assert found["o.items[].sku"]["required"] is True
    assert "required" not in found["o.items[].tags"]


def test_a_few_values_that_come_again_and_again_are_the_options() -> None:
    few = [{"plan": "free" if n % 3 else "pro"} for n in range(60)]
    assert rules(few)["plan"]["constraints"] == {"enum": ["free", "pro"]}
    assert "constraints" not in rules(few[:20])["plan"], "too few to tell"
    assert "constraints" not in rules([*few, {"plan": "once"}])["plan"], "another may come"
    assert "constraints" not in rules([{"id": f"n{n}"} for n in range(60)])["id"]
    assert "constraints" not in rules([{"plan": "free"}] * 60)["plan"], "one value is no choice"


def test_zero_is_the_least_where_nothing_was_negative_and_no_largest_is_asked_for() -> None:
    assert rules([{"n": n} for n in range(40)])["n"]["constraints"] == {"minimum": 0}
    assert "constraints" not in rules([{"n": n - 5} for n in range(40)])["n"]
    assert "constraints" not in rules([{"n": n} for n in range(20)])["n"]


@pytest.mark.parametrize(
    ("key", "value", "format_"),
    [
        ("id", "0190b0c0-0000-7000-8000-00000000000{}", "uuid"),
        ("mail", "a{}@shop.example", "email"),
        ("link", "https://shop.example/{}", "uri"),
        ("ip", "10.0.0.{}", "ipv4"),
        ("currency", "EUR", "currency"),
        ("currency_name", "EUR{}", None),
        ("code", "EUR", None),
        ("app_version", "1.2.{}", "semver"),
        ("place", "1.2.{}", None),
    ],
)
def test_a_format_is_one_that_all_texts_have(key: str, value: str, format_: str | None) -> None:
    found = rules([{key: value.format(n)} for n in range(8)])[key]
    assert found.get("constraints", {}).get("format") == format_
    assert "constraints" not in rules([{key: value.format(n)} for n in range(8)] + [{key: "?"}])[key]


def test_each_rule_says_what_speaks_for_it() -> None:
    inferred = infer([{"total": n, "plan": "free"} for n in range(9)] + [{"plan": None}])
    evidence = {each["path"]: each for each in inferred.evidence}
    assert inferred.sampled == 10
    total = evidence["total"]
    assert (total["there"], total["of"], total["least"], total["most"]) == (9, 10, 0, 8)
    assert total["types"] == {"integer": 9}
    assert evidence["plan"]["types"] == {"text": 9, "null": 1}
    assert evidence["plan"]["values"] == [{"value": "free", "count": 9}]


def test_an_object_used_as_a_map_gets_no_rules_for_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "MOST_KEYS", 5)
    inferred = infer([{"by_id": {f"id{n}": 1, f"id{n + 1}": 2}} for n in range(9)])
    assert [rule["path"] for rule in inferred.definition["rules"]] == ["by_id"]
    assert inferred.evidence[0]["is_map"] is True


def test_two_spellings_are_one_property_where_the_plan_takes_them_for_one() -> None:
    payloads = [{"Card_Name": "a"}, {"card_name": "b"}, {"card_name": "c"}]
    assert list(rules(payloads)) == ["card_name"]
    assert len(infer(payloads, relaxed=False).definition["rules"]) == 2
