"""The plan's editor by keyboard: walk, change, add, delete, filter, many at once, undo; and two editors at once."""

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Console, SendingApp, call
from tests.browser.test_accessibility import THEMES, Theme, violations

SHEET = """eventName,eventPayload,dataType,required,enum
add_to_cart,sku,text,true,
,price,number,true,
,currency,text,true,EUR|USD
purchase,order_id,text,true,
,total,number,true,
"""
SCHEMA = {"push": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}}


def cell(page: Page, path: str, member: str) -> Locator:
    return page.locator(f'tr[data-path="{path}"] [data-member="{member}"]')


def rows(page: Page) -> Locator:
    return page.locator("#rules tr[data-path]")


def focused(page: Page) -> list[str]:
    """The focused cell: its row's property, and which member of it."""
    return page.evaluate(
        "[document.activeElement.closest('tr').dataset.path, document.activeElement.dataset.member]"
    )


def opened(app: SendingApp, page: Page | None = None) -> Page:
    page = page or app.page
    page.goto(f"{app.path}/plan/edit")
    expect(rows(page).first).to_be_visible()
    return page


def drafted(app: SendingApp) -> dict[str, Any]:
    """The draft, as the server has it."""
    return app.page.request.get(f"/api/apps/{app.app_id}/plan/draft").json()


def rule(app: SendingApp, event: str, path: str) -> dict[str, Any]:
    return next(r for r in drafted(app)["content"]["events"][event]["rules"] if r["path"] == path)


@pytest.fixture
def planned(app: SendingApp) -> SendingApp:
    app.publish(SHEET)
    return app


def test_arrow_keys_walk_and_enter_changes_a_cell(planned: SendingApp) -> None:
    page = opened(planned)
    cell(page, "sku", "path").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert focused(page) == ["sku", "required"]
    page.keyboard.press("Enter")
    expect(cell(page, "sku", "required")).to_have_text("no")
    assert focused(page) == ["sku", "required"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert focused(page) == ["price", "type"]
    page.keyboard.press("Enter")
    page.keyboard.type("int")  # a select finds its option by its letters
    page.keyboard.press("Enter")
    expect(cell(page, "price", "type")).to_have_text("integer")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("What it costs")
    page.keyboard.press("Enter")
    expect(cell(page, "price", "description")).to_have_text("What it costs")
    assert focused(page) == ["price", "description"]
    assert rule(planned, "add_to_cart", "price")["type"] == "integer"
    assert rule(planned, "add_to_cart", "price")["description"] == "What it costs"
    assert "required" not in rule(planned, "add_to_cart", "sku")


def test_who_types_faster_than_the_server_answers_overtakes_nobody(planned: SendingApp) -> None:
    page = opened(planned)
    page.route("**/plan/draft", lambda route: (page.wait_for_timeout(300), route.continue_()))
    cell(page, "sku", "required").focus()
    for key in ("Enter", "ArrowDown", "Enter", "ArrowDown", "Enter", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    expect(cell(page, "currency", "required")).to_have_text("no")
    page.keyboard.press("Enter")
    page.keyboard.type("int", delay=20)
    page.keyboard.press("Enter")
    page.keyboard.type("nn")  # while the server is asked: neither text nor commands
    expect(cell(page, "price", "type")).to_have_text("integer")
    expect(page.locator("#edit-notice")).to_be_empty()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#rules [aria-busy]")).to_have_count(0)
    for path in ("sku", "price", "currency"):
        assert "required" not in rule(planned, "add_to_cart", path)


def test_a_change_that_cannot_be_is_refused_at_its_cell_and_escape_leaves(
    planned: SendingApp, console: Console
) -> None:
    console.allow("422")
    page = opened(planned)
    cell(page, "price", "path").focus()
    page.keyboard.press("F2")
    page.keyboard.type("SKU")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Property of price")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#cell-error")).to_contain_text("has a rule already")
    page.keyboard.press("Escape")
    expect(cell(page, "price", "path")).to_have_text("price")
    assert focused(page) == ["price", "path"]
    assert drafted(planned)["exists"] is False


