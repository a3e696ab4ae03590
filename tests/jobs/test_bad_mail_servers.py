"""A mail server that refuses, stalls or says no: pages are as fast as ever, and a mail is tried again, not doubled."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.jobs import smtp
from tests.auth.visitor import Visitor, new_address
from tests.conftest import eventually
from tests.jobs.conftest import MailServer, Worker
from tests.jobs.test_smtp import mailing, send  # noqa: F401  (a fixture, here as well)

Start = Callable[..., MailServer]
PAGES = 9


def hang_up(server: MailServer) -> None:
    server.answers["GREETING"] = None


def not_now(server: MailServer) -> None:
    server.answers |= {"GREETING": "220 hello", "RCPT": "450 later"}


def never(server: MailServer) -> None:
    server.answers["RCPT"] = "550 nobody here"


MOODS = {hang_up: "Disconnected", not_now: "450", never: "550"}


def seconds_of_pages(visitor: Visitor) -> float:
    """The median time of a page that has a mail sent."""
    headers, measured = {"X-CSRF-Token": visitor.token()}, []
    for _ in range(PAGES):
        began = time.perf_counter()
        answer = visitor.ask("POST", "/auth/forgot", json={"email": new_address()}, headers=headers)
        measured.append(time.perf_counter() - began)
        assert answer.status_code == 202
    return statistics.median(measured)


def errors(owner: Any) -> set[str]:
    with owner.cursor() as cursor:
        cursor.execute("SELECT DISTINCT last_error FROM outbox WHERE last_error IS NOT NULL")
        return {error for (error,) in cursor}


def is_at_work(owner: Any) -> bool:
    with owner.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM outbox WHERE state = 'running')")
        return cursor.fetchone()[0]


def test_no_mood_of_the_mail_server_slows_a_page(
    mailing: Any,  # noqa: F811
    start_worker: Callable[..., Worker],
    mail_server: Start,
    owner: Any,
) -> None:
    """Mailing on the request's way would cost it the server's answer: in the last mood, eight seconds."""
    server = mail_server()
    visitor: Visitor = mailing(server.url)
    start_worker(MAIL_URL=server.url)
    fine = seconds_of_pages(visitor)
    eventually(lambda: len(server.contents) == PAGES)
    for mood, error in MOODS.items():
        mood(server)
        assert seconds_of_pages(visitor) < 3 * fine, mood.__name__
        eventually(lambda error=error: any(error in one for one in errors(owner)))
    server.may_greet.clear()
    seconds_of_pages(visitor)
    eventually(lambda: is_at_work(owner))
    assert seconds_of_pages(visitor) < 3 * fine, "while the worker waits for a greeting that does not come"
    assert is_at_work(owner)
    assert len(server.contents) == PAGES, "nothing was delivered in between, and nothing twice"


def test_a_server_that_stalls_is_given_up_and_asked_again(
    mailing: Any,  # noqa: F811
    mail_server: Start,
    owner: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smtp, "SECONDS_PER_STEP", 0.3)
    server = mail_server()
    server.may_greet.clear()
    visitor = mailing(server.url)
    visitor.register()
    assert send(visitor, owner) == ("waiting", 1, "smtp_SMTPServerDisconnected")
    server.may_greet.set()
    monkeypatch.undo()
    assert send(visitor, owner) == ("done", 2, None)
    assert len(server.contents) == 1


def test_the_pauses_grow_up_to_a_minute_while_a_person_waits(
    mailing: Any,  # noqa: F811
    mail_server: Start,
    owner: Any,
) -> None:
    visitor = mailing(mail_server(RCPT="451 not now").url)
    visitor.register()
    pauses = []
    for _ in range(5):
        send(visitor, owner)
        with owner.cursor() as cursor:
            cursor.execute("SELECT round(extract(epoch FROM not_before - now())) FROM outbox")
            pauses.append(int(cursor.fetchone()[0]))
    assert pauses == [pytest.approx(expected, abs=2) for expected in (5, 15, 45, 60, 60)]
