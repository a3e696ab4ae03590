"""A mailed invitation: opened, registered for and joined, and its token is in no address that a browser asks for."""

import re
from collections.abc import Callable

import requests
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import (
    MAIL_SECONDS,
    PASSWORD,
    WAIT_SECONDS,
    Console,
    mailed_code,
    new_address,
    register,
)
from tests.browser.test_accessibility import violations
from tests.conftest import Stack, eventually


def mailed_invitation(stack: Stack, email: str) -> str:
    """The link in the newest invitation; waits for it."""

    def find() -> str | None:
        mails = requests.get(f"{stack.mailbox_url}/messages.json", timeout=WAIT_SECONDS).json()
        found = (re.search(r"http\S+/invitation#\S+", mail["text"]) for mail in mails if mail["to"] == email)
        return next((link.group() for link in found if link), None)

    return str(eventually(find, MAIL_SECONDS))


def invite(owner: Page, email: str) -> None:
    owner.goto("/organisation")
    owner.get_by_label("E-mail address").fill(email)
    owner.get_by_role("button", name="Invite").click()
    expect(owner.get_by_role("cell", name=email, exact=True)).to_be_visible()


def test_an_invitation_leads_a_stranger_into_the_organisation(
    open_context: Callable[..., BrowserContext], stranger: Page, stack: Stack
) -> None:
    owner, bob = open_context().new_page(), new_address()
    register(owner, stack, new_address())
    invite(owner, bob)
    link = mailed_invitation(stack, bob)
    asked: list[str] = []
    stranger.on("request", lambda request: asked.append(request.url))
    stranger.goto("/invitation")
    stranger.goto(link)  # the same page with another #, which a browser does not load anew
    expect(stranger.get_by_role("heading", name="Join")).to_be_visible()
    assert violations(stranger) == []
    stranger.get_by_role("link", name="Register as").click()
    stranger.get_by_label("Email").fill(bob)
    stranger.get_by_label("Password", exact=True).fill(PASSWORD)
    stranger.get_by_role("button", name="Send me a code").click()
    stranger.get_by_label("Code").fill(mailed_code(stack, bob))
    stranger.get_by_role("button", name="Continue").click()
    stranger.get_by_role("button", name="Join").click()
    stranger.wait_for_url("**/dashboard")
    stranger.goto("/organisation")
    expect(stranger.get_by_text(f"{bob} (you)")).to_be_visible()
    token = link.partition("#")[2]
    assert [url for url in asked if token in url.partition("#")[0]] == []


def test_without_a_script_the_link_is_pasted(
    open_context: Callable[..., BrowserContext], stack: Stack, console: Console
) -> None:
    console.allow("404")
    plain = open_context(java_script_enabled=False).new_page()
    plain.goto("/invitation")
    plain.get_by_label("Link from the mail").fill(f"{stack.url}/invitation#{'a' * 32}")
    plain.get_by_role("button", name="Open the invitation").click()
    expect(plain.get_by_label("Link from the mail")).to_have_attribute("aria-invalid", "true")
