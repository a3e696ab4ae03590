"""Every page by axe-core, in both themes: no serious violation of WCAG 2.2 AA."""

from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SendingApp
from tests.browser.test_live import SHEET, cart

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
Theme = Literal["light", "dark"]
THEMES: list[Theme] = ["light", "dark"]


def violations(page: Page) -> list[str]:
    """The serious and critical ones, each with where it is."""
    page.evaluate(AXE.read_text())  # by the debugger's door, which the content security policy does not guard
    found: list[dict[str, Any]] = page.evaluate("rules => axe.run(document, rules)", RULES)["violations"]
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", ["/auth/login", "/auth/register"])
def test_the_door(stranger: Page, path: str, theme: Theme) -> None:
    stranger.emulate_media(color_scheme=theme, reduced_motion="reduce")
    stranger.goto(path)
    assert violations(stranger) == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    "path", ["/dashboard", "/dashboard/apps/new", "{app}", "{app}/plan", "{app}/settings"]
)
def test_the_rooms(app: SendingApp, path: str, theme: Theme) -> None:
    app.publish(SHEET)
    app.send(cart(), cart(price="x"), {"eventName": "unheard_of"})
    app.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    app.page.goto(path.format(app=app.path))
    if path == "{app}":
        expect(app.page.locator("#rows tr")).to_have_count(3)
    assert violations(app.page) == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("tab", ["Fields", "Payload", "Raw JSON", "Envelope"])
def test_an_open_event(app: SendingApp, tab: str, theme: Theme) -> None:
    app.publish(SHEET)
    app.send(cart(price="x", skv="typo"))
    app.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    app.page.goto(app.path)
    app.page.locator(".row-name").click()
    app.page.get_by_role("tab", name=tab).click()
    assert violations(app.page) == []


@pytest.mark.parametrize("theme", THEMES)
def test_the_empty_page_on_a_phone(phone: Page, app: SendingApp, theme: Theme) -> None:
    phone.emulate_media(color_scheme=theme, reduced_motion="reduce")
    phone.goto(app.path)
    expect(phone.get_by_role("heading", name="Waiting for the first event")).to_be_visible()
    assert violations(phone) == []
