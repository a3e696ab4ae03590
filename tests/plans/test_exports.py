"""Exports: what is taken out and brought in again is the plan, but for what the loss report names."""

import csv
import io
from typing import Any

import openpyxl
import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings

from app.plans import cells, exporting, importing
from app.plans.content import Content
from app.plans.exports import sheet
from app.plans.exports.dictionary import escaped
from app.plans.exports.exported import Exported, TooLarge
from app.plans.imported import Imported
from app.validation import options
from app.validation.by_rules import read_definition
from app.validation.compile import compile_plan
from app.validation.document import DEFINITIONS, build
from app.validation.problems import PlanInvalid
from tests.plans.plan_strategies import plans

ROUND_TRIPS = ("csv", "xlsx", "json-schema", "segment")
OFTEN = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
SHOP: Content = {
    "matching": {"events": "relaxed", "properties": "relaxed"},
    "bundles": {},
    "events": {
        "purchase": {
            "description": "Somebody paid.",
            "tags": "Checkout",
            "rules": [
                {"path": "order_id", "type": "text", "required": True, "description": "=cmd|'/c calc'!A1"},
                {"path": "total", "type": "number", "required": True, "constraints": {"minimum": -5}},
                {"path": "items[].sku", "type": "text", "constraints": {"enum": ["a|b", "c"]}},
            ],
            "conditions": [{"if": "payment", "equals": "card", "then": "card_brand", "type": "text"}],
        }
    },
}


def compiles(content: Content) -> bool:
    try:
        compile_plan(content, 0)
    except PlanInvalid:
        return False
    return True


def both_ways(format_: str, content: Content) -> tuple[Exported, Imported]:
    exported = exporting.write(format_, orjson.loads(orjson.dumps(content)))
    imported = importing.read(format_, exported.body)
    assert imported.problems == []
    return exported, imported


def told(content: Content, definition: dict[str, Any], *, in_order: bool = True) -> Any:
    """An event's definition as it is understood: defaults and spelling of the JSON say nothing."""
    people = {what: definition[what] for what in ("description", "tags") if definition.get(what)}
    if "schema" in definition:
        bundle = content["bundles"].get(definition["bundle"], {})
        shared = {place: bundle.get(place, {}) for place in DEFINITIONS}
        return {"schema": build(definition["schema"], bundle.get("dialect"), shared), **people}
    rules, conditions, problems = read_definition(definition)
    assert problems == []
    unplanned = options.read(content).of_event(definition).unplanned_properties
    ordered = rules if in_order else sorted(rules, key=lambda rule: rule.path)
    return {"rules": ordered, "conditions": conditions, "unplanned": unplanned, **people}


@pytest.mark.parametrize("format_", ROUND_TRIPS)
@OFTEN
@given(content=plans(with_schemas=False, with_settings=False))
def test_a_plan_of_rules_comes_back_as_it_was_but_for_what_is_told(format_: str, content: Content) -> None:
    assume(compiles(content))
    exported, imported = both_ways(format_, content)
    by_event: dict[str, list[dict[str, Any]]] = {}
    for loss in exported.loss:
        by_event.setdefault(loss["event"], []).append(loss)
    assert imported.content["events"].keys() <= content["events"].keys()
    for name, definition in content["events"].items():
        back = imported.content["events"].get(name)
        codes = {loss["code"] for loss in by_event.get(name, [])}
        if not codes:
            assert back is not None
            assert told(imported.content, back) == told(content, definition)
        elif codes == {"reordered"}:
            assert back is not None
            was, now = (
                told(c, d, in_order=False) for c, d in ((content, definition), (imported.content, back))
            )
            assert was == now
            assert told(content, definition) != told(imported.content, back)
        else:
            assert back is None or told(content, definition) != told(imported.content, back), codes


@pytest.mark.parametrize("format_", ["json-schema", "segment"])
@OFTEN
@given(content=plans(with_settings=False))
def test_schemas_come_back_as_they_were_with_the_definitions_that_they_use(
    format_: str, content: Content
) -> None:
    assume(compiles(content))
    _, imported = both_ways(format_, content)
    for name, definition in content["events"].items():
        if "schema" not in definition:
            continue
        before = told(content, definition)
        after = told(imported.content, imported.content["events"][name])
        if format_ == "segment" or definition["schema"] is True:
            before.pop("description", None), after.pop("description", None)
            before.pop("tags", None), after.pop("tags", None)
        assert after == before


