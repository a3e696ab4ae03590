"""The digest by mail: only who asked, only what is new or has come back since the last one, and each once."""

# ruff: noqa: F811  (a fixture from elsewhere)

import re
import threading
from typing import Any

import psycopg2
import pytest
from flask import Flask

from app.jobs.queues import Queue
from app.jobs.run import drain
from tests.auth.visitor import Mailbox, do_jobs
from tests.dashboard.test_pages import SHEET, Owner, alice  # noqa: F401  (a fixture)

Connection = psycopg2.extensions.connection
SUBJECT = "What is new in your events"
WRONG = {"event": "view", "payload": {"sku": 7}}
OTHER = {"event": "view", "payload": {"sku": "a", "price": "dear"}}


@pytest.fixture
def key(alice: Owner) -> str:
    """The write key of an app with a plan, whose owner gets a digest each day."""
    key = alice.make_app("shop")
    headers = {"X-CSRF-Token": alice.token()}
    alice.ask("POST", "/api/apps/shop/plan/import?format=csv&publish=true", data=SHEET, headers=headers)
    assert alice.submit("/apps/shop/digest", every="day").status_code == 303
    return key


def rows(owner: Connection, query: str) -> list[Any]:
    with owner.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else []


def later(owner: Connection, hours: float = 25) -> None:
    """What waiting would do: everything is so much older."""
    by = f"interval '{hours} hours'"
    rows(owner, f"UPDATE digests SET sent_to = sent_to - {by}")
    rows(
        owner,
        f"UPDATE violation_deltas SET quarter = quarter - {by}, first_at = first_at - {by}, last_at = last_at - {by}",
    )
    rows(owner, f"UPDATE violation_tallies SET at = at - {by} WHERE minutes = 15")
    rows(owner, f"UPDATE violations_seen SET first_at = first_at - {by}, last_at = last_at - {by}")


def look(flask_app: Flask, owner: Connection, times: int = 1) -> None:
    """What the clock would start."""
    for _ in range(times):
        rows(owner, "INSERT INTO outbox (queue, job) VALUES ('low', 'send_digests')")
    while drain(Queue.LOW):
        pass
    do_jobs(flask_app, Queue.HIGH)


def mails(mailbox: Mailbox, who: Owner) -> list[str]:
    return [mail["text"] for mail in mailbox(who.email) if mail["subject"] == SUBJECT]


def decide(who: Owner, path: str, state: str) -> None:
    found = who.ask("GET", "/api/apps/shop/violations?range=all").get_json()["violations"]
    (group,) = [group for group in found if group["path"] == path]
    answer = who.post(f"/api/apps/shop/violations/{group['id']}/decision", {"state": state})
    assert answer.status_code == 200, answer.text


def test_it_tells_what_is_new_once_and_says_nothing_when_nothing_is(
    flask_app: Flask,
    alice: Owner,
    key: str,
    owner: Connection,
    mailbox: Mailbox,
) -> None:
    look(flask_app, owner)
    assert mails(mailbox, alice) == [], "not due yet"
    later(owner)
    look(flask_app, owner)
    assert mails(mailbox, alice) == [], "nothing to say"
    alice.send("shop", key, [WRONG, WRONG])
    later(owner, 1)
    rows(owner, "UPDATE digests SET sent_to = sent_to - interval '1 day'")
    look(flask_app, owner)
    (told,) = mails(mailbox, alice)
    assert "- view sku has the wrong type (2 times)" in told
    assert "back again" not in told
    assert not re.search(r"\d{6}", told)
    later(owner)
    alice.send("shop", key, [WRONG, OTHER])
    later(owner, 1)
    look(flask_app, owner)
    newest, _ = mails(mailbox, alice)
    assert "view price has the wrong type (1 times)" in newest
    assert "sku" not in newest, "told already"


