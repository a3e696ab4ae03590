"""The history in a browser: filters in the address, page after page, the viewer's zone, how far was looked."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, StorageState, expect

from tests.browser.conftest import SendingApp
from tests.browser.test_accessibility import THEMES, Theme, violations
from tests.browser.test_hostile import HOSTILE, assert_untouched
from tests.browser.test_live import SHEET, cart

ROWS = "#rows tr"


def fill(app: SendingApp) -> None:
    app.publish(SHEET)
    app.send(
        cart() | {"appVersion": "1.0"}, cart(price="x") | {"platform": "ios"}, {"eventName": "unheard_of"}
    )


def test_the_filters_stand_in_the_address_and_a_row_leads_to_its_event(app: SendingApp) -> None:
    fill(app)
    app.page.goto(app.path)
    app.page.get_by_role("link", name="History").click()
    expect(app.page.locator(ROWS)).to_have_count(3)
    app.page.get_by_label("Verdict").select_option("invalid")
    app.page.get_by_text("More filters").click()
    app.page.get_by_label("Platform").fill("ios")
    app.page.get_by_role("button", name="Show").click()
    expect(app.page.locator(ROWS)).to_have_count(1)
    assert app.page.url.endswith("/history?verdict=invalid&platform=ios")
    app.page.reload()
    expect(app.page.get_by_label("Verdict")).to_have_value("invalid")
    app.page.locator(".row-name").click()
    app.page.wait_for_url("**/events/*")
    expect(app.page.get_by_role("heading", name="add_to_cart")).to_be_visible()
    app.page.go_back()
    expect(app.page.locator(ROWS)).to_have_count(1)


def test_a_search_finds_text_of_the_payload_and_says_when_there_is_none(app: SendingApp) -> None:
    app.send({"eventName": "look", "payload": {"what": "A 100% match_"}}, {"eventName": "other"})
    app.page.goto(f"{app.path}/history")
    app.page.get_by_label("Text in name or payload").fill("100% MATCH_")
    app.page.keyboard.press("Enter")
    expect(app.page.locator(ROWS)).to_have_count(1)
    app.page.goto(f"{app.path}/history?q=nowhere")
    expect(app.page.get_by_role("heading", name="No event passes these filters")).to_be_visible()
    app.page.get_by_role("link", name="Clear filters").click()
    expect(app.page.locator(ROWS)).to_have_count(2)


def test_scrolling_brings_page_after_page_each_event_once(app: SendingApp) -> None:
    app.send(*({"eventName": f"event {n}"} for n in range(170)))
    app.page.goto(f"{app.path}/history")
    for count in (100, 150, 170):
        app.page.locator(f"{ROWS}:last-child").scroll_into_view_if_needed()
        expect(app.page.locator(ROWS).nth(count - 1)).to_be_attached()
    names = app.page.locator(".row-name").all_inner_texts()
    assert len(names) == len(set(names)) == 170
    expect(app.page.locator("#looked")).to_have_text("That is all.")
    expect(app.page.locator("#more")).to_be_hidden()


def test_a_search_that_ended_early_says_how_far_it_looked_and_goes_on(app: SendingApp) -> None:
    """The server's own answers, of a page that is shorter than the list asks for."""
    app.send(*({"eventName": f"event {n}"} for n in range(3)))
    shorter = re.compile(r"/events\?.*limit=50")
    app.page.route(shorter, one_by_one)
    app.page.goto(f"{app.path}/history?q=event")
    expect(app.page.locator("#looked")).to_contain_text("Looked back to ")
    for count in (1, 2):
        expect(app.page.locator(ROWS)).to_have_count(count)
        app.page.get_by_role("button", name="Look further back").click()
    expect(app.page.locator(ROWS)).to_have_count(3)
    expect(app.page.locator("#looked")).to_have_text("That is all.")


def one_by_one(route: Route) -> None:
    route.fulfill(response=route.fetch(url=route.request.url.replace("limit=50", "limit=1")))


def test_moments_are_the_viewers_and_utc_in_the_address(
    app: SendingApp, open_context: Callable[..., BrowserContext], signed_in: StorageState
) -> None:
    app.send({"eventName": "now"})
    far = open_context(storage_state=signed_in, timezone_id="Asia/Kolkata").new_page()
    far.goto(f"{app.path}/history?from=2026-01-31T12:00:00Z")
    expect(far.get_by_label("From")).to_have_value("2026-01-31T17:30")
    expect(far.locator(ROWS)).to_have_count(1)
    far.get_by_label("From").fill("2026-02-01T05:30:00")
    far.get_by_role("button", name="Show").click()
    far.wait_for_url("**/history?from=2026-02-01T00%3A00%3A00.000Z")
    expect(far.locator(ROWS)).to_have_count(1)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("query", ["", "?q=nowhere&platform=ios"])
def test_it_passes_axe(app: SendingApp, query: str, theme: Theme) -> None:
    fill(app)
    app.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    app.page.goto(f"{app.path}/history{query}")
    expect(app.page.locator("#empty" if query else "#list")).to_be_visible()
    assert violations(app.page) == []


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable()][:6])
def test_hostile_filters_and_events_stay_text(app: SendingApp, text: str) -> None:
    app.send({"eventName": text, "appVersion": text[:60], "payload": {"x": text}})
    app.page.goto(f"{app.path}/history")
    app.page.get_by_label("Event", exact=True).fill(text)
    app.page.get_by_role("button", name="Show").click()
    expect(app.page.locator(".row-name")).to_have_text(text.strip())
    assert_untouched(app.page)


def test_the_first_minute_points_to_the_line_that_sends(page: Page, app: SendingApp) -> None:
    page.goto(f"{app.path}/history")
    expect(page.get_by_role("heading", name="No events yet")).to_be_visible()


def test_an_event_is_deleted_from_its_page_after_a_second_thought(app: SendingApp) -> None:
    app.send({"eventName": "kept"})
    (result,) = app.send({"eventName": "unwanted"})["results"]
    app.page.goto(f"{app.path}/events/{result['event_id']}")
    delete = app.page.get_by_role("button", name="Delete for good")
    expect(delete).to_be_hidden()
    app.page.get_by_text("Delete this event…").click()
    assert violations(app.page) == []
    delete.click()
    app.page.wait_for_url("**/history")
    expect(app.page.locator(ROWS)).to_have_count(1)
    expect(app.page.locator(".row-name")).to_have_text("kept")


def test_what_a_filter_finds_is_deleted_unless_it_is_undone(app: SendingApp) -> None:
    page = app.page
    app.send({"eventName": "stay"}, {"eventName": "go"})
    page.goto(f"{app.path}/history?event=go")
    page.get_by_text("Delete these…").click()
    page.get_by_role("button", name="Delete in five minutes").click()
    page.wait_for_url("**/history")
    banner = page.locator(".deletion")
    expect(banner).to_contain_text("To be deleted")
    expect(banner).to_contain_text("event: go")
    banner.get_by_role("button", name="Undo").click()
    expect(banner).to_have_count(0)
    expect(page.locator("#rows tr")).to_have_count(2)
