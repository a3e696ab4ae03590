"""A phone of 360 pixels: no page is wider than it, and the bar shows all that it holds."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, SendingApp, call
from tests.browser.test_live import SHEET, cart
from tests.conftest import eventually

WIDE = "document.documentElement.scrollWidth"
PAGES = (
    "/dashboard",
    "/dashboard/apps/new",
    "/overview",
    "/account",
    "/organisation",
    "/organisation/audit",
    "/organisation/keys",
    "/organisation/jobs",
    "{app}",
    "{app}/overview",
    "{app}/events",
    "{app}/events/named?name=add_to_cart",
    "{app}/events/{event}",
    "{app}/violations",
    "{app}/history?q=e&path=price",
    "{app}/plan",
    "{app}/plan/studies",
    "{app}/settings",
)


@pytest.mark.parametrize("path", PAGES)
def test_no_page_scrolls_sideways(phone: Page, app: SendingApp, path: str) -> None:
    """With the longest names that there are: of an app, of an event, of a version."""
    made = call(app.page, "/api/apps", {"name": "The shop's own app for its own people " * 2})
    long = SendingApp(app.url, made["app_id"], made["write_key"], app.page)
    long.publish(SHEET)
    sent = long.send(cart(price="x") | {"appVersion": "1." * 30 + "0"}, {"eventName": "e" * 200})
    answer = phone.goto(path.format(app=long.path, event=sent["results"][0]["event_id"]))
    assert answer is not None
    assert answer.ok, path
    assert phone.evaluate(WIDE) <= PHONE["width"]
    account = phone.locator("summary", has_text="Your account")
    expect(account).to_be_visible()
    box = account.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= PHONE["width"]


def test_every_icon_of_the_bar_and_the_sections_is_drawn(app: SendingApp) -> None:
    """A name that is not in the sprite draws nothing, and takes its place all the same."""
    app.page.goto(f"{app.path}/events")
    drawn = "[...document.querySelectorAll('.bar .icon, .sections .icon')].filter(i => i.checkVisibility())"
    names = app.page.evaluate(f"{drawn}.map(i => i.querySelector('use').getAttribute('href').split('#')[1])")
    assert {"chart-bar", "list-search"} <= set(names)
    eventually(lambda: app.page.evaluate(f"{drawn}.every(i => i.querySelector('use').getBBox().width > 0)"))