def test_what_was_resolved_and_came_back_is_told_once(
    flask_app: Flask,
    alice: Owner,
    key: str,
    owner: Connection,
    mailbox: Mailbox,
) -> None:
    alice.send("shop", key, [WRONG])
    later(owner)
    look(flask_app, owner)
    later(owner, 24 * 20)
    decide(alice, "sku", "resolved")
    rows(owner, "UPDATE triage SET resolved_at = resolved_at - interval '10 days'")
    look(flask_app, owner)
    assert len(mails(mailbox, alice)) == 1, "resolved: nothing to say"
    for again in (2, 2):
        alice.send("shop", key, [WRONG])
        later(owner)
        look(flask_app, owner)
        told = mails(mailbox, alice)
        assert len(told) == again
        assert "Resolved, and back again" in told[0]


@pytest.mark.parametrize("state", ["known", "muted"])
def test_what_people_have_settled_is_no_news(
    flask_app: Flask,
    alice: Owner,
    key: str,
    owner: Connection,
    mailbox: Mailbox,
    state: str,
) -> None:
    alice.send("shop", key, [WRONG])
    decide(alice, "sku", state)
    later(owner)
    look(flask_app, owner)
    assert mails(mailbox, alice) == []


def test_two_who_look_at_once_write_one_mail(
    flask_app: Flask,
    alice: Owner,
    key: str,
    owner: Connection,
    mailbox: Mailbox,
) -> None:
    alice.send("shop", key, [WRONG])
    later(owner)
    rows(owner, "INSERT INTO outbox (queue, job) SELECT 'low', 'send_digests' FROM generate_series(1, 6)")

    def work() -> None:
        with flask_app.app_context():
            while drain(Queue.LOW):
                pass

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    do_jobs(flask_app, Queue.HIGH)
    assert len(mails(mailbox, alice)) == 1


def test_only_who_asked_is_told_and_one_click_ends_it(
    flask_app: Flask,
    alice: Owner,
    key: str,
    owner: Connection,
    mailbox: Mailbox,
) -> None:
    assert "Every day" in alice.page("/digests")
    assert alice.submit("/apps/shop/digest", every="hour").status_code == 422
    alice.send("shop", key, [WRONG])
    later(owner)
    look(flask_app, owner)
    (told,) = mails(mailbox, alice)
    link = re.search(r"Turn it off: \S+?(/digests)$", told, re.MULTILINE)
    assert link
    page = alice.page(link[1])
    button = re.search(r'action="(/apps/shop/digest)"', page)
    assert button
    assert alice.submit(button[1], every="", **{"from": "digests"}).location == "/digests"
    assert "You get no digest" in alice.page("/digests")
    alice.send("shop", key, [OTHER])
    later(owner)
    look(flask_app, owner)
    assert len(mails(mailbox, alice)) == 1
    assert flask_app.test_client().get("/digests").status_code == 303, "signed in only"


def test_a_weekly_one_waits_for_a_week_and_a_closed_organisation_gets_none(
    flask_app: Flask,
    alice: Owner,
    key: str,
    owner: Connection,
    mailbox: Mailbox,
) -> None:
    assert alice.submit("/apps/shop/digest", every="week").status_code == 303
    alice.send("shop", key, [WRONG])
    later(owner)
    look(flask_app, owner)
    assert mails(mailbox, alice) == []
    later(owner, 24 * 7)
    rows(owner, "UPDATE organisations SET deletes_at = now() + interval '1 day'")
    look(flask_app, owner)
    assert mails(mailbox, alice) == []
    rows(owner, "UPDATE organisations SET deletes_at = NULL")
    look(flask_app, owner)
    assert len(mails(mailbox, alice)) == 1


def test_who_leaves_the_organisation_takes_the_digest_along(
    alice: Owner,
    key: str,
    owner: Connection,
) -> None:
    rows(owner, "DELETE FROM memberships")
    assert rows(owner, "SELECT FROM digests") == []
