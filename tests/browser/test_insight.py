"""Overview, events and violations in a browser: the way through them, what strangers sent, axe, a phone."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SendingApp
from tests.browser.test_accessibility import THEMES, Theme, violations
from tests.browser.test_hostile import HOSTILE, assert_untouched
from tests.browser.test_live import SHEET, cart

PAGES = (
    "/overview",
    "{app}/overview",
    "{app}/events",
    "{app}/events/named?name=add_to_cart",
    "{app}/violations",
)

# As when the person turns to another tab.
HIDE = """Object.defineProperty(document, "hidden", { value: true });
document.dispatchEvent(new Event("visibilitychange"))"""


def fill(app: SendingApp) -> None:
    app.publish(SHEET)
    for version in ("1.0", "1.1"):
        app.send(
            cart() | {"appVersion": version, "platform": "ios"},
            cart(price="x") | {"appVersion": version, "platform": "android"},
            {"eventName": "unheard_of", "appVersion": version},
        )


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", PAGES)
def test_every_page_passes_axe(app: SendingApp, path: str, theme: Theme) -> None:
    fill(app)
    app.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    app.page.goto(path.format(app=app.path))
    app.page.evaluate("document.querySelectorAll('main details').forEach(d => { d.open = true; })")
    assert violations(app.page) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_needs_no_sideways_scrolling(phone: Page, app: SendingApp, path: str) -> None:
    fill(app)
    phone.goto(path.format(app=app.path))
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360


def test_from_the_overview_to_the_violation_and_back_to_open(app: SendingApp) -> None:
    page = app.page
    fill(app)
    page.goto(f"{app.path}/overview")
    expect(page.get_by_label("Counts in this time")).to_contain_text("Received6")
    page.locator(".issues a", has_text="price").click()
    card = page.locator(".issue", has_text="price")
    card.get_by_text("Decide…").click()
    card.get_by_label("State").select_option("resolved")
    card.get_by_label("Note").fill("Fixed in the checkout")
    card.get_by_role("button", name="Keep").click()
    expect(card.locator(".verdict").first).to_have_text("Resolved")
    expect(card).to_contain_text("Fixed in the checkout")
    app.send(cart(price="y") | {"appVersion": "1.2"})
    page.reload()
    expect(card.locator(".verdict").first).to_have_text("Regressed")
    card.get_by_role("link", name="event 1", exact=True).click()
    expect(page.locator("tr[data-path=price] .field-status")).to_have_text("Wrong")


def test_a_bar_leads_to_its_own_time(app: SendingApp) -> None:
    fill(app)
    app.page.goto(f"{app.path}/overview?range=day")
    app.page.get_by_text("The numbers").click()
    app.page.locator(".numbers a").first.click()
    expect(app.page.locator("select[name=range] option:checked")).to_have_text("From … to")
    expect(app.page.get_by_label("Counts in this time")).to_contain_text("Received6")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(app: SendingApp, text: str) -> None:
    app.send({"eventName": text, "platform": text, "appVersion": text, "payload": {text: text}})
    for path in PAGES[:3]:
        app.page.goto(path.format(app=app.path))
        assert_untouched(app.page)
    app.page.locator(".catalogue th a").click()
    assert app.page.locator(".event-title span").first.evaluate("e => e.textContent") == text.strip()
    assert_untouched(app.page)
    app.page.goto(f"{app.path}/violations")
    assert_untouched(app.page)


def test_the_screen_tells_how_long_an_event_took_to_it(app: SendingApp) -> None:
    page = app.page
    page.goto(app.path)
    expect(page.locator("#connection")).to_have_text("Live")
    app.send(cart())
    expect(page.locator("#delay")).to_have_text(re.compile(r"\d+ ms to screen"))
    with page.expect_response(lambda answer: answer.url.endswith(f"{app.path}/clock")) as told:
        page.evaluate(HIDE)
    assert told.value.status == 204
    page.goto(f"{app.path}/overview")
    expect(page.locator(".panel", has_text="Event → screen")).to_contain_text(
        re.compile(r"[\d,]+ ms.*: 1 frame\.", re.DOTALL)
    )


def test_a_time_of_ones_own_is_chosen_in_the_viewers_zone(
    open_context: Any, signed_in: Any, app: SendingApp
) -> None:
    page = open_context(storage_state=signed_in, timezone_id="Asia/Kolkata").new_page()
    app.send(cart())
    page.goto(f"{app.path}/overview?range=week")
    page.get_by_text("From … to", exact=True).last.click()
    page.get_by_label("From", exact=True).fill("2026-01-31T12:00")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**/overview?from=*")
    expect(page.get_by_label("From", exact=True)).to_have_value("2026-01-31T12:00")
    assert parse_qs(urlsplit(page.url).query) == {"from": ["2026-01-31T06:30:00.000Z"]}  # UTC+5:30
    page.locator("select[name=range]").select_option("day")  # a ready-made time puts one's own away
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**/overview?range=day")


def test_a_bar_and_its_number_lead_to_their_own_time(app: SendingApp) -> None:
    page = app.page
    fill(app)
    page.goto(f"{app.path}/overview?range=day")
    page.get_by_text("The numbers").click()
    row = page.locator(".numbers tbody tr").last
    link = row.get_by_role("link")
    bar = page.locator(f'.bars a[href="{link.get_attribute("href")}"]')
    expect(bar).to_have_count(1)
    link.click()
    expect(page.get_by_label("Counts in this time")).to_contain_text("Received6")
    assert "from" in parse_qs(urlsplit(page.url).query)
