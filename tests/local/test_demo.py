"""The demo: where it refuses, and that the shop's phones send what its sheet describes, but for their known bugs."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.plans import importing
from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event, Verdict
from local import demo, shop
from local.shop import Phone
from tests.conftest import ROOT

# Platform, version and event of each bug that a release of the shop has.
BUGS = {
    ("android", "4.2.0", "product_viewed"),
    ("ios", "4.2.0", "purchase"),
    ("android", "4.2.1", "shipping_chosen"),
    ("ios", "4.1.3", "payment_chosen"),
}


def run(var: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.demo"],
        cwd=ROOT,
        env={**os.environ, "VAR": str(var), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_without_a_stack_it_says_what_to_do(tmp_path: Path) -> None:
    ended = run(tmp_path)
    assert ended.returncode != 0
    assert ended.stderr.count("\n") == 1
    assert "make run" in ended.stderr


def test_it_makes_no_accounts_where_others_could_reach_them(tmp_path: Path) -> None:
    stack = {"url": "https://events.example.com", "mailbox_url": "http://127.0.0.1:1"}
    (tmp_path / "stack.json").write_text(json.dumps(stack))
    ended = run(tmp_path)
    assert ended.returncode != 0
    assert "PUBLIC_URL" in ended.stderr
    assert not (tmp_path / "demo.json").exists()


def test_its_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    demo.write_private(tmp_path / "demo.json", {"api_key": "x"})
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "demo.json").read_text()) == {"api_key": "x"}


@pytest.mark.parametrize(
    ("written", "seconds"), [(None, None), ("", None), ("0", 0), ("90", 90), ("90s", 90), ("5m", 300)]
)
def test_durations(written: str | None, seconds: float | None) -> None:
    assert demo.seconds_of(written) == seconds


@pytest.mark.parametrize("written", ["soon", "-1", "5 m", "1.5s"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(demo.Trouble):
        demo.seconds_of(written)


def test_the_phones_keep_to_the_sheet_but_for_each_releases_bug() -> None:
    sheet = importing.read("csv", (Path(shop.__file__).parent / "shop.csv").read_bytes())
    assert sheet.problems == []
    plan = compile_plan(sheet.content, 1)
    chance = random.Random(7)
    sent: list[dict[str, Any]] = [event for _ in range(800) for event in Phone(chance).session()]
    wrong = set()
    for event in sent:
        verdict = judge(Event(event["eventName"], event["payload"]), plan).verdict
        assert verdict in (Verdict.VALID, Verdict.INVALID), event
        if verdict is Verdict.INVALID:
            wrong.add((event["platform"], event["appVersion"], event["eventName"]))
    assert wrong == BUGS
    assert {event["eventName"] for event in sent} == set(sheet.content["events"]) - {
        "product_removed_from_cart"
    }
