"""What every page of an app owes to people: axe in both themes, the keyboard's help, hostile names as text."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SendingApp, call
from tests.browser.test_accessibility import THEMES, Theme, violations
from tests.browser.test_hostile import HOSTILE, assert_untouched
from tests.browser.test_live import SHEET, cart
from tests.browser.test_phone import PAGES


@pytest.mark.parametrize("theme", THEMES)
def test_no_page_has_a_serious_violation(app: SendingApp, theme: Theme) -> None:
    app.publish(SHEET)
    sent = app.send(cart(price="x"), {"eventName": "e"})
    app.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    found = {}
    for path in PAGES:
        app.page.goto(path.format(app=app.path, event=sent["results"][0]["event_id"]))
        found[path] = violations(app.page)
    said = "\n".join(f"{path} {each}" for path, of_page in found.items() for each in of_page)
    assert not said, said


def test_the_keyboard_explains_itself_on_every_page(app: SendingApp) -> None:
    page = app.page
    sent = app.send(cart())
    for path in PAGES:
        page.goto(path.format(app=app.path, event=sent["results"][0]["event_id"]))
        page.evaluate("document.activeElement.blur()")  # some pages begin in a field
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.goto(f"{app.path}/history")
    page.keyboard.press("/")
    expect(page.get_by_label("Text in name or payload")).to_be_focused()


def test_what_strangers_fill_in_is_text_on_every_page(app: SendingApp) -> None:
    """All hostile texts at once, in every field of an event, read on every page that shows them."""
    page = app.page
    events = [
        {
            "eventName": text,
            "deviceId": text,
            "sessionId": text,
            "platform": text,
            "appVersion": text,
            "eventId": text,
        }
        | {"payload": {text: text, "price": text, "in": [{text: text}]}}
        for text in HOSTILE
    ]
    app.publish(SHEET)
    sent = app.send(*events, *(cart(price=text) | {"appVersion": text, "platform": text} for text in HOSTILE))
    for path in PAGES:
        page.goto(path.format(app=app.path, event=sent["results"][0]["event_id"]))
        page.wait_for_load_state("networkidle") if path != "{app}" else page.locator(
            "#rows tr"
        ).first.wait_for()
        assert_untouched(page)
    for text in HOSTILE:
        for way in ("", "/history", "/overview"):
            value = page.evaluate("encodeURIComponent", text)
            page.goto(f"{app.path}{way}?session={value}&platform={value}&device={value}&q={value}")
            assert_untouched(page)
    made = call(
        page, f"/api/apps/{app.app_id}/deletions?q=" + page.evaluate("encodeURIComponent", HOSTILE[0]), {}
    )
    assert made["filters"]["q"] == HOSTILE[0]
    page.goto(f"{app.path}/history")
    expect(page.locator(".deletion")).to_contain_text(HOSTILE[0])
    assert_untouched(page)
