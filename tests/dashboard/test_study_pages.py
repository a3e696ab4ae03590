"""The pages of studies: each state of each kind is shown, and one click leads from an unplanned event to the draft."""

from typing import Any

import pytest
from flask import Flask

from app.jobs.queues import Queue
from tests.auth.visitor import Mailbox, do_jobs
from tests.dashboard.test_pages import Owner

STUDIES = "/apps/shop/plan/studies"
PAYLOADS: list[dict[str, Any]] = [
    {
        "email": f"a{n}@shop.example",
        "age": n,
        "plan": "free" if n % 3 else "pro",
        "mixed": n if n % 2 else "x",
        "tags": ["a"] * (n % 3),
        "gone": None,
        "by_id": {f"k{n}-{m}": m for m in range(9)},
        "<b>": True,
    }
    for n in range(40)
]


@pytest.fixture
def alice(flask_app: Flask, mailbox: Mailbox) -> Owner:
    alice = Owner(flask_app, mailbox)
    alice.join()
    key = alice.make_app("shop")
    alice.send("shop", key, [{"event": "view", "payload": payload} for payload in PAYLOADS])
    return alice


def begin(alice: Owner, path: str, **fields: str) -> str:
    answer = alice.submit(f"{STUDIES}/{path}", **fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def test_an_unplanned_event_is_one_click_from_the_draft_and_says_what_was_seen(alice: Owner) -> None:
    for path in ("/apps/shop/events", "/apps/shop/events/named?name=view"):
        assert "Add to the draft: view" in alice.page(path)
    page = alice.page(begin(alice, "infer", event="view"))
    for told in ("in 40 of 40", "from 0 to 39", "null 40 times", "as text 20, integer 20", "0 to 2 items"):
        assert told in page
    assert "one of free, pro" in page
    assert "format email" in page
    assert "at least 0" in page
    assert "differ too much" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "1 event is in the draft now" in page


def test_the_whole_app_is_looked_at_by_a_worker_with_a_bar(flask_app: Flask, alice: Owner) -> None:
    place = begin(alice, "infer")
    waiting = alice.page(place)
    assert "data-study=" in waiting
    assert "It waits for its turn" in waiting
    do_jobs(flask_app, Queue.LOW)
    done = alice.page(place)
    assert "data-study=" not in done
    assert "1 event is in the draft now" in done
    again = begin(alice, "infer")
    do_jobs(flask_app, Queue.LOW)
    assert "Nothing new was seen" in alice.page(again)


def test_a_back_test_is_shown_with_its_samples_and_can_be_cancelled(flask_app: Flask, alice: Owner) -> None:
    assert "no draft yet" in alice.page(STUDIES)
    begin(alice, "infer", event="view")
    before = alice.page("/apps/shop/plan/draft")
    assert "Judge the newest 10,000" in before
    place = begin(alice, "backtest", events="1000")
    assert "how far it is" in alice.page("/apps/shop/plan/draft")
    assert "It waits for its turn" in alice.page(place)
    do_jobs(flask_app, Queue.LOW)
    page = alice.page(place)
    assert "Of the newest 40 events, <strong>0</strong> would fail" in page
    assert "<strong>40</strong> would pass that fail now" in page
    assert page.count('class="sample"') == 5
    shown_before_publish = alice.page("/apps/shop/plan/draft")
    assert "Of the newest 40 stored events <strong>0</strong> would fail" in shown_before_publish
    begin(alice, "infer", event="view")
    assert "The draft has changed since" in alice.page(place)
    assert "Judge the newest 10,000" in alice.page("/apps/shop/plan/draft"), "another revision was tried"
    other = begin(alice, "backtest", events="1000")
    assert alice.submit(f"{other}/cancel").status_code == 303
    assert "It was cancelled after 0 events" in alice.page(other)
    listed = alice.page(STUDIES)
    assert "0 newly failing, 40 newly passing" in listed
    assert "Cancelled" in listed
    assert alice.submit(f"{STUDIES}/backtest", events="many").status_code == 422


def test_a_study_that_failed_says_so(flask_app: Flask, alice: Owner, owner: Any) -> None:
    place = begin(alice, "infer")
    with owner.cursor() as cursor:
        cursor.execute("UPDATE outbox SET state = 'dead', last_error = 'timeout' WHERE job = 'infer_plan'")
    assert "It could not be finished (timeout)" in alice.page(place)
