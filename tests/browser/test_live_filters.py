"""The live page's filters: applied by the server, kept in the address, shared by a link or a QR code."""

import io
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import segno
from playwright.sync_api import Page, expect

from tests.browser.conftest import SendingApp
from tests.browser.test_live import SHEET, STREAM, cart

PHONE_EVENT = {"eventName": "tap", "deviceId": "pixel-9", "sessionId": "s-1", "payload": {"colour": "Ruby"}}


@pytest.fixture
def streams(app: SendingApp) -> list[dict[str, list[str]]]:
    """What each stream that the page opens asks for."""
    asked: list[dict[str, list[str]]] = []

    def remember(url: str) -> None:
        if STREAM.search(url):
            asked.append(parse_qs(urlsplit(url).query))

    app.page.on("request", lambda request: remember(request.url))
    return asked


@pytest.fixture
def live(app: SendingApp, streams: list[dict[str, list[str]]]) -> Page:
    app.publish(SHEET)
    app.send(PHONE_EVENT, {"eventName": "sync", "eventId": 21, "deviceId": "other"}, cart(price="x"))
    app.page.goto(app.path)
    expect(app.page.locator("#connection")).to_have_text("Live")
    expect(app.page.locator("#rows tr")).to_have_count(3)
    return app.page


def names(page: Page) -> list[str]:
    return page.locator(".row-name").all_inner_texts()


def test_free_text_is_searched_in_the_past_and_in_what_comes(
    app: SendingApp, live: Page, streams: list[dict[str, list[str]]]
) -> None:
    live.get_by_label("Text in name or payload").fill("ruby")
    expect(live.locator(".row-name")).to_have_text(["tap"])
    assert "q=ruby" in live.url
    expect(live.locator("#connection")).to_have_text("Live")
    assert streams[-1] == {"q": ["ruby"]}
    app.send({"eventName": "blue"}, {"eventName": "ruby_bought"}, PHONE_EVENT)
    expect(live.locator(".row-name")).to_have_text(["tap", "ruby_bought", "tap"])
    expect(live.locator("#tile-received")).to_have_text("6")  # the tiles count all there is


@pytest.mark.parametrize(
    ("label", "value", "name"),
    [
        ("Property", "price", "path"),
        ("Version", "2.4.1", "app_version"),
        ("Platform", "android", "platform"),
        ("Device", "pixel-8", "device"),
    ],
)
def test_every_other_filter_is_the_servers_and_a_chip_takes_it_away(
    live: Page, streams: list[dict[str, list[str]]], label: str, value: str, name: str
) -> None:
    live.locator("#filter-menu > summary").click()
    live.get_by_label(label, exact=True).fill(value)
    live.get_by_role("button", name="Show these").click()
    chip = live.get_by_role("button", name=f"Remove the filter {name.replace('_', ' ')}: {value}")
    expect(chip).to_be_visible()
    expect(live.locator("#connection")).to_have_text("Live")
    assert streams[-1] == {name: [value]}
    live.reload()
    expect(live.locator("#connection")).to_have_text("Live")
    assert streams[-1].keys() == {name, "cursor"}
    chip.click()
    expect(live.locator("#rows tr")).to_have_count(3)
    assert "?" not in live.url


def test_the_streams_filters_are_those_of_the_buttons(
    live: Page, app: SendingApp, streams: list[dict[str, list[str]]]
) -> None:
    live.get_by_role("button", name="Invalid", exact=True).click()
    expect(live.locator(".row-name")).to_have_text(["add_to_cart"])
    expect(live.locator("#connection")).to_have_text("Live")
    assert streams[-1] == {"verdict": ["invalid"]}
    live.get_by_label("Event name").select_option("tap")
    expect(live.get_by_role("heading", name="Nothing passes these filters")).to_be_visible()
    assert streams[-1] == {"verdict": ["invalid"], "event": ["tap"]}
    live.get_by_role("button", name="Clear filters").click()
    expect(live.locator("#rows tr")).to_have_count(3)
    app.send({"eventName": "later"})
    expect(live.locator("#rows tr")).to_have_count(4)


def test_system_events_are_told_from_user_events(live: Page) -> None:
    expect(live.locator("tr", has_text="sync").locator(".row-origin")).to_have_text("System")
    expect(live.locator(".row-origin")).to_have_count(1)
    live.get_by_role("button", name="User", exact=True).click()
    expect(live.locator("#rows tr")).to_have_count(2)
    live.get_by_role("button", name="System", exact=True).click()
    expect(live.locator(".row-name")).to_have_text(["sync"])


def test_one_device_is_followed_from_its_event_and_shared_by_link_and_code(
    app: SendingApp, live: Page
) -> None:
    live.locator(".row-name", has_text="tap").click()
    live.get_by_role("link", name="Follow this device live").click()
    expect(live.locator(".row-name")).to_have_text(["tap"])
    app.send({"eventName": "elsewhere", "deviceId": "other"}, PHONE_EVENT)
    expect(live.locator(".row-name")).to_have_text(["tap", "tap"])

    live.get_by_role("button", name="Share this view, or open it on a phone").click()
    link = live.locator("#share-link").inner_text()
    assert link == f"{app.url}{app.path}?device=pixel-9"
    code = live.get_by_role("img", name="QR code of the address below")
    expect(code).to_be_visible()
    assert code.evaluate("async image => { await image.decode(); return image.naturalWidth > 20; }")
    drawn = live.request.get(str(code.get_attribute("src")))
    assert drawn.headers["content-type"] == "image/svg+xml"
    expected = io.BytesIO()
    segno.make(link, micro=False).save(
        expected, kind="svg", border=4, dark="#000", light="#fff", xmldecl=False, svgclass=None
    )
    assert drawn.body() == expected.getvalue()
    live.get_by_role("button", name="Copy link").click()
    assert live.evaluate("navigator.clipboard.readText()") == link


def test_a_copied_curl_line_sends_the_event_again(app: SendingApp, live: Page) -> None:
    live.locator(".row-name", has_text="tap").click()
    live.get_by_role("button", name="Copy as curl").click()
    line = str(live.evaluate("navigator.clipboard.readText()"))
    body = line[line.index("-d '") + 4 : -1]
    answer = requests.post(
        f"{app.url}/api/logs/{app.app_id}",
        data=body,
        headers={"Authorization": f"Bearer {app.write_key}"},
        timeout=10,
    )
    assert answer.json()["accepted"] == 1
    expect(live.locator(".row-name", has_text="tap")).to_have_count(2)
