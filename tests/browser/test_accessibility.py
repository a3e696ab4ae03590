"""Every page by axe-core, in both themes: no serious violation of WCAG 2.2 AA."""

from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console, SendingApp, ask_for_code, mailed_code, new_address
from tests.browser.test_live import SHEET, cart
from tests.conftest import Stack

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
@pytest.mark.parametrize(
    "path", ["/auth/login", "/auth/register", "/auth/forgot", "/auth/reset", "/docs/api"]
)
def test_the_door(stranger: Page, path: str, theme: Theme) -> None:
    stranger.emulate_media(color_scheme=theme, reduced_motion="reduce")
    stranger.goto(path)
    assert violations(stranger) == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    "path",
    [
        "/dashboard",
        "/dashboard/apps/new",
        "/account",
        "{app}",
        "{app}/plan",
        "{app}/plan/studies",
        "{app}/settings",
        "{app}/reports",
        "/digests",
    ],
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


@pytest.mark.parametrize("theme", THEMES)
def test_the_way_in(stranger: Page, theme: Theme, stack: Stack, console: Console) -> None:
    """The code's page with a wrong code, the empty dashboard, a new app's key, a page that is not there."""
    console.allow("401")
    console.allow("404")
    stranger.emulate_media(color_scheme=theme, reduced_motion="reduce")
    email = new_address()
    ask_for_code(stranger, email)
    stranger.get_by_label("Code").fill("00000000")
    stranger.get_by_role("button", name="Continue").click()
    expect(stranger.get_by_label("Code")).to_have_attribute("aria-invalid", "true")
    assert violations(stranger) == []
    stranger.get_by_label("Code").fill(mailed_code(stack, email))
    stranger.get_by_role("button", name="Continue").click()
    expect(stranger.get_by_role("heading", name="Point an app at it")).to_be_visible()
    assert violations(stranger) == []
    stranger.get_by_role("link", name="New app").click()
    stranger.get_by_label("Name").fill("Kiosk")
    stranger.get_by_role("button", name="Create app").click()
    expect(stranger.locator("#write-key")).to_be_visible()
    assert violations(stranger) == []
    stranger.goto("/nowhere")
    assert violations(stranger) == []


@pytest.mark.parametrize("theme", THEMES)
def test_an_events_own_page_and_the_open_menus(app: SendingApp, theme: Theme) -> None:
    app.publish(SHEET)
    (result,) = app.send(cart(price="x"))["results"]
    app.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    app.page.goto(f"{app.path}/events/{result['event_id']}")
    expect(app.page.locator("tr[data-path=price] .field-status")).to_have_text("Wrong")
    app.page.locator("summary", has_text="Your account").click()
    assert violations(app.page) == []


@pytest.mark.parametrize("theme", THEMES)
def test_the_live_pages_filters_and_the_shared_view(app: SendingApp, theme: Theme) -> None:
    app.send(cart(), {"eventName": "sync", "eventId": 3})
    app.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    app.page.goto(f"{app.path}?device=pixel-8&origin=user")
    expect(app.page.locator("#rows tr")).to_have_count(1)
    app.page.locator("#filter-menu > summary").click()
    assert violations(app.page) == []
    app.page.keyboard.press("Escape")
    app.page.get_by_role("button", name="Share this view, or open it on a phone").click()
    expect(app.page.get_by_role("dialog")).to_be_visible()
    assert violations(app.page) == []
