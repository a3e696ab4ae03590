"""The door's other journeys, as a person walks them: a forgotten password, a changed one."""

import re

import requests
from playwright.sync_api import Page, expect
from zxcvbn import zxcvbn

from tests.browser.conftest import (
    MAIL_SECONDS,
    PASSWORD,
    PHONE,
    WAIT_SECONDS,
    Console,
    ask_for_code,
    mailed_code,
    new_address,
    register,
)
from tests.browser.test_accessibility import THEMES, violations
from tests.conftest import Stack, eventually

NEW_PASSWORD = "marble-kettle-57-windmill"
TRIED = (
    "short",
    "elevenchars",
    "password1234",
    "qwertyuiop123",
    "iloveyou1234",
    "marigold.lighthouse",
    "baltimorelogistics",
    "competitoradopted",
    "elephantgarden",
    "thunderstorm12",
    "abcabcabcabcabc",
    PASSWORD,
)
LINK = re.compile(r"http\S+/auth/reset#\S+")


def mails_to(stack: Stack, email: str) -> list[dict[str, str]]:
    mails = requests.get(f"{stack.mailbox_url}/messages.json", timeout=WAIT_SECONDS).json()
    return [mail for mail in mails if mail["to"] == email]


def mailed_link(stack: Stack, email: str) -> str:
    """The newest link to a new password; waits for it."""

    def find() -> str | None:
        links = (LINK.search(mail["text"]) for mail in mails_to(stack, email))
        return next((link.group() for link in links if link), None)

    return str(eventually(find, MAIL_SECONDS))


def told(stack: Stack, email: str, subject: str) -> object:
    """Waits for a mail with this subject."""
    return eventually(lambda: subject in [mail["subject"] for mail in mails_to(stack, email)], MAIL_SECONDS)


def sign_out(page: Page) -> None:
    page.locator("summary", has_text="Your account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/auth/login")


def sign_in(page: Page, stack: Stack, email: str, password: str) -> None:
    """The password and a new code."""
    before = mailed_code(stack, email)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/auth/verify")
    eventually(lambda: mailed_code(stack, email) != before, MAIL_SECONDS)
    page.get_by_label("Code").fill(mailed_code(stack, email))
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/dashboard")


def test_a_forgotten_password_is_replaced_by_a_mailed_link(
    stranger: Page, stack: Stack, console: Console
) -> None:
    console.allow("422")
    email = new_address()
    register(stranger, stack, email)
    sign_out(stranger)
    stranger.get_by_role("link", name="Forgot your password?").click()
    stranger.get_by_label("Email").fill(email)
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("heading", name="Look into your mailbox")).to_be_visible()
    assert violations(stranger) == []
    asked: list[str] = []
    stranger.on("request", lambda request: asked.append(request.url))
    link = mailed_link(stack, email)
    token = link.partition("#")[2]
    stranger.goto(link)
    expect(stranger.get_by_label("Link from the mail")).to_be_hidden()
    assert stranger.url.endswith("/auth/reset"), "the token left the address"
    password = stranger.get_by_label("New password", exact=True)
    password.fill("password1234")
    stranger.get_by_role("button", name="Set the new password").click()
    expect(password).to_have_attribute("aria-invalid", "true")
    expect(password).to_be_focused()
    assert violations(stranger) == []
    password.fill(NEW_PASSWORD)
    stranger.get_by_role("button", name="Set the new password").click()
    expect(stranger.get_by_role("status")).to_contain_text("Your password is changed")
    told(stack, email, "Your password was changed")
    sign_in(stranger, stack, email, NEW_PASSWORD)
    assert [url for url in asked if token in url.partition("#")[0]] == []


def test_a_used_link_leads_to_a_new_one(stranger: Page, stack: Stack, console: Console) -> None:
    console.allow("401")
    stranger.goto(f"/auth/reset#{'a' * 32}")
    stranger.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    stranger.get_by_role("button", name="Set the new password").click()
    expect(stranger.get_by_label("Link from the mail")).to_have_attribute("aria-invalid", "true")
    assert violations(stranger) == []
    stranger.get_by_role("link", name="Ask for a new one").click()
    stranger.wait_for_url("**/auth/forgot")


def test_an_unknown_address_gets_the_same_page_and_a_mail_that_says_so(stranger: Page, stack: Stack) -> None:
    email = new_address()
    stranger.goto("/auth/forgot")
    stranger.get_by_label("Email").fill(email)
    stranger.get_by_role("button", name="Send me a link").click()
    expect(stranger.get_by_role("heading", name="Look into your mailbox")).to_be_visible()
    told(stack, email, "No account with this address")


def test_the_password_is_changed_on_ones_own_page(stranger: Page, stack: Stack, console: Console) -> None:
    console.allow("422")
    email = new_address()
    register(stranger, stack, email)
    stranger.locator("summary", has_text="Your account").click()
    stranger.get_by_role("link", name="Your account").click()
    stranger.get_by_label("Current password", exact=True).fill("not the password")
    stranger.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    stranger.get_by_role("button", name="Change the password").click()
    expect(stranger.get_by_label("Current password", exact=True)).to_have_attribute("aria-invalid", "true")
    stranger.get_by_label("Current password", exact=True).fill(PASSWORD)
    stranger.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    stranger.get_by_role("button", name="Change the password").click()
    expect(stranger.get_by_role("status")).to_contain_text("Your password is changed")
    told(stack, email, "Your password was changed")
    sign_out(stranger)
    sign_in(stranger, stack, email, NEW_PASSWORD)


