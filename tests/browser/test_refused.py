"""What was refused, in a browser: the reason, the beginning of the body as text, in both themes and on a phone."""

import requests
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, SendingApp
from tests.browser.test_accessibility import THEMES, violations
from tests.browser.test_hostile import assert_untouched
from tests.conftest import eventually

HOSTILE = b'{"eventName": "buy", <script>window.owned=1</script>}'


def post(app: SendingApp, body: bytes) -> int:
    headers = {"Authorization": f"Bearer {app.write_key}", "Content-Type": "application/json"}
    return requests.post(
        f"{app.url}/api/logs/{app.app_id}", data=body, headers=headers, timeout=20
    ).status_code


def test_a_sender_s_mistake_is_found_on_the_page(app: SendingApp, phone: Page) -> None:
    page = app.page
    page.goto(app.path)
    page.get_by_role("link", name="Refused").click()
    expect(page.get_by_role("heading", name="Nothing was refused")).to_be_visible()
    assert post(app, HOSTILE) == 400
    assert post(app, b'[{"event": "good"}, {"payload": {"sku": "a-1"}}]') == 200

    def both() -> bool:
        page.reload()
        return page.locator("section h2 code").all_text_contents() == ["bad_json", "no_event_name"]

    eventually(both)
    expect(page.get_by_role("row", name="bad_json")).to_contain_text("1")
    expect(page.locator("#bad_json pre")).to_have_text(HOSTILE.decode())
    expect(page.locator("#no_event_name pre")).to_have_text('{"payload":{"sku":"a-1"}}')
    expect(page.locator("#no_event_name")).to_contain_text("The event has no name.")
    assert_untouched(page)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert violations(page) == []
    phone.goto(f"{app.path}/refused")
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
