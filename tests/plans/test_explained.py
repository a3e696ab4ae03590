"""The rule behind a violation, told from the plan."""

from typing import Any

import pytest

from app.plans.explained import rule_behind
from app.validation.compile import compile_plan

PLAN = compile_plan(
    {
        "common": {"rules": [{"path": "user.id", "type": "text", "owner": "Accounts"}]},
        "events": {
            "rules": {
                "rules": [
                    {"path": "items[].unitPrice", "type": "number", "description": "Net", "private": True},
                    {"path": '["odd.key"]', "type": "text"},
                ]
            },
            "schema": {
                "schema": {
                    "properties": {
                        "items": {
                            "type": "array",
                            "items": {"properties": {"price": {"$ref": "#/$defs/money"}}},
                        },
                        "note": {"type": "string"},
                    },
                    "$defs": {"money": {"type": "number", "description": "In cents"}},
                }
            },
        },
    },
    1,
)


@pytest.mark.parametrize(
    ("event", "path", "rule"),
    [
        (
            "rules",
            "items[3].unitPrice",
            {"path": "items[].unitPrice", "type": "number", "description": "Net"},
        ),
        (
            "rules",
            "items[0].UNITPRICE",
            {"path": "items[].unitPrice", "type": "number", "description": "Net"},
        ),
        ("rules", '["odd.key"]', {"path": '["odd.key"]', "type": "text"}),
        ("rules", "items", None),
        ("rules", "colour", None),
        ("rules", "", None),
        ("rules", "user.id", {"path": "user.id", "type": "text", "owner": "Accounts"}),
        ("schema", "items[0].price", {"description": "In cents"}),
        ("schema", "note", None),
        ("schema", "nowhere[1].at.all", None),
        ("schema", "user.id", {"path": "user.id", "type": "text", "owner": "Accounts"}),
    ],
)
def test_the_rule_is_told_with_its_description_and_owner(
    event: str, path: str, rule: dict[str, Any] | None
) -> None:
    assert rule_behind(PLAN.events[event], path) == rule
