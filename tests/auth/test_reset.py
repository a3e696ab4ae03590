"""Forgotten passwords: a mailed link sets a new one, once, for half an hour, and the old one opens nothing any more."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.config import Settings
from app.extensions import db
from app.jobs.queues import Queue
from app.store.outbox import Claim
from tests.auth.visitor import Mailbox, Visitor, do_jobs, new_address

Owner = psycopg2.extensions.connection
NEW_PASSWORD = "nine loud badgers sing"
PARALLEL = 50


def rows(owner: Owner, query: str) -> list[Any]:
    with owner.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def ask(who: Visitor) -> TestResponse:
    return who.post("/auth/forgot", {"email": who.email})


def mailed(who: Visitor) -> dict[str, str]:
    """The newest mail to this address, once all that wait are sent."""
    do_jobs(who.flask_app)
    assert who.mailbox is not None
    return who.mailbox(who.email)[0]


def link_in(mail: dict[str, str]) -> str:
    (link,) = re.findall(r"http\S+/auth/reset#\S+", mail["text"])
    return link


def token_for(who: Visitor) -> str:
    """Ask, and read the mailed link's token."""
    assert ask(who).status_code == 202
    return link_in(mailed(who)).partition("#")[2]


def reset(who: Visitor, token: Any, password: str = NEW_PASSWORD) -> TestResponse:
    return who.post("/auth/reset", {"token": token, "password": password})


def test_a_mailed_link_sets_a_new_password(visitor: Visitor, another: Callable[..., Visitor]) -> None:
    visitor.join()
    forgetful = another(visitor.email)
    answer = ask(forgetful)
    assert (answer.status_code, answer.get_json()) == (202, {"next": "reset"})
    answer = reset(forgetful, link_in(mailed(forgetful)))  # as pasted, with the address around it
    assert (answer.status_code, answer.get_json()) == (200, {"next": "login"})
    assert not forgetful.is_signed_in(), "a link is no second step"
    assert forgetful.login().status_code == 401
    assert forgetful.login(NEW_PASSWORD).status_code == 202
    assert forgetful.verify(forgetful.mailed_code()).status_code == 200


def test_the_link_is_long_hashed_and_built_from_the_public_url_alone(
    visitor: Visitor, owner: Owner, settings: Settings, redis_operator: Any
) -> None:
    visitor.join()
    fields = {"email": visitor.email}
    lies = {"X_Forwarded_Host": "evil.example", "Forwarded": "host=evil.example"}
    assert visitor.post("/auth/forgot", fields, **lies).status_code == 202
    link = link_in(mailed(visitor))
    address, _, token = link.partition("#")
    assert address == f"{settings.public_url.rstrip('/')}/auth/reset"
    assert len(token) >= 32, "of 52 letters: 182 bits"
    kept = str(rows(owner, "SELECT r::text FROM reset_links r UNION ALL SELECT o::text FROM outbox o"))
    stored = b"".join(redis_operator.dump(key) or b"" for key in redis_operator.scan_iter())
    assert token not in kept
    assert token.encode() not in stored
    assert rows(owner, "SELECT octet_length(token_hash) FROM reset_links") == [(32,)]
    assert token_for(visitor) != token


def test_opening_the_link_changes_nothing(visitor: Visitor) -> None:
    """Mail programs open links, too."""
    visitor.join()
    token = token_for(visitor)
    assert visitor.ask("GET", "/auth/reset").status_code == 200
    assert reset(visitor, token).status_code == 200


def test_a_link_works_once(visitor: Visitor) -> None:
    visitor.join()
    token = token_for(visitor)
    assert reset(visitor, token).status_code == 200
    again = reset(visitor, token, "ten brave herons dance")
    assert (again.status_code, again.get_json()["code"]) == (401, "bad_link")
    assert visitor.login(NEW_PASSWORD).status_code == 202


