"""The live page: what arrives, what is wrong with it, and that nothing is missed or shown twice."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Console, SendingApp

SHEET = """eventName,eventPayload,dataType,required
add_to_cart,sku,text,true
add_to_cart,price,number,true
add_to_cart,quantity,integer,false
add_to_cart,items[].price,number,false
"""
MOST_ROWS = 500
STREAM = re.compile(r"/live(\?|$)")
LIST = re.compile(r"/events\?")


def cart(**payload: object) -> dict[str, object]:
    return {
        "eventName": "add_to_cart",
        "deviceId": "pixel-8",
        "platform": "android",
        "appVersion": "2.4.1",
        "payload": {"sku": "A-1", "price": 9.5} | payload,
    }


@pytest.fixture
def shop(app: SendingApp) -> SendingApp:
    """An app with a plan, its live page open."""
    app.publish(SHEET)
    app.page.goto(app.path)
    expect(app.page.locator("#connection")).to_have_text("Live")
    return app


def names(page: Page) -> list[str]:
    return page.locator(".row-name").all_inner_texts()


def test_an_invalid_event_opens_to_what_was_expected_and_received(shop: SendingApp) -> None:
    page = shop.page
    shop.send(cart(price="12.50", items=[{"price": 1}, {"price": "free"}]))
    page.locator("tr[data-verdict=invalid] .row-name").click()
    panel = page.locator("#event-panel")

    price = panel.locator("tr[data-path=price]")
    expect(price.locator("[data-label=Expected]")).to_have_text("number")
    expect(price.locator("[data-label=Received]")).to_have_text("text")
    expect(price.locator(".field-status")).to_have_text("Wrong")
    expect(price.locator(".field-sentence")).not_to_be_empty()
    expect(panel.locator("tr[data-path='items[1].price'] .field-status")).to_have_text("Wrong")
    expect(panel.locator("tr[data-path=sku] .field-status")).to_have_text("Valid")
    expect(panel.locator("tr[data-path=quantity] .field-status")).to_have_text("Not sent")

    panel.get_by_role("tab", name="Payload").click()
    expect(panel.locator(".json-line-wrong")).to_have_count(2)
    expect(panel.locator(".json-line-wrong").first).to_contain_text('"price": "12.50"')


def test_a_missing_property_stands_in_the_payload_where_it_should_be(shop: SendingApp) -> None:
    page = shop.page
    shop.send({"eventName": "add_to_cart", "payload": {"price": 1}})
    page.locator(".row-name").click()
    expect(page.locator("tr[data-path=sku] .field-status")).to_have_text("Missing")
    page.get_by_role("tab", name="Payload").click()
    expect(page.locator(".json-ghost")).to_have_text('"sku"')


def test_numbers_are_shown_as_they_were_sent(shop: SendingApp) -> None:
    page = shop.page
    shop.send(cart(order_id=12345678901234567, ratio=12.0))
    page.locator(".row-name").click()
    expect(page.locator("tr[data-path=order_id] .field-value")).to_have_text("12345678901234567")
    expect(page.locator("tr[data-path=ratio] .field-value")).to_have_text("12.0")


def test_an_events_link_leads_to_it(shop: SendingApp) -> None:
    page = shop.page
    shop.send(cart(price="much"))
    page.locator(".row-name").click()
    page.get_by_role("button", name="Copy link").click()
    page.goto(page.evaluate("navigator.clipboard.readText()"))
    expect(page.locator("tr[data-path=price] .field-status")).to_have_text("Wrong")


def test_tiles_count_what_arrives(shop: SendingApp) -> None:
    page = shop.page
    shop.send(cart(), cart(), cart(), cart(price="x"), {"eventName": "unheard_of"})
    expect(page.locator("#tile-received")).to_have_text("5")
    expect(page.locator("#tile-valid")).to_have_text("3")
    expect(page.locator("#tile-invalid")).to_have_text("1")
    expect(page.locator("#tile-unplanned")).to_have_text("1")
    expect(page.locator("#tile-pass")).to_have_text("75%")
    page.reload()
    expect(page.locator("#tile-pass")).to_have_text("75%")
    expect(page.locator("#rows tr")).to_have_count(5)


def test_pausing_counts_what_waits_and_resuming_shows_it(shop: SendingApp) -> None:
    page = shop.page
    page.keyboard.press("Space")
    shop.send(cart(), cart())
    expect(page.locator("#waiting")).to_have_text("2 waiting")
    expect(page.locator("#rows tr")).to_have_count(0)
    page.keyboard.press("Space")
    expect(page.locator("#rows tr")).to_have_count(2)
    expect(page.locator("#waiting")).to_be_hidden()


def test_filters_live_in_the_url_and_apply_to_what_arrives(shop: SendingApp) -> None:
    page = shop.page
    shop.send(cart(), cart(price="x"), {"eventName": "unheard_of"})
    expect(page.locator("#rows tr")).to_have_count(3)
    page.get_by_role("button", name="Invalid", exact=True).click()
    expect(page.locator("#rows tr")).to_have_count(1)
    assert "verdict=invalid" in page.url
    shop.send(cart(), cart(price="y"))
    expect(page.locator("#rows tr")).to_have_count(2)
    page.reload()
    expect(page.locator("#rows tr")).to_have_count(2)
    page.get_by_label("Event name").select_option("unheard_of")
    expect(page.get_by_role("heading", name="Nothing passes these filters")).to_be_visible()
    page.go_back()
    expect(page.locator("#rows tr")).to_have_count(2)


def test_a_broken_line_reconnects_and_misses_nothing(shop: SendingApp, console: Console) -> None:
    page = shop.page
    console.allow("ERR_FAILED")
    shop.send({"eventName": "before"})
    expect(page.locator("#rows tr")).to_have_count(1)

    def refuse(route: Route) -> None:
        route.abort()

    page.route(STREAM, refuse)
    page.reload()
    expect(page.locator("#connection")).to_have_text("Reconnecting…")
    shop.send(*({"eventName": f"while_away_{number}"} for number in range(20)))
    page.unroute(STREAM, refuse)
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#rows tr")).to_have_count(21)
    shop.send({"eventName": "after"})
    expect(page.locator("#rows tr")).to_have_count(22)
    assert len(set(names(page))) == 22


def test_what_arrives_while_the_list_is_read_is_shown_once(shop: SendingApp) -> None:
    page = shop.page
    held: list[Route] = []
    page.route(LIST, lambda route: held.append(route))
    page.reload()
    expect(page.locator("#connection")).to_have_text("Live")
    shop.send({"eventName": "early"})
    expect(page.locator("#tile-received")).to_have_text("1")
    (reading,) = held
    reading.continue_()  # its answer holds what the stream has brought already
    page.unroute(LIST)
    expect(page.locator("#rows tr")).to_have_count(1)
    shop.send({"eventName": "late"})
    expect(page.locator("#rows tr")).to_have_count(2)
    assert names(page) == ["late", "early"]


def test_the_list_stays_bounded_and_older_events_can_be_read(shop: SendingApp) -> None:
    page = shop.page
    for start in range(0, 600, 200):
        shop.send(*({"eventName": f"e{number}", "payload": {}} for number in range(start, start + 200)))
    expect(page.locator("#tile-received")).to_have_text("600")
    expect(page.locator("#rows tr")).to_have_count(MOST_ROWS)
    page.reload()
    expect(page.locator("#rows tr")).to_have_count(50)
    seen = set(names(page))
    while page.locator("#older").is_visible():
        with page.expect_response("**/events?*"):
            page.locator("#older").click()
        page.wait_for_function("() => !document.getElementById('older').disabled")
        seen |= set(names(page))
    assert seen == {f"e{number}" for number in range(600)}
    expect(page.locator("#rows tr")).to_have_count(MOST_ROWS)
    page.get_by_role("button", name="Back to the newest").click()
    expect(page.locator("#rows tr")).to_have_count(50)


def test_the_keyboard_is_enough(shop: SendingApp) -> None:
    page = shop.page
    shop.send(*({"eventName": name} for name in ("one", "two", "three")))
    expect(page.locator("#rows tr")).to_have_count(3)
    first, second, _ = names(page)
    page.keyboard.press("j")
    expect(page.locator(".row-name", has_text=first)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#event-panel .event-name")).to_have_text(second)
    page.keyboard.press("k")
    expect(page.locator("#event-panel .event-name")).to_have_text(first)
    page.keyboard.press("Escape")
    expect(page.locator("#event-panel")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_label("Text in name or payload")).to_be_focused()
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Browser test").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize("path", ["", "/plan", "/settings"])
def test_a_phone_of_360_pixels_shows_it_all(phone: Page, app: SendingApp, path: str) -> None:
    app.publish(SHEET)
    app.send(cart(price="x", note="w" * 500))
    phone.goto(app.path + path)
    if not path:
        phone.locator(".row-name").click()
        expect(phone.locator("tr[data-path=price] .field-status")).to_have_text("Wrong")
    assert phone.evaluate("document.documentElement.scrollWidth") == 360


def test_somebody_elses_app_is_as_unknown_as_none(app: SendingApp, console: Console) -> None:
    console.allow("404")
    app.page.goto("/apps/no-such-app")
    expect(app.page.get_by_role("heading", name="Nothing here")).to_be_visible()


def test_a_cleared_view_shows_what_comes_next_and_all_again_when_asked(shop: SendingApp) -> None:
    page = shop.page
    shop.send(cart(), cart())
    expect(page.locator("#rows tr")).to_have_count(2)
    page.get_by_role("button", name="Clear the view").click()
    expect(page.get_by_role("heading", name="The view is cleared")).to_be_visible()
    shop.send({"eventName": "next"})
    expect(page.locator(".row-name")).to_have_text(["next"])
    page.get_by_role("button", name="Clear the view").click()
    page.get_by_role("button", name="Show all again").click()
    expect(page.locator("#rows tr")).to_have_count(3)
