"""Plans in and out by the page: a large file with a bar, a check that changes nothing, a download and its losses."""

from playwright.sync_api import FilePayload, expect

from tests.browser.conftest import Console, SendingApp
from tests.browser.test_live import SHEET
from tests.conftest import eventually

READ_MS = 60_000
SCHEMAS = '{"buy": {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}}'


def file(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "text/csv", "buffer": text.encode()}


def large_sheet(rows: int, kind: str = "text") -> str:
    lines = [f"event{n // 50},property{n % 50},{kind}" for n in range(rows)]
    return "\n".join(["eventName,eventPayload,dataType", *lines])


def test_a_large_file_is_followed_by_a_bar_also_after_the_page_was_opened_anew(app: SendingApp) -> None:
    page = app.page
    page.goto(f"{app.path}/plan")
    page.locator("#plan-file").set_input_files(file("plan.csv", large_sheet(60_000)))
    with page.expect_response(lambda answer: answer.status == 202):
        page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.goto(f"{app.path}/plan")
    expect(page.get_by_role("progressbar").or_(page.get_by_text("1200 events"))).to_be_visible()
    expect(
        page.get_by_text("Published version 1: 1,200 events, 60,000 rules").or_(
            page.get_by_role("heading", name="Version 1")
        )
    ).to_be_visible(timeout=READ_MS)


def test_the_bad_lines_of_a_large_file_are_listed_and_can_be_taken_as_a_file(
    app: SendingApp, console: Console
) -> None:
    page = app.page
    page.goto(f"{app.path}/plan")
    page.locator("#plan-file").set_input_files(file("plan.csv", large_sheet(6_000, "colour")))
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("The plan has problems")).to_be_visible(timeout=READ_MS)
    expect(page.locator(".problem-table tbody tr")).to_have_count(200)
    with page.expect_download() as download:
        page.get_by_role("link", name="All of them as a file").click()
    assert len(download.value.path().read_text().splitlines()) == 6_000


def test_checking_tells_what_would_change_and_publishes_nothing(app: SendingApp) -> None:
    app.publish(SHEET)
    page = app.page
    page.goto(f"{app.path}/plan")
    page.locator("#plan-file").set_input_files(
        file("plan.csv", "eventName,eventPayload,dataType,colour\nleave,a,text,red")
    )
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("The file is right: 1 event, 1 rule.")).to_be_visible()
    expect(page.locator(".problem-table", has_text="`leave` was added")).to_be_visible()
    expect(page.locator(".problem-table", has_text="The column `colour` is not kept.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Version 1")).to_be_visible()


def test_a_plan_is_downloaded_and_what_the_format_lacks_is_said_before(app: SendingApp) -> None:
    app.publish(SHEET)
    page = app.page
    page.goto(f"{app.path}/plan")
    expect(page.get_by_text("The file holds the whole plan.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == f"{app.app_id}-plan-v1.csv"
    page.locator("#plan-file").set_input_files(file("plan.json", SCHEMAS))
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published version 2")).to_be_visible()
    page.get_by_role("link", name="Show the new version").click()
    expect(page.locator("#plan-loss")).to_contain_text("`buy` is left out")
    page.locator("#export-format").select_option("json-schema")
    expect(page.get_by_text("The file holds the whole plan.")).to_be_visible()


def test_an_unplanned_event_is_one_click_from_the_draft_which_is_then_judged_back(app: SendingApp) -> None:
    app.publish(SHEET)
    app.send(*({"eventName": "joined", "payload": {"age": n}} for n in range(40)))
    page = app.page
    add = page.get_by_role("button", name="Add to the draft: joined")

    def is_listed() -> bool:
        page.goto(f"{app.path}/events")
        return add.is_visible()

    eventually(is_listed)
    add.click()
    expect(page.get_by_text("1 event is in the draft now.")).to_be_visible()
    expect(page.get_by_text("in 40 of 40; from 0 to 39")).to_be_visible()
    page.get_by_role("link", name="look at the draft").click()
    page.get_by_role("button", name="Judge the newest 10,000").click()
    expect(page.get_by_text("Of the newest 40 events")).to_be_visible(timeout=READ_MS)
    expect(page.get_by_role("heading", name="Newly passing 40 events")).to_be_visible()
