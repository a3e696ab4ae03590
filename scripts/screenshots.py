"""Takes the README's pictures of a stack that `make demo` has filled: `python -m scripts.screenshots`."""

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 720}
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CODE = re.compile(r"\b\d{8}\b")
WAIT_SECONDS = 10
PHONES_SECONDS = 90  # until the demo's phones send something wrong
SETTLE_MS = 1500  # until the newest rows have lost their tint


def main() -> None:
    """Sign in as the demo's user and photograph what the README speaks of."""
    demo = json.loads((Path(os.environ.get("VAR", "var")) / "demo.json").read_text())
    IMAGES.mkdir(parents=True, exist_ok=True)
    executable = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        context = browser.new_context(viewport=SIZE, base_url=demo["url"], color_scheme="light")  # type: ignore[arg-type]
        page = context.new_page()
        sign_in(page, demo)
        photograph(page)
        browser.close()


def sign_in(page: Page, demo: dict[str, Any]) -> None:
    before = codes(demo)
    page.goto("/auth/login")
    page.get_by_label("Email").fill(demo["email"])
    page.get_by_label("Password", exact=True).fill(demo["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Code").fill(new_code(demo, before))
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/dashboard")


def codes(demo: dict[str, Any]) -> list[str]:
    """The codes mailed to the demo's user, newest first."""
    mails = requests.get(f"{demo['mailbox_url']}/messages.json", timeout=WAIT_SECONDS).json()
    found = (CODE.search(mail["text"]) for mail in mails if mail["to"] == demo["email"])
    return [code.group() for code in found if code]


def new_code(demo: dict[str, Any], before: list[str]) -> str:
    ends_at = time.monotonic() + WAIT_SECONDS
    while len(now := codes(demo)) == len(before):
        if time.monotonic() > ends_at:
            sys.exit("no code was mailed")
        time.sleep(0.1)
    return now[0]


def photograph(page: Page) -> None:
    """The dashboard, GitHub's invalid examples and their figures, the shop's stream on a desk and on a phone."""
    take(page, "dashboard")
    page.goto("/apps/github?verdict=invalid")
    page.locator("#rows tr").first.wait_for()
    take(page, "github")
    page.goto("/apps/github/overview")
    take(page, "overview")
    page.goto("/apps/github/violations")
    take(page, "violations")
    page.goto("/apps/shop")
    # One near the top, so that it is still in the picture when its fields are.
    fresh = page.locator("#rows tr:nth-child(-n+4)[data-verdict=invalid] .row-name").first
    fresh.click(timeout=PHONES_SECONDS * 1000)
    page.locator(".field-wrong, .field-missing, .field-empty").first.wait_for()
    take(page, "live")
    page.get_by_role("button", name="Close the event").click()
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.evaluate("scrollTo(0, 0)")
    take(page, "phone")


def take(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")  # noqa: T201  # a command's answer


if __name__ == "__main__":
    main()
