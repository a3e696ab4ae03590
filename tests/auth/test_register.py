"""POST /auth/register: nobody is made a user, and nobody learns who is one, before a code comes back."""

import re
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from flask import Flask

from tests.auth.visitor import PASSWORD, Mailbox, Visitor, do_jobs, new_address

Owner = psycopg2.extensions.connection


def rows(owner: Owner, query: str) -> list[Any]:
    with owner.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_a_code_comes_by_mail_and_makes_a_user_who_owns_an_organisation(
    visitor: Visitor, owner: Owner
) -> None:
    answer = visitor.register()
    assert (answer.status_code, answer.get_json()) == (202, {"next": "verify"})
    assert rows(owner, "SELECT email FROM users") == []

    answer = visitor.verify(visitor.mailed_code())
    assert answer.status_code == 200
    assert answer.get_json()["next"] is None
    assert visitor.is_signed_in()
    assert rows(owner, "SELECT email FROM users") == [(visitor.email,)]
    membership = "SELECT role, o.name FROM memberships JOIN organisations o ON o.id = organisation_id"
    assert rows(owner, membership) == [("owner", f"{visitor.email.split('@')[0]}'s organisation")]
    assert len(rows(owner, "SELECT id FROM auth_sessions WHERE revoked_at IS NULL")) == 1


def test_a_known_address_gets_the_same_answer_and_a_mail_without_a_code(
    visitor: Visitor, another: Callable[..., Visitor], mailbox: Mailbox, flask_app: Flask, owner: Owner
) -> None:
    visitor.join()
    stranger, newcomer = another(visitor.email), another()
    known, unknown = stranger.register("nine loud badgers sing"), newcomer.register("nine loud badgers sing")

    assert known.status_code == unknown.status_code == 202
    assert known.data == unknown.data
    # What is left of the allowance counts the requests of one address, whoever asks.
    ignored = {
        "set-cookie",
        "ratelimit-remaining",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "ratelimit-reset",
    }
    assert [h for h in known.headers if h[0].lower() not in ignored] == [
        h for h in unknown.headers if h[0].lower() not in ignored
    ]
    do_jobs(flask_app)
    mail = mailbox(visitor.email)[0]
    assert mail["subject"] == "You already have an account"
    assert not re.search(r"\d{6,}", mail["text"])
    assert stranger.verify("12345678").status_code == 401
    assert len(rows(owner, "SELECT id FROM users")) == 1


def test_known_and_unknown_addresses_cost_the_same_statements(
    visitor: Visitor, another: Callable[..., Visitor], statements: list[str]
) -> None:
    visitor.join()
    known, unknown = another(visitor.email), another()
    known.token()
    unknown.token()
    statements.clear()
    known.register()
    for_known = list(statements)
    statements.clear()
    unknown.register()
    assert for_known == statements
    assert for_known


@pytest.mark.parametrize(
    "email",
    [
        "",
        "nobody",
        "a@b@c.example",
        "a b@example.com",
        "eve@example.com\r\nBcc: all@example.com",
        "x" * 300 + "@example.com",
        ["a@example.com"],
        None,
        7,
    ],
)
def test_what_is_no_address_is_refused(visitor: Visitor, email: Any) -> None:
    answer = visitor.post("/auth/register", {"email": email, "password": PASSWORD})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_email")


def test_one_person_has_one_address_however_it_is_written(
    visitor: Visitor, another: Callable[..., Visitor]
) -> None:
    visitor.join()
    same = another(visitor.email)
    fields = {"email": f" {visitor.email.upper()} ", "password": PASSWORD}
    assert same.post("/auth/login", fields).status_code == 202


def test_a_closed_networks_address_is_one(visitor: Visitor) -> None:
    fields = {"email": "qa@mail.internal", "password": PASSWORD}
    assert visitor.post("/auth/register", fields).status_code == 202


def test_five_mails_an_hour_and_then_the_same_answer_without_one(
    another: Callable[..., Visitor], flask_app: Flask, mailbox: Mailbox, owner: Owner
) -> None:
    email = new_address()
    answers = [another(email).register() for _ in range(7)]
    assert {(a.status_code, a.data) for a in answers} == {(202, answers[0].data)}
    do_jobs(flask_app)
    assert len(mailbox(email)) == 5

    with owner.cursor() as cursor:
        cursor.execute("UPDATE challenges SET created_at = created_at - interval '1 hour'")
    another(email).register()
    do_jobs(flask_app)
    assert len(mailbox(email)) == 6


def test_strangers_who_register_an_address_do_not_keep_its_owner_out(
    visitor: Visitor, another: Callable[..., Visitor]
) -> None:
    visitor.join()
    for _ in range(6):
        another(visitor.email).register()
    returning = another(visitor.email)
    assert returning.login().status_code == 202
    assert returning.verify(returning.mailed_code()).status_code == 200


def test_two_browsers_that_register_one_address_make_one_user(
    visitor: Visitor, another: Callable[..., Visitor], owner: Owner
) -> None:
    second = another(visitor.email)
    visitor.register()
    first_code = visitor.mailed_code()
    second.register("nine loud badgers sing")
    second_code = second.mailed_code()
    assert visitor.verify(first_code).status_code == 200
    assert second.verify(second_code).status_code == 401
    assert len(rows(owner, "SELECT id FROM users")) == 1


def test_a_form_goes_on_to_the_code_and_then_home(visitor: Visitor) -> None:
    answer = visitor.submit("/auth/register", email=visitor.email, password=PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/auth/verify")
    page = visitor.ask("GET", "/auth/verify")
    assert visitor.email in page.text
    answer = visitor.submit("/auth/verify", email=visitor.email, code=visitor.mailed_code())
    assert (answer.status_code, answer.location) == (303, "/dashboard")
    assert visitor.is_signed_in()


def test_a_refused_form_keeps_what_was_typed_and_says_why_beside_the_field(visitor: Visitor) -> None:
    answer = visitor.submit("/auth/register", email=visitor.email, password="short")
    assert answer.status_code == 422
    assert f'value="{visitor.email}"' in answer.text
    assert "at least 12 characters" in answer.text
    assert "short" not in answer.text.replace("shorter", "")
