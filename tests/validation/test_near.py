"""Did you mean."""

import pytest

from app.validation.near import NearNames, slip_of

NAMES = NearNames(["order_id", "orderTotal", "id", "currency", "items"])


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("orderId", "order_id"),
        ("ORDER-ID", "order_id"),
        ("order_i", "order_id"),
        ("order_idd", "order_id"),
        ("ordre_id", "order_id"),
        ("ordar_id", "order_id"),
        ("order_total", "orderTotal"),
        ("ID", "id"),
        ("ip", None),
        ("order_id", None),
        ("quantity", None),
        ("", None),
        ("x" * 1000, None),
    ],
)
def test_a_name_one_slip_away_is_found_and_nothing_else(word: str, meant: str | None) -> None:
    assert NAMES.nearest(word) == meant


def test_a_key_that_the_plan_knows_is_no_slip_of_another() -> None:
    assert slip_of("order_id", ["orderid", "x"], planned=()) == "orderid"
    assert slip_of("order_id", ["orderid", "x"], planned={"orderid"}) is None
    assert slip_of("order_id", [f"orderid{i}" for i in range(500)], planned=()) is None
