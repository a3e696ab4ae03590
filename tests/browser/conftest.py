"""A real Chromium, people who sign in with it, and an eye on its console: any error in it fails the test."""

import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, StorageState, sync_playwright

from tests.conftest import Stack, eventually

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",  # Chromium's sandbox refuses to run as root, which test machines often are
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "tinker-otter-94-lamplight"
CODE = re.compile(r"\b\d{8}\b")
WAIT_SECONDS = 10
MAIL_SECONDS = 40  # a lost wake-up costs a sweep of the outbox
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 720}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker("browser")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Package scope: Playwright's event loop would be in the way of other tests of this process."""
    executable = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if executable is None and os.environ.get("CI") != "true":
        pytest.skip("NO BROWSER TESTED: no Chromium found; `apt-get install chromium` brings one")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield running
        running.close()


@dataclass
class Console:
    """What the browser complained about. `allow` names what a test brings about on purpose."""

    complaints: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, words: str) -> None:
        self.allowed.append(words)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def attach(self, context: BrowserContext) -> None:
        context.on("console", self.hear)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))

    @property
    def unexpected(self) -> list[str]:
        return [text for text in self.complaints if not any(words in text for words in self.allowed)]


@pytest.fixture
def console() -> Iterator[Console]:
    heard = Console()
    yield heard
    assert heard.unexpected == []


@pytest.fixture
def open_context(browser: Browser, stack: Stack, console: Console) -> Iterator[Callable[..., BrowserContext]]:
    """Make a browser window of its own: `open_context(storage_state=…, viewport=…)`."""
    opened: list[BrowserContext] = []

    def open_(**options: Any) -> BrowserContext:
        own = {"viewport": DESK, "base_url": stack.url, "permissions": ["clipboard-read", "clipboard-write"]}
        context = browser.new_context(**own | options)
        context.set_default_timeout(WAIT_SECONDS * 1000)
        console.attach(context)
        opened.append(context)
        return context

    yield open_
    for context in opened:
        context.close()


@pytest.fixture
def stranger(open_context: Callable[..., BrowserContext]) -> Page:
    """A page of somebody who never signed in."""
    return open_context().new_page()


def mailed_code(stack: Stack, email: str) -> str:
    """The newest code mailed to an address; waits for it."""

    def find() -> str | None:
        mails = requests.get(f"{stack.mailbox_url}/messages.json", timeout=WAIT_SECONDS).json()
        codes = (CODE.search(mail["text"]) for mail in mails if mail["to"] == email)
        return next((code.group() for code in codes if code), None)

    return str(eventually(find, MAIL_SECONDS))


def ask_for_code(page: Page, email: str) -> None:
    """Register as a person does, up to the page that asks for the code."""
    page.goto("/auth/register")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Send me a code").click()
    page.wait_for_url("**/auth/verify")


def register(page: Page, stack: Stack, email: str) -> None:
    """Register as a person does, up to the dashboard."""
    ask_for_code(page, email)
    page.get_by_label("Code").fill(mailed_code(stack, email))
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/dashboard")


def new_address() -> str:
    return f"qa-{uuid.uuid4().hex[:12]}@example.com"


@pytest.fixture(scope="package")
def signed_in(browser: Browser, stack: Stack) -> StorageState:
    """The cookies of one person who registered once for all tests; each test makes its own app."""
    context = browser.new_context(base_url=stack.url)
    register(context.new_page(), stack, new_address())
    state = context.storage_state()
    context.close()
    return state


@dataclass(frozen=True)
class SendingApp:
    """An app of the signed-in person, and a sender that has its key."""

    url: str
    app_id: str
    write_key: str
    page: Page

    def send(self, *events: dict[str, Any]) -> dict[str, Any]:
        """POST events as one batch; returns the answer."""
        answer = requests.post(
            f"{self.url}/api/logs/{self.app_id}",
            json=list(events),
            headers={"Authorization": f"Bearer {self.write_key}"},
            timeout=WAIT_SECONDS,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def publish(self, sheet: str) -> None:
        """Publish a tracking sheet as the signed-in person."""
        call(self.page, f"/api/apps/{self.app_id}/plan/import?format=csv&publish=true", sheet, "text/csv")

    @property
    def path(self) -> str:
        return f"/apps/{self.app_id}"


def call(page: Page, path: str, body: Any, content_type: str = "application/json") -> Any:
    """POST to the API with the page's own session; returns the JSON answer."""
    token = page.request.get("/auth/csrf").json()["csrf_token"]
    headers = {"X-CSRF-Token": token, "Content-Type": content_type, "Accept": "application/json"}
    answer = page.request.post(path, data=body, headers=headers)
    assert answer.ok, answer.text()
    return answer.json()


@pytest.fixture
def page(open_context: Callable[..., BrowserContext], signed_in: StorageState) -> Page:
    """A page of the signed-in person, at a desk."""
    return open_context(storage_state=signed_in).new_page()


@pytest.fixture
def phone(open_context: Callable[..., BrowserContext], signed_in: StorageState) -> Page:
    """A page of the signed-in person, 360 pixels wide."""
    return open_context(storage_state=signed_in, viewport=PHONE, has_touch=True).new_page()


@pytest.fixture
def app(page: Page, stack: Stack) -> SendingApp:
    """A new app of the signed-in person."""
    made = call(page, "/api/apps", {"name": "Browser test"})
    return SendingApp(stack.url, made["app_id"], made["write_key"], page)
