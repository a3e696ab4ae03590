"""What strangers send is text on every page, whatever it looks like: stored and reflected scripts."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SendingApp, call

HOSTILE = [
    "<script>window.owned=1</script>",
    "<img src=x onerror=window.owned=1>",
    "</script><script>window.owned=1</script>",
    "</textarea><svg/onload=window.owned=1>",
    "<!--",
    "]]>",
    '" onmouseover="window.owned=1',
    "' autofocus onfocus='window.owned=1",
    "javascript:window.owned=1",
    "{{7*7}}{% raw %}",
    "${7*7}#{7*7}",
    "a\n\ndata: [1]\nevent: log_entry\nid: 9-9",
    "\u202eevil\u2066",
    "%s%n{0.__class__}",
    "`code` `",
    "line\u2028separators\u2029inside",
]
READ = "element => element.textContent"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_an_event_is_shown_as_text(app: SendingApp, text: str) -> None:
    page = app.page
    page.goto(app.path)
    expect(page.locator("#connection")).to_have_text("Live")
    name = text.strip()
    app.send(
        {
            "eventName": text,
            "deviceId": text,
            "platform": text,
            "appVersion": text,
            text: text,
            "payload": {text: text, "nested": {text: [text]}},
        }
    )
    row = page.locator(".row-name")
    row.wait_for()
    assert row.evaluate(READ) == name
    row.click()
    assert page.locator(".event-name").evaluate(READ) == name
    for tab in ("Payload", "Raw JSON", "Envelope", "Fields"):
        page.get_by_role("tab", name=tab).click()
    assert_untouched(page)

    page.reload()
    row.wait_for()
    assert row.evaluate(READ) == name
    page.goto(str(row.get_attribute("href")))
    assert page.locator(".event-name").evaluate(READ) == name
    page.goto(f"{app.path}?event=" + page.evaluate("encodeURIComponent", text))
    assert_untouched(page)


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable()])
def test_hostile_text_in_an_apps_name_is_shown_as_text(page: Page, text: str) -> None:
    made = call(page, "/api/apps", {"name": text})
    page.goto("/dashboard")
    link = page.locator(f"a[href='/apps/{made['app_id']}']").first
    assert text in str(link.evaluate(READ))
    page.goto(f"/apps/{made['app_id']}")
    assert page.locator("h1").evaluate(READ) == text.strip()
    assert_untouched(page)


def assert_untouched(page: Page) -> None:
    assert page.evaluate("window.owned") is None
    assert page.locator("main script:not([type='application/json']), main img, main svg[onload]").count() == 0
