"""The main job on real input: after `make demo` every example is shown, the invalid ones with their reasons."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import requests
from playwright.sync_api import BrowserContext, Page, expect

from local import github
from tests.browser.conftest import mailed_code
from tests.conftest import ROOT, Stack, eventually

EXAMPLES = 329


def make_demo(stack: Stack) -> dict[str, Any]:
    """The demo, made on the running stack by the command that people use."""
    environment = {**os.environ, "VAR": stack.var, "DURATION": "0"}
    subprocess.run([sys.executable, "-m", "local.demo"], cwd=ROOT, env=environment, check=True, timeout=100)
    return json.loads((Path(stack.var) / "demo.json").read_text())


@pytest.fixture(scope="module")
def demo(stack: Stack) -> dict[str, Any]:
    return make_demo(stack)


@pytest.fixture
def owner(open_context: Callable[..., BrowserContext], stack: Stack, demo: dict[str, Any]) -> Page:
    """The demo's user, signed in by password and mailed code."""
    page = open_context().new_page()
    page.goto("/auth/login")
    page.get_by_label("Email").fill(demo["email"])
    page.get_by_label("Password", exact=True).fill(demo["password"])
    before = mailed_code(stack, demo["email"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/auth/verify")
    page.get_by_label("Code").fill(newer_code(stack, demo["email"], before))
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/dashboard")
    return page


def newer_code(stack: Stack, email: str, before: str) -> str:
    """The code that was mailed after that one."""
    return str(eventually(lambda: code if (code := mailed_code(stack, email)) != before else None))


def invalid_by_jsonschema_rs() -> Counter[str]:
    """What the published schemas say of the published examples, asked without any of our code."""
    bundle = github.bundle()
    shared = {"$schema": bundle["$schema"], "definitions": bundle["definitions"]}
    validators: dict[str, Any] = {}
    invalid: Counter[str] = Counter()
    for name, payload in github.examples():
        if name not in bundle or name == "definitions":
            continue
        if name not in validators:
            validators[name] = jsonschema_rs.validator_for({**shared, **bundle[name]})
        invalid[name] += not validators[name].is_valid(payload)
    return +invalid


def test_githubs_page_shows_all_examples_and_why_the_invalid_ones_are(owner: Page) -> None:
    expected = invalid_by_jsonschema_rs()
    assert sum(expected.values()) == 40
    owner.goto("/apps/github")
    expect(owner.locator("#tile-received")).to_have_text(str(EXAMPLES))
    expect(owner.locator("#tile-invalid")).to_have_text(str(sum(expected.values())))
    owner.get_by_role("button", name="Invalid", exact=True).click()
    rows = owner.locator("#rows tr[data-verdict=invalid]")
    expect(rows).to_have_count(sum(expected.values()))
    assert Counter(rows.locator(".row-name").all_inner_texts()) == expected
    for number in range(rows.count()):
        rows.nth(number).locator(".row-name").click()
        wrong = owner.locator("#event-panel .field-sentence, #event-panel .findings-invalid")
        expect(wrong.first).not_to_be_empty()


def test_every_example_can_be_reached(owner: Page) -> None:
    owner.goto("/apps/github")
    rows = owner.locator("#rows tr")
    expect(rows.first).to_be_visible()
    while owner.locator("#older").is_visible():
        before = rows.count()
        owner.locator("#older").click()
        expect(rows).not_to_have_count(before)
    assert rows.count() == EXAMPLES


def test_a_second_run_adds_nothing(stack: Stack, demo: dict[str, Any]) -> None:
    assert make_demo(stack) == demo
    answer = requests.get(
        f"{stack.url}/api/apps/github/summary",
        headers={"Authorization": f"Bearer {demo['api_key']}"},
        timeout=10,
    )
    assert sum(answer.json()["verdicts"].values()) == EXAMPLES