def test_a_remembered_browser_signs_in_by_password_and_is_forgotten_on_ones_own_page(
    stranger: Page, stack: Stack
) -> None:
    email = new_address()
    ask_for_code(stranger, email)
    stranger.get_by_label("Code").fill(mailed_code(stack, email))
    stranger.get_by_label("Remember this browser").check()
    stranger.get_by_role("button", name="Continue").click()
    stranger.wait_for_url("**/dashboard")
    sign_out(stranger)
    stranger.get_by_label("Email").fill(email)
    stranger.get_by_label("Password", exact=True).fill(PASSWORD)
    stranger.get_by_role("button", name="Sign in", exact=True).click()
    stranger.wait_for_url("**/dashboard")
    stranger.goto("/account")
    browsers = stranger.get_by_role("region", name="Browsers that know you")
    expect(browsers).to_contain_text("Asks for no code until")
    browsers.get_by_role("button", name="Forget").click()
    expect(browsers).not_to_contain_text("Asks for no code until")
    sign_out(stranger)
    sign_in(stranger, stack, email, PASSWORD)


def test_strength_is_said_while_one_types_and_agrees_with_the_server(
    stranger: Page, console: Console
) -> None:
    console.allow("422")
    stranger.goto("/auth/register")
    sent: list[str] = []
    stranger.on("request", lambda request: sent.append(request.method))
    stranger.get_by_label("Email").fill("marigold.lighthouse@example.com")
    password, said = stranger.get_by_label("Password", exact=True), stranger.locator("[data-strength]")
    expect(password).to_have_attribute("autocomplete", "new-password")
    for typed in TRIED:
        password.fill(typed)
        if len(typed) < 12:
            expect(said).to_contain_text(f"{12 - len(typed)} more character")
            continue
        score = zxcvbn(typed, user_inputs=["marigold", "lighthouse"])["score"]
        expect(said).to_contain_text(
            "Strong." if score == 4 else "Good." if score == 3 else "Add another word"
        )
        expect(said).to_have_attribute("data-score", str(score))
    assert violations(stranger) == []
    assert set(sent) == {"GET"}, "nothing of it left the browser"
    password.fill("qwertyuiop123")
    password.press("Enter")
    expect(password).to_have_attribute("aria-invalid", "true")
    expect(stranger.get_by_label("Email")).to_have_value("marigold.lighthouse@example.com")


def test_the_door_is_walked_through_by_keyboard_with_a_pasted_code(stranger: Page, stack: Stack) -> None:
    email = new_address()
    stranger.goto("/auth/register")
    expect(stranger.get_by_label("Email")).to_be_focused()
    stranger.keyboard.type(email)
    stranger.keyboard.press("Tab")
    stranger.keyboard.type(PASSWORD)
    stranger.keyboard.press("Enter")
    stranger.wait_for_url("**/auth/verify")
    code = stranger.get_by_label("Code")
    expect(code).to_be_focused()
    expect(code).to_have_attribute("autocomplete", "one-time-code")
    expect(code).to_have_attribute("inputmode", "numeric")
    digits = mailed_code(stack, email)
    stranger.evaluate("text => navigator.clipboard.writeText(text)", f" {digits[:4]}-{digits[4:]}\n")
    stranger.keyboard.press("Control+V")
    expect(code).to_have_value(digits)
    stranger.keyboard.press("Tab")
    expect(stranger.get_by_label("Remember this browser")).to_be_focused()
    stranger.keyboard.press("Tab")
    stranger.keyboard.press("Enter")
    stranger.wait_for_url("**/dashboard")


def test_another_code_is_sent_and_the_first_is_refused_beside_its_field(
    stranger: Page, stack: Stack, console: Console
) -> None:
    console.allow("401")
    email = new_address()
    ask_for_code(stranger, email)
    first = mailed_code(stack, email)
    stranger.get_by_role("button", name="Send another code").click()
    expect(stranger.get_by_role("status")).to_contain_text("Only the newest works")
    assert violations(stranger) == []
    eventually(lambda: mailed_code(stack, email) != first, MAIL_SECONDS)
    stranger.get_by_label("Code").fill(first)
    stranger.get_by_role("button", name="Continue").click()
    expect(stranger.get_by_label("Code")).to_have_attribute("aria-invalid", "true")
    expect(stranger.get_by_label("Code")).to_be_focused()
    stranger.get_by_label("Code").fill(mailed_code(stack, email))
    stranger.get_by_role("button", name="Continue").click()
    stranger.wait_for_url("**/dashboard")


def test_no_page_of_the_door_scrolls_sideways(stranger: Page) -> None:
    stranger.set_viewport_size(PHONE)
    for path in ("/auth/login", "/auth/register", "/auth/forgot", "/auth/reset"):
        for theme in THEMES:
            stranger.emulate_media(color_scheme=theme)
            stranger.goto(path)
            assert stranger.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
