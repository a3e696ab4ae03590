"""Ways in without mail, by hand: a passkey on Chromium's own virtual device, an authenticator app, and the proof."""

import time
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pyotp
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from local.places import Places
from local.postgres import Postgres
from tests.browser.conftest import PASSWORD, Console, new_address, register
from tests.conftest import Stack

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
REFUSED = ("status of 403", "status of 422", "status of 401")


@pytest.fixture
def newcomer(open_context: Callable[..., BrowserContext], stack: Stack) -> Page:
    """A page of somebody who registered just now, with a device that can hold passkeys."""
    page = open_context().new_page()
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    page.email = new_address()  # type: ignore[attr-defined]
    register(page, stack, page.email)  # type: ignore[attr-defined]
    return page


def sign_out(page: Page) -> None:
    page.locator("summary", has_text="Your account").click()
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    page.wait_for_url("**/auth/login")


def add_passkey(page: Page, name: str) -> None:
    page.goto("/account")
    page.get_by_label("Name of the new one").fill(name)
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("button", name="Make the passkey").click()
    page.wait_for_url("**/account?done=passkey")
    expect(page.get_by_text(name, exact=True)).to_be_visible()


def forget_proofs(stack: Stack) -> None:
    """As if everybody had signed in an hour ago."""
    places = Places.prepare(Path(stack.var))
    role = "live_validation_migrate"
    connection = psycopg2.connect(Postgres.prepare(places).dsn(role, places.secret(role)))
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE auth_sessions SET proven_at = now() - interval '1 hour'")
    connection.close()


def test_a_passkey_is_made_and_signs_in_without_typing(newcomer: Page) -> None:
    add_passkey(newcomer, "This laptop")
    sign_out(newcomer)
    newcomer.get_by_role("button", name="Sign in with a passkey").click()
    newcomer.wait_for_url("**/dashboard")
    newcomer.goto("/account")
    expect(newcomer.get_by_text("last used")).to_be_visible()


def test_a_second_one_on_the_same_device_is_explained(newcomer: Page) -> None:
    add_passkey(newcomer, "This laptop")
    newcomer.get_by_label("Name of the new one").fill("Again")
    newcomer.get_by_role("button", name="Add a passkey").click()
    newcomer.get_by_role("button", name="Make the passkey").click()
    expect(newcomer.get_by_role("alert")).to_have_text("This device has a passkey of yours already.")


def test_without_a_passkey_the_page_says_what_to_do(newcomer: Page, console: Console) -> None:
    sign_out(newcomer)
    newcomer.get_by_role("button", name="Sign in with a passkey").click()
    expect(newcomer.get_by_role("alert")).to_contain_text("take another way")
    expect(newcomer.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()


def test_an_authenticator_app_takes_the_mailed_codes_place(newcomer: Page, console: Console) -> None:
    newcomer.goto("/account")
    newcomer.get_by_role("button", name="Set up an authenticator app").click()
    newcomer.wait_for_url("**/account/authenticator")
    expect(newcomer.get_by_alt_text("QR code")).to_be_visible()
    app = pyotp.TOTP(str(newcomer.locator("[data-text]").get_attribute("data-text")).replace(" ", "").upper())
    newcomer.get_by_label("Type the code that it shows").fill(app.now())
    newcomer.get_by_role("button", name="Switch it on").click()
    codes = newcomer.locator("#recovery-codes").inner_text().split()
    assert len(codes) == 10
    with newcomer.expect_download() as downloading:
        newcomer.get_by_role("link", name="Download").click()
    assert codes[9] in downloading.value.path().read_text()
    newcomer.get_by_role("link", name="I have kept them").click()
    sign_out(newcomer)
    newcomer.get_by_label("Email").fill(newcomer.email)  # type: ignore[attr-defined]
    newcomer.get_by_label("Password", exact=True).fill(PASSWORD)
    newcomer.get_by_role("button", name="Sign in", exact=True).click()
    newcomer.wait_for_url("**/auth/verify")
    # The next one: the code of this half minute was used up by setting it up.
    newcomer.get_by_label("Code").fill(app.at(int(time.time()) + 30))
    newcomer.get_by_role("button", name="Continue").click()
    newcomer.wait_for_url("**/dashboard")
    sign_out(newcomer)
    newcomer.get_by_label("Email").fill(newcomer.email)  # type: ignore[attr-defined]
    newcomer.get_by_label("Password", exact=True).fill(PASSWORD)
    newcomer.get_by_role("button", name="Sign in", exact=True).click()
    newcomer.get_by_role("link", name="Use a recovery code").click()
    newcomer.get_by_label("Code").fill(codes[0])
    newcomer.get_by_role("button", name="Continue").click()
    newcomer.wait_for_url("**/dashboard")


@pytest.mark.parametrize("way", ["password", "passkey"])
def test_a_dangerous_change_asks_and_loses_nothing(
    newcomer: Page, stack: Stack, console: Console, way: str
) -> None:
    for words in REFUSED:
        console.allow(words)
    add_passkey(newcomer, "This laptop")
    newcomer.goto("/organisation/keys")
    newcomer.get_by_label("Name").fill("Nightly “build”")
    newcomer.get_by_label("manage").check()
    forget_proofs(stack)
    newcomer.get_by_role("button", name="Make a new key").click()
    expect(newcomer.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    if way == "password":
        newcomer.get_by_label("Password", exact=True).fill("not my password")
        newcomer.get_by_label("Password", exact=True).press("Enter")
        expect(newcomer.get_by_text("This is not right")).to_be_visible()
        newcomer.get_by_label("Password", exact=True).fill(PASSWORD)
        newcomer.get_by_label("Password", exact=True).press("Enter")
    else:
        newcomer.get_by_role("button", name="Use a passkey").click()
    expect(newcomer.get_by_text("Your new API key")).to_be_visible()
    expect(newcomer.get_by_text("Nightly “build”")).to_be_visible()
