"""The plan page: a file goes up, its problems come back by line, a good one is in force."""

from playwright.sync_api import FilePayload, expect

from tests.browser.conftest import Console, SendingApp
from tests.browser.test_live import SHEET

BAD_SHEET = "eventName,eventPayload,dataType\nadd_to_cart,sku,text\nadd_to_cart,price,flaot\n"


def file(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "text/csv", "buffer": text.encode()}


def test_a_bad_line_is_named_and_nothing_is_published(app: SendingApp, console: Console) -> None:
    console.allow("422")
    page = app.page
    page.goto(f"{app.path}/plan")
    page.locator("#plan-file").set_input_files(file("plan.csv", BAD_SHEET))
    page.get_by_role("button", name="Publish").click()
    expect(page.locator(".problem-table tbody tr").first).to_contain_text("3")
    page.reload()
    expect(page.get_by_role("heading", name="No plan yet")).to_be_visible()


def test_a_good_sheet_is_published_and_shown(app: SendingApp) -> None:
    page = app.page
    page.goto(f"{app.path}/plan")
    page.locator("#plan-file").set_input_files(file("plan.csv", SHEET))
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published version 1")).to_be_visible()
    page.get_by_role("link", name="Show the new version").click()
    expect(page.get_by_role("heading", name="Version 1")).to_be_visible()
    expect(page.locator(".rule-path", has_text="items[].price")).to_be_visible()
