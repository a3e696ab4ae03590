"""The corrected payload: every safe suggestion followed, and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.validation.compile import compile_plan
from app.validation.corrected import corrected
from app.validation.paths import MOST_KEY_CHARACTERS, format_path, parse_path

PLAN = compile_plan(
    {
        "events": {
            "purchase": {
                "rules": [
                    {"path": "order_id", "type": "text", "required": True},
                    {"path": "total", "type": "number", "required": True},
                    {"path": "currency", "type": "text", "constraints": {"enum": ["EUR", "USD"]}},
                    {"path": "items[].is_gift", "type": "boolean"},
                    {"path": "secret", "type": "integer", "private": True},
                ]
            },
            "push": {"schema": {"properties": {"count": {"type": "integer"}}, "additionalProperties": False}},
        }
    },
    1,
)


@pytest.mark.parametrize(
    ("name", "payload", "meant"),
    [
        ("purchase", {"order_id": "A1", "total": 5}, None),
        ("purchase", {"orderId": "A1", "total": 5}, {"order_id": "A1", "total": 5}),
        ("purchase", {"order_id": "A1", "Total": "5.5"}, {"order_id": "A1", "Total": 5.5}),
        ("purchase", {"order_id": "A1", "totall": "5"}, {"order_id": "A1", "total": 5}),
        (
            "purchase",
            {"order_id": "A1", "total": 5, "currency": "eur"},
            {"order_id": "A1", "total": 5, "currency": "EUR"},
        ),
        (
            "purchase",
            {"order_id": "A1", "total": 5, "items": [{"isgift": "TRUE", "odd key": 1}]},
            {"order_id": "A1", "total": 5, "items": [{"is_gift": True, "odd key": 1}]},
        ),
        ("purchase", {"order_id": "A1", "orderId": "A2", "total": 5}, None),
        (
            "purchase",
            {"order-id": "A1", "orderid": "A2", "total": 5},
            {"order_id": "A1", "orderid": "A2", "total": 5},
        ),
        ("purchase", {"total": 5}, None),
        ("purchase", {"order_id": "A1", "total": 5, "secret": "12"}, None),
        ("push", {"Count": "3"}, {"count": 3}),
        ("push", {"count": "three"}, None),
    ],
    ids=str,
)
def test_what_was_probably_meant(name: str, payload: dict[str, Any], meant: dict[str, Any] | None) -> None:
    before = repr(payload)
    found = corrected(payload, PLAN.events[name])
    assert found == meant
    assert found is None or list(found) == list(meant or ())
    assert repr(payload) == before


@given(
    st.lists(
        st.integers(0, 99) | st.text(max_size=MOST_KEY_CHARACTERS, alphabet=st.characters(codec="utf-8")),
        min_size=1,
    )
)
def test_the_path_of_a_violation_leads_back_to_its_place(steps: list[str | int]) -> None:
    assert parse_path(format_path(steps)) == steps