@pytest.mark.parametrize("format_", exporting.FORMATS)
@OFTEN
@given(content=plans())
def test_whatever_is_written_can_be_read_and_every_setting_that_is_not_in_it_is_told(
    format_: str, content: Content
) -> None:
    assume(compiles(content))
    exported = exporting.write(format_, content)
    what = {loss.get("what") for loss in exported.loss}
    if content["matching"]["events"] == "exact":
        assert "matching.events" in what
    if content["matching"]["properties"] == "exact":
        assert "matching.properties" in what
    if "judging" in content:
        assert "judging.types" in what
        assert ("judging.unplanned_events" in what) == (content["judging"]["unplanned_events"] != "warning")
    if "common" in content and format_ != "markdown":
        assert "common" in what
    assert all(loss["code"] and loss["message"] for loss in exported.loss)
    if format_ in ROUND_TRIPS:
        imported = importing.read(format_, exported.body)
        assert [p.message for p in imported.problems if p.code != "no_events"] == []
        left_out = {loss.get("event") for loss in exported.loss if loss["code"] == "left_out"}
        assert content["events"].keys() - imported.content["events"].keys() <= left_out


def test_no_cell_is_a_formula_and_excel_knows_the_encoding() -> None:
    body = exporting.write("csv", SHOP).body
    assert body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    assert rows[1][rows[0].index("description")] == "'=cmd|'/c calc'!A1"
    assert not [
        cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
    ]
    book = openpyxl.load_workbook(io.BytesIO(exporting.write("xlsx", SHOP).body))
    kinds = {cell.data_type for row in book.active.iter_rows() for cell in row if cell.value is not None}
    assert kinds == {"s", "n"}, "texts and numbers, no formula"


LOSSES: dict[str, tuple[Content, set[tuple[str, str]]]] = {
    "csv": (
        {
            **SHOP,
            "matching": {"events": "exact", "properties": "exact"},
            "common": {"schema": {"type": "object"}},
            "somewhat": {"new": 1},
            "events": {
                "a": {"rules": [{"path": "x", "type": "text", "description": " y\x00"}], "weight": 3},
                "A": {"rules": []},
                "choice": {"schema": {"oneOf": [{}, {"type": "null"}]}, "bundle": "1"},
                "plain": {
                    "schema": {"type": "object", "properties": {"x": {"type": "string"}}},
                    "bundle": "1",
                },
                "long": {"rules": [{"path": "x", "type": "text", "constraints": {"enum": ["y" * 30_000]}}]},
            },
        },
        {
            ("not_kept", "matching.events"),
            ("not_kept", "matching.properties"),
            ("not_kept", "common"),
            ("not_kept", "somewhat"),
            ("not_kept", "weight"),
            ("trimmed", "description"),
            ("left_out", "A"),
            ("left_out", "choice"),
            ("becomes_rules", "plain"),
            ("left_out", "enum"),
        },
    ),
    "json-schema": (
        {
            **SHOP,
            "judging": {"types": "lenient", "unplanned_properties": "error"},
            "common": {"rules": [{"path": "user", "type": "text"}]},
            "events": {
                "$defs": {"rules": []},
                "yes": {"schema": True, "bundle": "1", "description": "Anything"},
                "a": {"rules": [{"path": p, "type": "text"} for p in ("o.x", "b", "o.y")]},
                "c": {"rules": [{"path": p, "type": "text"} for p in ("o.x", "O.y")]},
            },
        },
        {
            ("not_kept", "judging.types"),
            ("folded", "judging.unplanned_properties"),
            ("folded", "common"),
            ("not_kept", "common"),
            ("left_out", "$defs"),
            ("not_kept", "description"),
            ("reordered", "a"),
            ("respelled", "c"),
        },
    ),
    "segment": (
        {
            **SHOP,
            "judging": {"unplanned_events": "error"},
            "events": {
                "new": {"schema": {"$schema": "https://json-schema.org/draft/2020-12/schema"}, "bundle": "1"},
                "own": {
                    "schema": {"$schema": "http://json-schema.org/draft-07/schema#", "items": {"$ref": "#"}},
                    "bundle": "1",
                },
            },
        },
        {
            ("not_kept", "judging.unplanned_events"),
            ("dialect", "https://json-schema.org/draft/2020-12/schema"),
            ("reference", "own"),
        },
    ),
    "markdown": (
        {**SHOP, "matching": {"events": "exact"}, "events": {"s": {"schema": True, "bundle": "1"}}},
        {("not_kept", "matching.events"), ("not_kept", "s")},
    ),
}
LOSSES["xlsx"] = (
    {**SHOP, "events": {"a": {"rules": [{"path": "x", "type": "text", "owner": "x\ry\x01"}]}}},
    {("trimmed", "owner")},
)


@pytest.mark.parametrize("format_", LOSSES)
def test_the_loss_report_names_each_thing_that_a_format_does_not_hold(format_: str) -> None:
    content, expected = LOSSES[format_]
    content = {"bundles": {"1": {}}, **content, **({"bundles": {"1": {}}} if format_ != "xlsx" else {})}
    exported = exporting.write(format_, content)
    assert {(loss["code"], loss.get("what") or loss["event"]) for loss in exported.loss} == expected
    assert exporting.write(format_, SHOP).loss == []


