"""The usage page: readable in both themes and on a phone, its chart's numbers in the table, its quota a form."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SendingApp
from tests.browser.test_accessibility import THEMES, Theme, violations
from tests.browser.test_live import cart


@pytest.mark.parametrize("theme", THEMES)
def test_usage_is_shown_and_the_quota_set(app: SendingApp, theme: Theme) -> None:
    app.send(cart(), cart(price="x"), {"eventName": "unheard_of"})
    page = app.page
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.goto("/organisation/usage")
    page.get_by_label("Credits a month").fill("1000000")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("of 1,000,000")).to_be_visible()
    expect(page.get_by_role("table")).to_contain_text("browser-test-")
    assert violations(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []
    page.get_by_role("link", name="Events", exact=True).click()
    expect(page.get_by_role("columnheader", name="Events")).to_have_attribute("aria-sort", "descending")
