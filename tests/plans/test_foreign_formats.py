"""Plans as other tools keep them: Avo's template, Segment's plans, Snowplow's schemas, each with a loss report."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.plans import cells, importing
from app.plans.imported import Imported
from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event

AVO = """Event Name,Event Description,Event Category,Sources,Property Name,Property Description,\
Property Value Type,Is Property Required?,Is Property Array?,Property Enumeration Options,Property Type
Order Placed,Somebody paid,Checkout,iOS,total,With tax,float,Yes,No,,Event
,,,,currency,,string,No,No,"EUR|USD",Event
,,,,skus,,string,Yes,Yes,,Event
,,,,plan,,string,Yes,No,,User
"""
SCHEMA = {"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}}
CALL = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"context": {"type": "object"}, "traits": {}, "properties": SCHEMA},
}
PLAN_JSON = {
    "rules": {
        "events": [{"name": "Order Placed", "description": "Somebody paid", "rules": CALL}],
        "global": {"type": "object"},
        "identify_traits": [],
    }
}
PUBLIC_API = {
    "data": {
        "rules": [
            {"type": "TRACK", "key": "Order Placed", "version": 1, "jsonSchema": CALL},
            {"type": "IDENTIFY", "jsonSchema": {}},
        ]
    }
}


def read(format_: str, plan: Any) -> Imported:
    return importing.read(format_, plan.encode() if isinstance(plan, str) else orjson.dumps(plan))


def iglu(version: str, type_: str) -> dict[str, Any]:
    about = {"vendor": "com.shop", "name": "Order Placed", "format": "jsonschema", "version": version}
    return {"self": about, "type": "object", "required": ["total"], "properties": {"total": {"type": type_}}}


def verdict(imported: Imported, payload: dict[str, Any]) -> str:
    assert imported.problems == []
    plan = compile_plan(imported.content, 1)
    return judge(Event("Order Placed", payload), plan).verdict.value


def test_avos_template_is_read_by_its_own_headers() -> None:
    imported = read("avo", AVO)
    assert imported.problems == []
    assert imported.content["events"] == {
        "Order Placed": {
            "rules": [
                {"path": "total", "type": "number", "required": True, "description": "With tax"},
                {
                    "path": "currency",
                    "type": "text",
                    "required": False,
                    "constraints": {"enum": ["EUR", "USD"]},
                },
                {"path": "skus", "type": "array", "required": True},
                {"path": "skus[]", "type": "text", "required": False},
            ],
            "description": "Somebody paid",
            "tags": "Checkout",
        }
    }
    assert [lost["code"] for lost in imported.loss] == ["unknown_column", "foreign_property"]
    assert read("csv", AVO).content == imported.content
    assert verdict(imported, {"total": 1.5, "skus": ["a"]}) == "valid"
    assert verdict(imported, {"total": 1.5, "skus": [7]}) == "invalid"


@pytest.mark.parametrize(
    ("plan", "lost"),
    [(PLAN_JSON, {"global", "context"}), (PUBLIC_API, {"IDENTIFY", "context"})],
    ids=["plan.json", "Public API"],
)
def test_segments_plan_judges_the_properties_and_says_what_it_leaves_out(plan: Any, lost: set[str]) -> None:
    imported = read("segment", plan)
    assert verdict(imported, {"total": 3}) == "valid"
    assert verdict(imported, {"total": "3"}) == "invalid"
    assert verdict(imported, {}) == "invalid"
    assert {loss["what"] for loss in imported.loss} == lost


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        ({}, "not_segment"),
        ([], "not_segment"),
        ([{"type": "TRACK", "key": "a", "jsonSchema": 7}], "not_a_schema"),
        ([{"type": "TRACK", "key": "a", "jsonSchema": {"properties": {"properties": 7}}}], "not_a_schema"),
        ([{"type": "TRACK", "key": "a", "jsonSchema": {}}] * 2, "duplicate_event"),
        ("{", "bad_json"),
    ],
)
def test_what_is_no_segment_plan_is_refused(plan: Any, code: str) -> None:
    assert [problem.code for problem in read("segment", plan).problems] == [code]


def test_snowplows_schemas_are_named_by_themselves_and_the_newest_counts() -> None:
    for schemas in ([iglu("1-0-0", "string"), iglu("1-0-10", "number"), iglu("1-0-9", "string")],):
        imported = read("snowplow", schemas)
        assert verdict(imported, {"total": 3}) == "valid"
        assert verdict(imported, {"total": "3"}) == "invalid"
        assert {loss["code"] for loss in imported.loss} == {"not_kept", "older_version"}
    assert verdict(read("snowplow", iglu("1-0-0", "number")), {"total": 3}) == "valid"


@pytest.mark.parametrize("plan", [SCHEMA, [1], {"self": {"name": "a", "version": "one"}}, {"self": 3}])
def test_a_schema_that_does_not_describe_itself_is_refused(plan: Any) -> None:
    assert [problem.code for problem in read("snowplow", plan).problems] == ["not_self_describing"]


@given(st.text(alphabet="'=+-@a1 ＝"))
def test_a_guarded_cell_is_no_formula_and_comes_back_as_it_was(cell: str) -> None:
    guarded = cells.guarded(cell)
    assert guarded.startswith("'") or not cells.FORMULA.match(guarded)
    assert cells.unguarded(guarded) == cell
