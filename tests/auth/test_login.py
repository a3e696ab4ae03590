"""POST /auth/login: a password earns a code, and a wrong one says nothing about who exists."""

import statistics
import time
from collections.abc import Callable

import psycopg2
import pytest
from argon2 import PasswordHasher

from app.auth import brakes
from app.store.brakes import Pace
from tests.auth.visitor import PASSWORD, Visitor, new_address

Owner = psycopg2.extensions.connection


def test_password_and_code_sign_in(visitor: Visitor, another: Callable[..., Visitor]) -> None:
    visitor.join()
    returning = another(visitor.email)
    answer = returning.login()
    assert (answer.status_code, answer.get_json()) == (202, {"next": "verify"})
    assert not returning.is_signed_in()
    assert returning.verify(returning.mailed_code()).status_code == 200
    assert returning.is_signed_in()


def test_unknown_wrong_and_disabled_are_answered_alike(
    visitor: Visitor, another: Callable[..., Visitor], owner: Owner
) -> None:
    visitor.join()
    disabled = another().join()
    with owner.cursor() as cursor:
        cursor.execute("UPDATE users SET disabled_at = now() WHERE email = %s", (disabled.email,))
    answers = [
        another(visitor.email).login("eight slow turtles hum"),
        another().login(),
        another("no address").login(),
        another(disabled.email).login(),
        another(visitor.email).login("x" * 5000),
    ]
    assert {(a.status_code, a.data) for a in answers} == {(401, answers[0].data)}
    assert answers[0].get_json()["code"] == "bad_credentials"


def test_an_unknown_address_takes_as_long_as_a_wrong_password(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.join()
    visitor.client.delete_cookie("device")  # a stranger's browser has none
    monkeypatch.setattr(brakes, "ACCOUNT", Pace(most=1000, minutes=15, most_in_a_row=1000))
    known, unknown = visitor.email, new_address()
    token = visitor.token()
    seconds: dict[str, list[float]] = {known: [], unknown: []}
    for _ in range(15):
        for email, measured in seconds.items():
            began = time.perf_counter()
            fields = {"email": email, "password": "eight slow turtles hum"}
            assert visitor.post("/auth/login", fields, X_CSRF_Token=token).status_code == 401
            measured.append(time.perf_counter() - began)
    # Without the hash for nobody the ratio is about 0.1; the margin is for a busy machine.
    ratio = statistics.median(seconds[unknown]) / statistics.median(seconds[known])
    assert 0.6 < ratio < 1.6


@pytest.mark.parametrize("wrong", [PASSWORD.upper(), f" {PASSWORD}", f"{PASSWORD} ", PASSWORD[:-1], "", "\0"])
def test_a_password_is_compared_to_the_byte(
    visitor: Visitor, another: Callable[..., Visitor], wrong: str
) -> None:
    visitor.join()
    assert another(visitor.email).login(wrong).status_code == 401


def test_the_form_keeps_the_address_and_never_the_password(visitor: Visitor) -> None:
    answer = visitor.submit("/auth/login", email=visitor.email, password="eight slow turtles hum")
    assert answer.status_code == 401
    assert f'value="{visitor.email}"' in answer.text
    assert "do not belong together" in answer.text
    assert "turtles" not in answer.text


def test_a_hash_of_weaker_times_is_renewed(
    visitor: Visitor, another: Callable[..., Visitor], owner: Owner
) -> None:
    visitor.join()
    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    with owner.cursor() as cursor:
        cursor.execute("UPDATE users SET password_hash = %s", (weak,))
    assert another(visitor.email).login().status_code == 202
    with owner.cursor() as cursor:
        cursor.execute("SELECT password_hash FROM users")
        (renewed,) = cursor.fetchone()
    assert "$m=19456,t=2,p=1$" in renewed
    assert another(visitor.email).login().status_code == 202


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/apps/shop?verdict=invalid", "/apps/shop?verdict=invalid"),
        ("//evil.example", "/dashboard"),
        ("/\\evil.example", "/dashboard"),
        ("https://evil.example/", "/dashboard"),
        ("https:evil.example", "/dashboard"),
        ("javascript:alert(1)", "/dashboard"),
        ("/a\r\nSet-Cookie: x=1", "/dashboard"),
        ("\t//evil.example", "/dashboard"),
        ("", "/dashboard"),
    ],
)
def test_after_signing_in_one_lands_where_one_wanted_if_that_is_here(
    visitor: Visitor, another: Callable[..., Visitor], wanted: str, location: str
) -> None:
    visitor.join()
    returning = another(visitor.email)
    returning.ask("GET", "/auth/login", query_string={"next": wanted})
    returning.submit("/auth/login", email=returning.email, password=PASSWORD)
    answer = returning.submit("/auth/verify", email=returning.email, code=returning.mailed_code())
    assert (answer.status_code, answer.location) == (303, location)


def test_who_is_signed_in_already_goes_home(visitor: Visitor) -> None:
    visitor.join()
    for path in ("/auth/login", "/auth/register"):
        answer = visitor.ask("GET", path)
        assert (answer.status_code, answer.location) == (303, "/dashboard")
