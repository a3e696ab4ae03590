"""Brakes on guessing: few tries per account and network, whatever happens to Redis, and never the owner's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest
from flask import Flask
from redis import Redis
from werkzeug.test import TestResponse

from app.auth import brakes
from app.extensions import db
from app.store.brakes import Pace
from tests.auth.test_devices import sign_in, sign_out
from tests.auth.test_reset import NEW_PASSWORD, reset, token_for
from tests.auth.test_verify import other_than
from tests.auth.visitor import PASSWORD, Visitor, new_address

Owner = psycopg2.extensions.connection
Another = Callable[..., Visitor]
WRONG = "eight slow turtles hum"
MOST = brakes.ACCOUNT.most


def run(owner: Owner, statement: str) -> None:
    with owner.cursor() as cursor:
        cursor.execute(statement)


def guess(who: Visitor, times: int = MOST) -> set[int]:
    """Wrong passwords; what they were answered with."""
    return {who.login(WRONG).status_code for _ in range(times)}


def login_from(who: Visitor, address: str, password: str = WRONG) -> TestResponse:
    """As nginx hands it on: with the asker's address."""
    headers = {"X-CSRF-Token": who.token(), "X-Forwarded-For": address}
    fields = {"email": who.email, "password": password}
    return who.ask("POST", "/auth/login", json=fields, headers=headers)


@pytest.mark.parametrize("is_known", [True, False])
def test_ten_wrong_passwords_brake_an_account_known_or_not(
    visitor: Visitor, another: Another, is_known: bool
) -> None:
    if is_known:
        visitor.join()
    stranger = another(visitor.email)
    assert guess(stranger) == {401}
    answer = stranger.login()  # the right one, too: else a guesser would learn which it was
    assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert "15 minutes" in answer.get_json()["message"]
    assert another(visitor.email).login(WRONG).status_code == 429, "it is the account, not the browser"
    assert another().login(WRONG).status_code == 401, "and no other account"


def test_after_a_quarter_of_an_hour_by_the_databases_clock_it_is_let_go(
    visitor: Visitor, another: Another, owner: Owner
) -> None:
    visitor.join()
    stranger = another(visitor.email)
    guess(stranger)
    run(owner, "UPDATE brakes SET began_at = began_at - interval '15 minutes'")
    assert stranger.login(WRONG).status_code == 401
    assert stranger.login().status_code == 202


def test_the_loss_of_redis_gives_no_new_tries(
    visitor: Visitor, another: Another, redis_operator: Redis
) -> None:
    visitor.join()
    guess(another(visitor.email))
    redis_operator.flushall()
    assert another(visitor.email).login().status_code == 429


def test_of_fifty_guesses_at_once_ten_are_looked_at(
    visitor: Visitor, another: Another, flask_app: Flask, owner: Owner
) -> None:
    visitor.join()
    stranger = another(visitor.email)
    csrf, cookie = stranger.token(), stranger.cookie

    def one(_: int) -> int:
        double = Visitor(flask_app, email=visitor.email)
        double.client.set_cookie("session", cookie or "")
        fields = {"email": visitor.email, "password": WRONG}
        return double.post("/auth/login", fields, X_CSRF_Token=csrf).status_code

    with ThreadPoolExecutor(16) as threads:
        codes = list(threads.map(one, range(50)))
    assert set(codes) <= {401, 429, 503}
    assert codes.count(401) <= MOST
    with owner.cursor() as cursor:
        cursor.execute("SELECT max(failures) FROM brakes WHERE kind = 'password'")
        assert cursor.fetchone() == (MOST,)


def test_a_stranger_does_not_lock_out_the_owner_in_a_known_browser(
    visitor: Visitor, another: Another
) -> None:
    sign_out(visitor.join())
    guess(another(visitor.email))
    sign_in(visitor)
    assert visitor.is_signed_in()


def test_nor_an_owner_who_resets_the_password(visitor: Visitor, another: Another) -> None:
    visitor.join()
    guess(another(visitor.email))
    newcomer = another(visitor.email)
    assert reset(newcomer, token_for(newcomer)).status_code == 200
    assert newcomer.login(NEW_PASSWORD).status_code == 202


def test_a_known_browser_has_a_brake_of_its_own(visitor: Visitor, another: Another) -> None:
    """Whoever sits at it, or has copied its cookie, may guess no more than anybody else."""
    sign_out(visitor.join())
    assert guess(visitor) == {401}
    assert visitor.login().status_code == 429
    assert another(visitor.email).login().status_code == 202


def test_a_right_password_takes_its_try_back(visitor: Visitor, another: Another) -> None:
    visitor.join()
    stranger = another(visitor.email)
    for _ in range(3):
        assert guess(stranger, MOST - 1) == {401}
        assert stranger.login().status_code == 202


