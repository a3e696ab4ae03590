"""The merging of plan, payload and violations into rows, module by module, without a server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

SOURCES = Path(__file__).parents[2] / "app" / "static" / "src"
SITE = "http://sources.test"
PRICE = {"path": "price", "type": "number", "required": True}
VIOLATION = {"severity": "error", "message": "no"}


@pytest.fixture(scope="module")
def modules(browser: Browser) -> Iterator[Page]:
    """An empty page that can import our sources."""
    page = browser.new_page()

    def serve(route: Route) -> None:
        path = SOURCES / route.request.url.removeprefix(f"{SITE}/")
        if path.suffix == ".js":
            route.fulfill(body=path.read_text(), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    page.route(f"{SITE}/**", serve)
    page.goto(f"{SITE}/blank")
    yield page
    page.close()


def merged(
    page: Page, payload: str, expected: list[dict[str, Any]], violations: list[dict[str, Any]]
) -> dict[str, Any]:
    """mergeFields of a payload written as JSON text: path → row, in the order shown."""
    rows = page.evaluate(
        """async ([payload, expected, violations]) => {
            const { mergeFields } = await import("/event/fields.js");
            const { parseExactly, show } = await import("/event/json.js");
            const { rows } = mergeFields(parseExactly(payload), expected, violations);
            return rows.map((row) => ({ ...row, value: row.isSent ? show(row.value) : null }));
        }""",
        [payload, expected, violations],
    )
    return {row["path"]: row for row in rows}


def test_a_field_that_fits_is_valid(modules: Page) -> None:
    row = merged(modules, '{"price": 12.0}', [PRICE], [])["price"]
    assert (row["status"], row["expected"], row["received"], row["value"]) == (
        "valid",
        "number",
        "number",
        "12.0",
    )


def test_a_wrong_type_shows_both_and_comes_first(modules: Page) -> None:
    wrong = {**VIOLATION, "kind": "type_mismatch", "path": "price", "expected": "number", "received": "text"}
    rows = merged(modules, '{"sku": "a", "price": "x"}', [PRICE], [wrong])
    assert list(rows) == ["price", "sku"]
    assert (rows["price"]["status"], rows["price"]["expected"], rows["price"]["received"]) == (
        "wrong",
        "number",
        "text",
    )
    assert rows["sku"]["status"] == "unjudged"


def test_a_missing_field_received_nothing(modules: Page) -> None:
    missing = {
        **VIOLATION,
        "kind": "missing_property",
        "path": "price",
        "expected": "number",
        "received": None,
    }
    row = merged(modules, "{}", [PRICE], [missing])["price"]
    assert (row["status"], row["received"], row["isSent"]) == ("missing", "nothing", False)


def test_an_optional_field_that_did_not_come_is_last_and_no_problem(modules: Page) -> None:
    rows = merged(modules, '{"other": 1}', [{"path": "coupon", "type": "text", "required": False}], [])
    assert list(rows) == ["other", "coupon"]
    assert rows["coupon"]["status"] == "absent"


def test_a_rule_for_each_element_holds_for_every_one(modules: Page) -> None:
    rule = {"path": "items[].price", "type": "number", "required": False}
    wrong = {
        **VIOLATION,
        "kind": "type_mismatch",
        "path": "items[1].price",
        "expected": "number",
        "received": "text",
    }
    rows = merged(modules, '{"items": [{"price": 1}, {"price": "x"}]}', [rule], [wrong])
    assert {path: row["status"] for path, row in rows.items()} == {
        "items[1].price": "wrong",
        "items[0].price": "valid",
    }


def test_sheets_are_matched_relaxed(modules: Page) -> None:
    rows = merged(
        modules, '{"Card Name": "x"}', [{"path": "card_name", "type": "text", "required": True}], []
    )
    assert {path: row["status"] for path, row in rows.items()} == {'["Card Name"]': "valid"}


def test_an_odd_key_is_written_as_the_judge_writes_it(modules: Page) -> None:
    extra = {
        **VIOLATION,
        "kind": "unplanned_property",
        "path": 'a["b.c"]',
        "expected": None,
        "received": "text",
    }
    rows = merged(modules, '{"a": {"b.c": "x"}}', [], [extra])
    assert rows['a["b.c"]']["status"] == "unplanned"


def test_a_container_of_the_wrong_type_has_its_row(modules: Page) -> None:
    wrong = {**VIOLATION, "kind": "type_mismatch", "path": "sku", "expected": "text", "received": "object"}
    row = merged(modules, '{"sku": {"a": 1}}', [], [wrong])["sku"]
    assert (row["status"], row["received"], row["value"]) == ("wrong", "object", '{"a":1}')


def test_a_warning_is_not_an_error(modules: Page) -> None:
    warning = {
        "kind": "unplanned_property",
        "path": "x",
        "severity": "warning",
        "message": "m",
        "expected": None,
    }
    assert merged(modules, '{"x": 1}', [], [warning])["x"]["severity"] == "warning"


def test_what_is_wrong_with_the_whole_event_is_no_field(modules: Page) -> None:
    unplanned = {**VIOLATION, "kind": "unplanned_event", "path": "", "expected": None, "received": "e"}
    assert merged(modules, "{}", [], [unplanned]) == {}
