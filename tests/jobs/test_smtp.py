"""Handing over a mail: what a server's answer means for the next try, and what is never written down."""

import re
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from email import message_from_string, policy
from email.message import EmailMessage
from typing import Any

import psycopg2
import pytest
from flask import Flask

from app import create_app
from app.config import Settings
from app.jobs import smtp
from app.jobs.queues import Queue
from app.jobs.registry import JobFailed
from app.jobs.run import drain
from tests.auth.visitor import Visitor
from tests.conftest import eventually
from tests.jobs.conftest import MailServer

Start = Callable[..., MailServer]


@pytest.fixture
def mailing(flask_app: Flask, settings: Settings) -> Callable[[str], Visitor]:
    """A visitor of the product that mails through the server at this URL."""

    def through(url: str) -> Visitor:
        return Visitor(create_app(replace(settings, mail_url=url)))

    return through


def send(visitor: Visitor, owner: Any) -> tuple[str, int, str | None]:
    """Let the waiting mail be tried, now; the row's state afterwards."""
    with owner.cursor() as cursor:
        cursor.execute("UPDATE outbox SET not_before = now() WHERE state = 'waiting'")
    with visitor.flask_app.app_context():
        drain(Queue.CRITICAL)
    with owner.cursor() as cursor:
        cursor.execute("SELECT state, attempts, last_error FROM outbox")
        return cursor.fetchone()


def test_the_mail_as_the_server_gets_it(mailing: Any, mail_server: Start, owner: Any) -> None:
    server = mail_server()
    visitor = mailing(server.url)
    visitor.register()
    assert send(visitor, owner) == ("done", 1, None)
    assert server.recipients == [visitor.email]
    (raw,) = server.contents
    mail = message_from_string(raw, policy=policy.default)
    assert mail["To"] == visitor.email
    assert mail["Subject"] == "Confirm your e-mail address"
    assert re.fullmatch(r"<outbox-[a-j]+@localhost>", mail["Message-ID"])
    assert mail["Date"]
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    codes = re.findall(r"\d{6,}", raw)
    assert len(codes) == 2  # once in the text, once in the page, nothing else that looks like one
    assert len(set(codes)) == 1
    assert len(codes[0]) == 8
    assert codes[0] in text.get_content()
    assert f">{codes[0]}<" in html.get_content()
    assert raw.isascii()
    assert all(len(line) < 998 for line in raw.splitlines())


@pytest.mark.parametrize("step", ["GREETING", "MAIL", "RCPT", "DATA", "CONTENT"])
def test_not_now_means_again_and_never_means_never(
    mailing: Any, mail_server: Start, owner: Any, step: str
) -> None:
    server = mail_server(**{step: "451 not now, anna@example.com"})
    visitor = mailing(server.url)
    visitor.register()
    assert send(visitor, owner) == ("waiting", 1, "smtp_451")
    server.answers[step] = "550 no such person, anna@example.com"
    expected = "waiting" if step == "GREETING" else "dead"  # a refused greeting is for the operator to mend
    assert send(visitor, owner) == (expected, 2, "smtp_550")


def test_a_server_that_came_back_delivers_once(mailing: Any, mail_server: Start, owner: Any) -> None:
    server = mail_server(GREETING=None)
    visitor = mailing(server.url)
    visitor.register()
    for n in range(1, 8):
        assert send(visitor, owner)[:2] == ("waiting", n)
    del server.answers["GREETING"]
    server.answers["GREETING"] = "220 hello again"
    assert send(visitor, owner)[0] == "done"
    assert len(server.contents) == 1


def test_a_server_that_breaks_off_after_the_content_gets_it_twice_at_most(
    mailing: Any, mail_server: Start, owner: Any
) -> None:
    server = mail_server(CONTENT=None)
    visitor = mailing(server.url)
    visitor.register()
    assert send(visitor, owner) == ("waiting", 1, "smtp_unsure")
    assert send(visitor, owner) == ("dead", 2, "smtp_unsure")
    assert len(server.contents) == 2
    assert len({message_from_string(raw)["Message-ID"] for raw in server.contents}) == 1


def test_no_server_at_all(mailing: Any, owner: Any) -> None:
    visitor = mailing("smtp://127.0.0.1:1")
    visitor.register()
    assert send(visitor, owner) == ("waiting", 1, "smtp_ConnectionRefusedError")


def test_a_slow_goodbye_is_not_waited_for(mailing: Any, mail_server: Start, owner: Any) -> None:
    server = mail_server(QUIT=None)
    visitor = mailing(server.url)
    visitor.register()
    assert send(visitor, owner) == ("done", 1, None)


def test_the_last_mail_is_the_valid_one_after_a_repetition(
    mailing: Any, mail_server: Start, owner: Any
) -> None:
    server = mail_server(CONTENT=None)
    visitor = mailing(server.url)
    visitor.register()
    send(visitor, owner)
    server.answers["CONTENT"] = "250 fine"
    send(visitor, owner)
    first, second = (re.findall(r"\d{8}", raw)[0] for raw in server.contents)
    assert visitor.verify(first).status_code == 401
    assert visitor.verify(second).status_code == 200


def test_a_code_is_known_before_it_is_mailed(
    mailing: Any, mail_server: Start, owner: Any, settings: Settings
) -> None:
    server = mail_server()
    server.may_greet.clear()
    visitor = mailing(server.url)
    visitor.register()

    def is_known() -> bool:
        with closing(psycopg2.connect(settings.migrate_database_url)) as own, own.cursor() as cursor:
            cursor.execute("SELECT code_hash IS NOT NULL FROM challenges")
            return cursor.fetchone()[0]

    waiting = threading.Timer(0, lambda: eventually(is_known) and server.may_greet.set())
    waiting.start()
    assert send(visitor, owner)[0] == "done"
    waiting.join()


def test_an_international_address_needs_a_server_that_knows_them(
    mailing: Any, mail_server: Start, owner: Any
) -> None:
    server = mail_server()
    visitor = mailing(server.url)
    visitor.email = "jürgen@bücher.example"
    assert visitor.register().status_code == 202
    assert send(visitor, owner) == ("dead", 1, "smtp_no_utf8")
    server.answers["EHLO"] = "250-hello\r\n250 SMTPUTF8"
    visitor.register()
    with visitor.flask_app.app_context():
        drain(Queue.CRITICAL)
    assert server.recipients == ["jürgen@bücher.example"]


def test_a_line_break_in_an_address_is_never_handed_over(
    flask_app: Flask, settings: Settings, mail_server: Start
) -> None:
    server = mail_server()
    with pytest.raises(JobFailed, match="bad_address") as refused:
        smtp.send(
            EmailMessage(), "eve@example.com\r\nBcc: all@example.com", replace(settings, mail_url=server.url)
        )
    assert not refused.value.may_retry
    assert server.recipients == []