def test_a_rule_is_added_with_its_constraints_and_deleted_and_had_back(planned: SendingApp) -> None:
    page = opened(planned)
    cell(page, "total", "path").focus()
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Event")).to_have_value("purchase")
    page.keyboard.type("items[].size")
    dialog.get_by_label("enum, one value a line").fill("s\nm\nl")
    dialog.get_by_label("Required").check()
    page.keyboard.press("Enter")
    expect(cell(page, "items[].size", "constraints")).to_have_text("enum: s | m | l")
    assert focused(page) == ["items[].size", "path"]
    expected = {
        "path": "items[].size",
        "type": "text",
        "required": True,
        "constraints": {"enum": ["s", "m", "l"]},
    }
    assert rule(planned, "purchase", "items[].size") == expected
    page.keyboard.press("Delete")
    expect(cell(page, "items[].size", "path")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(cell(page, "items[].size", "path")).to_have_count(1)
    cell(page, "items[].size", "constraints").focus()
    page.keyboard.press("Enter")
    dialog.get_by_label("max length").fill("1")
    dialog.get_by_role("button", name="Save").press("Enter")
    expect(cell(page, "items[].size", "constraints")).to_have_text("enum: s | m | l, max length: 1")
    assert focused(page) == ["items[].size", "constraints"]


def test_many_are_filtered_selected_changed_and_taken_back_at_once(planned: SendingApp) -> None:
    page = opened(planned)
    page.locator("#rules tbody [tabindex='0']").focus()
    page.keyboard.press("/")
    page.keyboard.type("purchase")
    expect(rows(page)).to_have_count(2)
    page.get_by_label("Select all rules that pass the filter").press("Space")
    expect(page.locator("#bulk-count")).to_have_text("2 selected")
    page.get_by_label("Set severity").select_option("warning")
    page.get_by_label("Set required").select_option("no")
    page.get_by_role("button", name="Apply").press("Enter")
    for path in ("order_id", "total"):
        expect(cell(page, path, "severity")).to_have_text("warning")
        expect(cell(page, path, "required")).to_have_text("no")
    assert drafted(planned)["revision"] == 1  # one step
    page.get_by_role("button", name="Undo").click()
    expect(cell(page, "total", "severity")).to_have_text("error")
    assert rule(planned, "purchase", "total")["required"] is True
    page.get_by_role("button", name="None").click()
    cell(page, "total", "type").focus()
    page.keyboard.press("Space")
    expect(page.locator("#bulk-count")).to_have_text("1 selected")
    page.get_by_label("Set type").select_option("text")
    page.get_by_role("button", name="Apply").click()
    expect(cell(page, "total", "type")).to_have_text("text")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(cell(page, "total", "path")).to_have_count(0)


def test_events_are_added_renamed_and_deleted(planned: SendingApp) -> None:
    page = opened(planned)
    page.get_by_role("button", name="Event", exact=True).click()
    page.get_by_role("dialog").get_by_label("Name").fill("refund")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Edit refund")).to_be_visible()
    page.get_by_role("button", name="Edit purchase").click()
    page.get_by_role("dialog").get_by_label("Name").fill("order")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Edit order")).to_be_visible()
    page.get_by_role("button", name="Delete add_to_cart").click()
    expect(page.get_by_role("button", name="Delete add_to_cart")).to_have_count(0)
    assert list(drafted(planned)["content"]["events"]) == ["order", "refund"]


def test_how_the_plan_judges_is_chosen_and_taken_back(planned: SendingApp) -> None:
    page = opened(planned)
    page.get_by_role("button", name="How it judges").click()
    page.get_by_role("dialog").get_by_label("Types (lenient").select_option("lenient")
    page.get_by_role("dialog").get_by_label("A property that is not planned").select_option("error")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    content = drafted(planned)["content"]
    assert content["judging"] == {"types": "lenient", "unplanned_properties": "error"}
    assert content["matching"] == {"events": "relaxed", "properties": "relaxed"}
    page.get_by_role("button", name="How it judges").click()
    expect(page.get_by_role("dialog").get_by_label("Types (lenient")).to_have_value("lenient")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#undo:not([aria-busy])")).to_be_visible()
    page.get_by_role("button", name="How it judges").click()
    expect(page.get_by_role("dialog").get_by_label("Types (lenient")).to_have_value("strict")


def test_a_schema_is_edited_with_its_errors_at_the_line(planned: SendingApp, console: Console) -> None:
    console.allow("422")
    call(
        planned.page,
        f"/api/apps/{planned.app_id}/plan/import?format=json-schema&mode=merge&publish=true",
        SCHEMA,
    )
    page = opened(planned)
    assert not page.evaluate(  # the editor is no small thing: it comes when it is opened
        "performance.getEntriesByType('resource').some(r => r.name.includes('/part-') && r.transferSize > 100000)"
    )
    page.get_by_role("button", name="Edit push").click()
    editor = page.get_by_role("textbox", name="JSON Schema of push")
    expect(editor).to_contain_text('"properties"')
    lines = page.get_by_role("list", name="Problems by line")

    def write(text: str) -> None:
        editor.focus()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(text)

    write('{\n  "type": "object",\n  oops\n}')
    expect(lines).to_contain_text("Line 3")
    write('{\n  "type": "object",\n  "properties": {\n    "id": {"type": "colour"}\n  }\n}')
    expect(lines).to_contain_text("Line 4: This is not a JSON Schema")
    expect(page.locator(".cm-lint-marker-error")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("This is not a JSON Schema")
    write('{\n  "type": "object",\n  "required": ["id", "size"]\n}')
    expect(lines).to_be_hidden()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert drafted(planned)["content"]["events"]["push"]["schema"]["required"] == ["id", "size"]


def test_of_two_editors_the_slower_sees_the_others_change_and_goes_on(
    planned: SendingApp, console: Console
) -> None:
    console.allow("409")
    mine = opened(planned)
    other = opened(planned, planned.page.context.new_page())
    cell(other, "total", "required").press("Enter")
    expect(cell(other, "total", "required")).to_have_text("no")
    cell(mine, "sku", "required").press("Enter")
    expect(mine.locator("#edit-notice")).to_contain_text("changed the plan after you opened it")
    expect(mine.locator("#edit-notice")).to_contain_text("total of purchase became optional.")
    expect(cell(mine, "sku", "required")).to_have_text("yes")
    mine.get_by_role("button", name="Load it and do my change on it").click()
    expect(cell(mine, "sku", "required")).to_have_text("no")
    expect(cell(mine, "total", "required")).to_have_text("no")
    expect(mine.locator("#edit-notice")).to_be_empty()


def test_an_event_is_tried_and_the_draft_is_published(planned: SendingApp) -> None:
    page = opened(planned)
    cell(page, "order_id", "required").press("Enter")
    expect(page.locator("#edit-state")).to_contain_text("This is the draft")
    tried = json.dumps({"eventName": "purchase", "payload": {"totl": "12"}})
    page.get_by_label("Event, as an app would send it").fill(tried)
    page.get_by_role("button", name="Judge by the draft").click()
    result = page.locator("#try-result")
    expect(result).to_contain_text("Invalid")
    expect(result.locator("code", has_text="totl").first).to_be_visible()
    expect(result.locator("pre")).to_contain_text('"total": 12')
    page.get_by_label("Event, as an app would send it").fill("{")
    page.get_by_role("button", name="Judge by the draft").click()
    expect(result).to_contain_text("This is not JSON yet")
    page.get_by_role("link", name="Review and publish").click()
    expect(page.get_by_text("order_id of purchase became optional.")).to_be_visible()
    page.get_by_label("Note").fill("Orders come without a number")
    page.get_by_role("button", name="Publish the draft").click()
    expect(page.get_by_role("heading", name="Version 2")).to_be_visible()
    expect(page.get_by_text("Orders come without a number")).to_be_visible()
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("button", name="Go back to version 1").click()
    expect(page.get_by_text("Back to version 1")).to_be_visible()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [1280, 360])
def test_every_page_of_the_plan_is_accessible_and_fits(
    planned: SendingApp, theme: Theme, width: int, console: Console
) -> None:
    page = planned.page
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    opened(planned)
    cell(page, "sku", "required").press("Enter")
    expect(cell(page, "sku", "required")).to_have_text("no")
    cell(page, "sku", "required").press("Space")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("n")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="How it judges").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Edit purchase").click()
    page.get_by_text("As JSON").click()
    expect(page.get_by_role("textbox", name="Rules of purchase")).to_be_visible()
    assert violations(page) == []
    for path in ("", "/history", "/changes", "/draft"):
        page.goto(f"{planned.path}/plan{path}")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