def test_a_hundred_failures_in_a_row_end_it_until_the_owner_comes_another_way(
    visitor: Visitor, another: Another, owner: Owner
) -> None:
    visitor.join()
    stranger = another(visitor.email)
    assert guess(stranger, 1) == {401}
    run(owner, "UPDATE brakes SET failures = 0, in_a_row = 100")
    answer = stranger.login()
    assert answer.status_code == 429
    run(owner, "UPDATE brakes SET began_at = began_at - interval '29 days'")
    assert stranger.login().status_code == 429
    assert reset(stranger, token_for(stranger)).status_code == 200
    assert stranger.login(NEW_PASSWORD).status_code == 202


@pytest.mark.parametrize(
    ("first", "second", "outside"),
    [
        ("198.51.100.7", "198.51.100.200", "198.51.101.7"),
        ("2001:db8:1:200::1", "2001:db8:1:2ff::9", "2001:db8:1:300::1"),
    ],
)
def test_a_network_that_guesses_at_many_accounts_is_braked(
    visitor: Visitor,
    another: Another,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    second: str,
    outside: str,
) -> None:
    monkeypatch.setattr(brakes, "NETWORK", Pace(most=5, minutes=15, most_in_a_row=2**31 - 1))
    visitor.join()
    assert {login_from(another(), first).status_code for _ in range(5)} == {401}
    assert login_from(another(), second).status_code == 429
    assert login_from(another(), outside).status_code == 401
    assert login_from(visitor, second, PASSWORD).status_code == 202, "the owner, in a known browser"
    assert login_from(another(visitor.email), second, PASSWORD).status_code == 429


def test_what_a_braked_network_tries_is_not_counted_against_the_account(
    visitor: Visitor, another: Another, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brakes, "NETWORK", Pace(most=1, minutes=15, most_in_a_row=2**31 - 1))
    visitor.join()
    login_from(another(), "198.51.100.7")
    assert {login_from(another(visitor.email), "198.51.100.7").status_code for _ in range(MOST)} == {429}
    assert another(visitor.email).login().status_code == 202


def test_known_and_unknown_addresses_cost_the_same_statements(
    visitor: Visitor, another: Another, statements: list[str]
) -> None:
    visitor.join()
    costs = []
    for email in (visitor.email, new_address()):
        stranger = another(email)
        csrf = stranger.token()
        statements.clear()
        fields = {"email": email, "password": WRONG}
        assert stranger.post("/auth/login", fields, X_CSRF_Token=csrf).status_code == 401
        costs.append([statement.rpartition("true); ")[2] for statement in statements])  # without whose rows
    assert costs[0] == costs[1]
    assert len(costs[0]) > 3


def test_who_knows_the_password_gets_few_tries_at_codes_too(
    visitor: Visitor, another: Another, owner: Owner
) -> None:
    visitor.join()
    thief = another(visitor.email)
    for _ in range(MOST // 5):
        assert thief.login().status_code == 202
        wrong = other_than(thief.mailed_code())
        assert {thief.verify(wrong).status_code for _ in range(5)} == {401}
    thief.login()
    code = thief.mailed_code()
    answer = thief.verify(code)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
    sign_in(sign_out(visitor))  # the owner, in a known browser
    run(owner, "UPDATE brakes SET began_at = began_at - interval '15 minutes'")
    assert thief.verify(code).status_code == 200


def test_a_guesser_in_an_open_session_is_braked_and_told_on_the_page(visitor: Visitor) -> None:
    visitor.join()
    fields = {"current": WRONG, "password": NEW_PASSWORD}
    assert {visitor.submit("/account/password", **fields).status_code for _ in range(MOST)} == {422}
    answer = visitor.submit("/account/password", current=PASSWORD, password=NEW_PASSWORD)
    assert answer.status_code == 429
    assert "Retry-After" in answer.headers
    assert "Too many wrong tries" in answer.text


def test_the_form_keeps_what_was_typed_and_says_how_long_to_wait(visitor: Visitor, another: Another) -> None:
    stranger = another(visitor.email)
    guess(stranger)
    answer = stranger.submit("/auth/login", email=stranger.email, password=WRONG)
    assert answer.status_code == 429
    assert f'value="{stranger.email}"' in answer.text
    assert "Wait 15 minutes" in answer.text
    assert "turtles" not in answer.text


def test_the_rows_name_nobody_and_are_forgotten_after_a_month(
    visitor: Visitor, flask_app: Flask, owner: Owner
) -> None:
    guess(visitor, 1)

    def kept() -> list[Any]:
        with owner.cursor() as cursor:
            cursor.execute("SELECT kind, octet_length(whom), position(%s in whom::text) FROM brakes", ("@",))
            return cursor.fetchall()

    assert kept() == [("password", 32, 0)]
    for days, left in ((29, 1), (2, 0)):
        run(owner, f"UPDATE brakes SET began_at = began_at - interval '{days} days'")
        flask_app.extensions["jobs"]["prune_sign_ins"].function(None)
        db.session.commit()
        assert len(kept()) == left
