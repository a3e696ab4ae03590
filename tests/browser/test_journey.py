"""The way in and the first event: what a stranger does in the first minute."""

import subprocess
import time

from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD, Console, SendingApp, mailed_code, new_address, register
from tests.conftest import Stack


def test_a_stranger_registers_with_a_mailed_code(stranger: Page, stack: Stack) -> None:
    register(stranger, stack, new_address())
    expect(stranger.get_by_role("heading", name="Point an app at it")).to_be_visible()


def test_signing_in_again_asks_for_a_new_code(stranger: Page, stack: Stack) -> None:
    email = new_address()
    register(stranger, stack, email)
    first = mailed_code(stack, email)
    stranger.locator("summary", has_text="Your account").click()
    stranger.get_by_role("button", name="Sign out").click()
    stranger.get_by_label("Email").fill(email)
    stranger.get_by_label("Password", exact=True).fill(PASSWORD)
    stranger.get_by_role("button", name="Sign in", exact=True).click()
    expect(stranger.get_by_role("heading", name="Enter your code")).to_be_visible()
    while (code := mailed_code(stack, email)) == first:
        stranger.wait_for_timeout(50)
    stranger.get_by_label("Code").press_sequentially(f" {code[:4]} {code[4:]} ")  # as pasted from a mail
    stranger.get_by_role("button", name="Continue").click()
    stranger.wait_for_url("**/dashboard")


def test_a_wrong_password_keeps_the_address_and_says_so(stranger: Page, console: Console) -> None:
    console.allow("401")
    stranger.goto("/auth/login")
    stranger.get_by_label("Email").fill("nobody@example.com")
    stranger.get_by_label("Password", exact=True).fill("wrong wrong wrong")
    stranger.get_by_role("button", name="Sign in", exact=True).click()
    expect(stranger.get_by_role("alert")).to_be_visible()
    expect(stranger.get_by_label("Email")).to_have_value("nobody@example.com")


def test_the_password_can_be_looked_at(stranger: Page) -> None:
    stranger.goto("/auth/login")
    password = stranger.get_by_label("Password", exact=True)
    stranger.get_by_label("Show password").click()
    expect(password).to_have_attribute("type", "text")
    stranger.get_by_label("Show password").click()
    expect(password).to_have_attribute("type", "password")


def test_a_new_apps_curl_line_works_and_its_event_is_live_within_a_second(page: Page) -> None:
    page.goto("/dashboard/apps/new")
    page.get_by_label("Name").fill("Shop for Android")
    page.get_by_role("button", name="Create app").click()
    line = page.locator("#first-curl").inner_text()
    page.get_by_role("link", name="Watch it arrive").click()
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.get_by_role("heading", name="Waiting for the first event")).to_be_visible()

    answer = subprocess.run(["bash", "-c", line], capture_output=True, timeout=10, check=True)
    sent_at = time.monotonic()
    page.locator(".row-name", has_text="hello").wait_for(timeout=5000)
    waited = time.monotonic() - sent_at

    assert b'"accepted":1' in answer.stdout.replace(b" ", b"")
    assert waited < 1, f"on screen after {waited:.2f} s"
    expect(page.locator("#tile-received")).to_have_text("1")


def test_the_key_is_shown_once(page: Page) -> None:
    page.goto("/dashboard/apps/new")
    page.get_by_label("Name").fill("Kiosk")
    page.get_by_role("button", name="Create app").click()
    key = page.locator("#write-key").inner_text()
    page.get_by_role("link", name="Watch it arrive").click()
    page.get_by_role("link", name="Settings").click()
    assert key not in page.content()
    expect(page.get_by_role("cell", name=key[:10])).to_be_visible()


def test_a_taken_app_id_is_said_beside_the_field_and_nothing_typed_is_lost(
    page: Page, app: SendingApp, console: Console
) -> None:
    console.allow("409")
    page.goto("/dashboard/apps/new")
    page.get_by_label("Name").fill("Another")
    page.get_by_label("App id").fill(app.app_id)
    page.get_by_role("button", name="Create app").click()
    expect(page.get_by_label("App id")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Name")).to_have_value("Another")


def test_signing_out_closes_the_door(stranger: Page, stack: Stack) -> None:
    register(stranger, stack, new_address())
    stranger.locator("summary", has_text="Your account").click()
    stranger.get_by_role("button", name="Sign out").click()
    expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()
    stranger.goto("/dashboard")
    assert "/auth/login" in stranger.url


def test_the_chosen_theme_is_remembered(stranger: Page) -> None:
    stranger.emulate_media(color_scheme="light")
    stranger.goto("/auth/login")
    expect(stranger.locator("html")).to_have_attribute("data-bs-theme", "light")
    stranger.get_by_label("Switch between light and dark").click()
    stranger.goto("/auth/register")
    expect(stranger.locator("html")).to_have_attribute("data-bs-theme", "dark")