def test_fifty_uses_at_once_set_one_password(visitor: Visitor, flask_app: Flask, owner: Owner) -> None:
    visitor.join()
    token = token_for(visitor)
    csrf, cookie = visitor.token(), visitor.cookie

    def use(number: int) -> int:
        double = Visitor(flask_app, email=visitor.email)
        double.client.set_cookie("session", cookie or "")
        fields = {"token": token, "password": f"{NEW_PASSWORD} {number}"}
        return double.post("/auth/reset", fields, X_CSRF_Token=csrf).status_code

    with ThreadPoolExecutor(16) as threads:
        codes = list(threads.map(use, range(PARALLEL)))
    assert codes.count(200) == 1
    assert set(codes) <= {200, 401, 503}  # 503: more at once than there are connections or turns to hash
    do_jobs(flask_app)
    assert len(rows(owner, "SELECT id FROM outbox WHERE job = 'mail_alert'")) == 1


def test_a_link_dies_after_half_an_hour_by_the_databases_clock(visitor: Visitor, owner: Owner) -> None:
    visitor.join()
    token = token_for(visitor)
    assert (
        1790
        <= rows(owner, "SELECT extract(epoch FROM expires_at - now())::int FROM reset_links")[0][0]
        <= 1800
    )
    with owner.cursor() as cursor:
        cursor.execute("UPDATE reset_links SET expires_at = now() - interval '1 second'")
    assert reset(visitor, token).status_code == 401
    assert visitor.login().status_code == 202


def test_the_half_hour_begins_with_the_mail(visitor: Visitor, owner: Owner) -> None:
    visitor.join()
    ask(visitor)
    with owner.cursor() as cursor:  # the mail server was away for forty minutes
        cursor.execute(
            "UPDATE reset_links SET created_at = created_at - interval '40 minutes',"
            " expires_at = expires_at - interval '40 minutes'"
        )
    assert reset(visitor, link_in(mailed(visitor))).status_code == 200


def test_a_newer_link_kills_the_older(visitor: Visitor) -> None:
    visitor.join()
    first, second = token_for(visitor), token_for(visitor)
    assert reset(visitor, first).status_code == 401
    assert reset(visitor, second).status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: "",
        lambda t: t[:-1],
        lambda t: t.swapcase(),
        lambda t: t + "a",
        lambda t: [t],
        lambda t: None,
        lambda t: "x" * 100_000,
        lambda t: "a" * 32,
        lambda t: t[:-1] + "é",
    ],
)
def test_what_is_not_the_token_sets_nothing(visitor: Visitor, spoil: Callable[[str], Any]) -> None:
    visitor.join()
    answer = visitor.post("/auth/reset", {"token": spoil(token_for(visitor)), "password": NEW_PASSWORD})
    assert answer.status_code in (401, 413)
    assert visitor.login().status_code == 202


def test_a_refused_password_leaves_the_link_as_it_was(visitor: Visitor) -> None:
    visitor.join()
    token = token_for(visitor)
    refused = reset(visitor, token, "password1234")
    assert (refused.status_code, refused.get_json()["code"]) == (422, "weak_password")
    assert reset(visitor, token).status_code == 200