def test_a_dictionary_says_everything_and_lets_nothing_become_markup() -> None:
    text = exporting.write("markdown", SHOP).body.decode()
    assert "## purchase" in text
    assert "| order\\_id | text | yes |" in text
    assert "one of a\\|b, c" in text
    assert "Where payment is card, card\\_brand is text and required." in text
    hostile = "<script>`|](http://x)\n# h1"
    assert escaped(hostile) == "&lt;script\\>\\`\\|\\]\\(http\\://x\\) \\# h1"
    planned = {
        **SHOP,
        "events": {hostile: {"rules": [{"path": "a", "type": "text", "description": hostile}]}},
    }
    written = exporting.write("markdown", planned).body.decode()
    assert "<script" not in written
    assert [line for line in written.splitlines() if line.startswith("# ")] == ["# Tracking plan"]


def test_what_a_workbook_cannot_hold_in_good_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MOST_WORKBOOK_ROWS", 2)
    with pytest.raises(TooLarge, match="CSV"):
        exporting.write("xlsx", SHOP)
    monkeypatch.setattr(cells, "MOST_ROWS", 3)
    with pytest.raises(TooLarge, match="JSON Schemas"):
        exporting.write("csv", SHOP)


def test_rules_that_somebody_changed_in_the_file_are_kept_as_the_schema_that_they_became() -> None:
    bundle = orjson.loads(exporting.write("json-schema", SHOP).body)
    bundle["purchase"]["properties"]["total"]["maximum"] = 9
    imported = importing.read("json-schema", orjson.dumps(bundle))
    assert imported.warnings == []
    assert imported.content["events"]["purchase"]["rules"][1]["constraints"] == {"minimum": -5, "maximum": 9}
    bundle["purchase"]["oneOf"] = [{}]
    imported = importing.read("json-schema", orjson.dumps(bundle))
    assert [warning.code for warning in imported.warnings] == ["became_schema"]
    assert imported.content["events"]["purchase"]["schema"]["oneOf"] == [{}]


CONDITIONS: list[dict[str, Any]] = [
    {
        "if": "ORDER_ID",
        "equals": "x",
        "then": "Order id.part",
        "type": "text",
    },  # spelled otherwise than the rule
    {"if": "a", "in": [1, None, "\r"], "then": "b", "type": "date", "required": False},
    {"if": "a", "present": False, "then": "b", "forbidden": True, "severity": "info"},
    {"if": "a", "equals": None, "then": "c", "type": "text", "constraints": {"format": "currency"}},
    {"if": "a", "present": True, "then": "d", "type": "text", "constraints": {"pattern": r"\S"}},
]


@pytest.mark.parametrize("format_", ROUND_TRIPS)
@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda each: each["then"])
def test_a_condition_comes_back_as_it_was_spelled(format_: str, condition: dict[str, Any]) -> None:
    rules = [{"path": "order_id", "type": "any"}] if "ORDER" in condition["if"] else []
    content = {**SHOP, "events": {"e": {"rules": rules, "conditions": [condition]}}}
    exported, imported = both_ways(format_, content)
    assert exported.loss == []
    assert told(imported.content, imported.content["events"]["e"]) == told(content, content["events"]["e"])


@pytest.mark.parametrize("format_", ["json-schema", "segment"])
def test_events_of_two_bundles_keep_the_definitions_that_each_meant(format_: str) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/tag"}}}
    bundles = {"1": {"$defs": {"tag": {"type": "string"}}}, "2": {"$defs": {"tag": {"type": "integer"}}}}
    events = {name: {"schema": schema, "bundle": name} for name in bundles}
    _, imported = both_ways(format_, {**SHOP, "bundles": bundles, "events": events})
    plan = compile_plan(imported.content, 1)
    fits = {
        (name, value): plan.events[name].judge({"a": value}).verdict.value
        for name in "12"
        for value in ("x", 7)
    }
    assert fits == {("1", "x"): "valid", ("1", 7): "invalid", ("2", "x"): "invalid", ("2", 7): "valid"}


def test_a_number_that_excel_would_round_is_written_as_text() -> None:
    rule = {"path": "a", "type": "integer", "constraints": {"minimum": 7, "maximum": 2**53 + 1}}
    body = exporting.write("xlsx", {**SHOP, "events": {"e": {"rules": [rule]}}}).body
    cells_ = list(openpyxl.load_workbook(io.BytesIO(body)).active.iter_rows(values_only=True))[1]
    assert 7 in cells_
    assert str(2**53 + 1) in cells_