def test_in_the_form_the_reason_stands_beside_the_field_and_the_token_stays(visitor: Visitor) -> None:
    visitor.join()
    token = token_for(visitor)
    answer = visitor.submit("/auth/reset", token=token, password="too short")
    assert answer.status_code == 422
    assert f'value="{token}"' in answer.text
    assert 'id="password-error"' in answer.text
    assert "too short" not in answer.text
    answer = visitor.submit("/auth/reset", token=token, password=NEW_PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/auth/login?done=reset")
    assert "Your password is changed" in visitor.ask("GET", answer.location).text


def test_a_new_password_ends_every_session_code_and_link_and_tells_its_owner(
    visitor: Visitor, another: Callable[..., Visitor], mailbox: Mailbox, owner: Owner
) -> None:
    visitor.join()
    elsewhere = another(visitor.email)
    elsewhere.login()
    code = elsewhere.mailed_code()
    forgetful = another(visitor.email)
    assert visitor.is_signed_in()
    assert reset(forgetful, token_for(forgetful)).status_code == 200
    visitor.flask_app.extensions["live_sessions"]._remembered.clear()
    assert not visitor.is_signed_in()
    assert elsewhere.verify(code).status_code == 401
    assert rows(owner, "SELECT id FROM reset_links WHERE used_at IS NULL") == []
    mail = mailed(forgetful)
    assert mail["subject"] == "Your password was changed"
    assert "/auth/forgot" in mail["text"]
    assert not re.search(r"\d{6,}", mail["text"])
    written = "SELECT details FROM audit_log WHERE action = 'account_changed' AND organisation_id IS NOT NULL"
    assert rows(owner, written) == [({"by": "link"},)]


def test_known_unknown_and_disabled_addresses_are_answered_alike(
    visitor: Visitor, another: Callable[..., Visitor], mailbox: Mailbox, owner: Owner, statements: list[str]
) -> None:
    visitor.join()
    disabled = another().join()
    with owner.cursor() as cursor:
        cursor.execute("UPDATE users SET disabled_at = now() WHERE email = %s", (disabled.email,))
    answers, costs = [], []
    people = [another(email) for email in (visitor.email, new_address(), disabled.email)]
    for who in people:
        token = who.token()
        statements.clear()
        answer = who.post("/auth/forgot", {"email": who.email}, X_CSRF_Token=token)
        costs.append(list(statements))
        answers.append((answer.status_code, answer.data))
    assert answers[0] == answers[1] == answers[2]
    assert costs[0] == costs[1] == costs[2]
    assert costs[0]
    subjects = [mailed(who)["subject"] for who in people]
    nobody = "No account with this address"
    assert subjects == ["Choose a new password", nobody, nobody]
    assert "/auth/register" in mailed(people[1])["text"]


def test_five_mails_an_hour_and_then_the_same_answer_without_one(
    another: Callable[..., Visitor], mailbox: Mailbox, flask_app: Flask, owner: Owner
) -> None:
    email = new_address()
    answers = [ask(another(email)) for _ in range(7)]
    assert {(a.status_code, a.data) for a in answers} == {(202, answers[0].data)}
    do_jobs(flask_app)
    assert len(mailbox(email)) == 5
    with owner.cursor() as cursor:
        cursor.execute("UPDATE reset_links SET created_at = created_at - interval '1 hour'")
    ask(another(email))
    do_jobs(flask_app)
    assert len(mailbox(email)) == 6


@pytest.mark.parametrize(
    "email", ["", "nobody", "eve@example.com\r\nBcc: all@example.com", None, ["a@b.example"]]
)
def test_what_is_no_address_is_said_beside_the_field(visitor: Visitor, email: Any) -> None:
    answer = visitor.post("/auth/forgot", {"email": email})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_email")
    if isinstance(email, str):
        assert 'id="email-error"' in visitor.submit("/auth/forgot", email=email).text


def test_a_link_asked_for_an_hour_ago_is_not_mailed_any_more(visitor: Visitor, owner: Owner) -> None:
    visitor.join()
    ask(visitor)
    with owner.cursor() as cursor:
        cursor.execute("UPDATE reset_links SET created_at = created_at - interval '61 minutes'")
    assert mailed(visitor)["subject"] != "Choose a new password"


def test_links_of_yesterday_are_forgotten(visitor: Visitor, owner: Owner) -> None:
    ask(visitor)
    with owner.cursor() as cursor:
        cursor.execute("UPDATE reset_links SET created_at = created_at - interval '25 hours'")
    ask(visitor)
    claim = Claim(0, Queue.LOW.value, "prune_sign_ins", {}, 1, None, None, datetime.now(UTC))
    visitor.flask_app.extensions["jobs"]["prune_sign_ins"].function(claim)
    db.session.commit()  # as the worker does
    assert rows(owner, "SELECT count(*) FROM reset_links") == [(1,)]
