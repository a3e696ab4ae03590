"""Changes that a cookie speaks for: the session's token, our own origin; and what a body may be."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_wtf.csrf import generate_csrf, validate_csrf
from wtforms import ValidationError

from app.auth.session import end
from tests.auth.visitor import PASSWORD, Visitor

POSTS = ["/auth/register", "/auth/login", "/auth/verify", "/auth/logout"]


def test_one_token_serves_from_the_first_request_to_the_end_of_verify(visitor: Visitor) -> None:
    token = visitor.token()
    fields = {"email": visitor.email, "password": PASSWORD}
    assert visitor.post("/auth/register", fields, X_CSRF_Token=token).status_code == 202
    assert visitor.verify("00000000", X_CSRF_Token=token).status_code == 401
    answer = visitor.verify(visitor.mailed_code(), X_CSRF_Token=token)
    assert answer.status_code == 200

    # Whoever planted the session from before must not know the token of the one after.
    fresh = answer.get_json()["csrf_token"]
    assert visitor.post("/auth/logout", X_CSRF_Token=token).status_code == 400
    assert visitor.post("/auth/logout", X_CSRF_Token=fresh).status_code == 200


def test_a_token_made_before_the_session_ended_is_not_handed_out_after(flask_app: Flask) -> None:
    with flask_app.test_request_context():
        before = generate_csrf()
        end()
        after = generate_csrf()
        assert after != before
        validate_csrf(after)
        with pytest.raises(ValidationError):
            validate_csrf(before)


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("token", ["", "nonsense", "IjEyMyI.aGVsbG8.c2lnbmF0dXJl"])
def test_without_the_token_nothing_happens(visitor: Visitor, path: str, token: str) -> None:
    visitor.token()
    answer = visitor.post(path, {"email": visitor.email, "password": PASSWORD}, X_CSRF_Token=token)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_csrf")


@pytest.mark.parametrize("path", POSTS)
def test_another_sessions_token_is_none(visitor: Visitor, another: Callable[..., Visitor], path: str) -> None:
    visitor.token()
    answer = visitor.post(path, {"email": visitor.email}, X_CSRF_Token=another().token())
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_csrf")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://sub.localhost"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost:8080"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Referer": "https://evil.example/localhost"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_another_origin_is_refused_even_with_the_token(visitor: Visitor, headers: dict[str, str]) -> None:
    answer = visitor.post("/auth/login", {"email": visitor.email}, **headers)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_csrf")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        {"Origin": "http://localhost:80"},
        {"Origin": "http://127.0.0.1:8080", "Host": "127.0.0.1:8080"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Referer": "http://localhost/auth/login"},
    ],
)
def test_every_name_of_this_stack_is_its_own_origin(visitor: Visitor, headers: dict[str, str]) -> None:
    token = visitor.token()
    base = f"http://{headers.get('Host', 'localhost')}"
    visitor.client.set_cookie("session", visitor.cookie or "", domain=base.split("/")[2].rsplit(":", 1)[0])
    answer = visitor.ask(
        "POST", "/auth/login", base_url=base, json={}, headers={**headers, "X-CSRF-Token": token}
    )
    assert answer.get_json()["code"] == "bad_credentials"


def test_an_unknown_host_is_refused(visitor: Visitor) -> None:
    answer = visitor.ask("GET", "/auth/login", base_url="http://evil.example")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "unknown_host")


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml"])
def test_only_forms_and_json_are_read(visitor: Visitor, content_type: str) -> None:
    answer = visitor.ask(
        "POST",
        "/auth/login",
        data=b'{"email": "a@example.com"}',
        headers={"Content-Type": content_type, "X-CSRF-Token": visitor.token(), "Accept": "application/json"},
    )
    assert (answer.status_code, answer.get_json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b"[]", 400, "bad_json"),
        (b'"x"', 400, "bad_json"),
        (b"[" * 10_000, 400, "bad_json"),
        (b'{"email": "\\ud800"}', 400, "bad_json"),
        (b'{"email": NaN}', 400, "bad_json"),
        (b'{"password": "' + b"x" * 1_000_000 + b'"}', 413, "too_large"),
    ],
)
def test_a_broken_body_is_refused(visitor: Visitor, body: bytes, status: int, code: str) -> None:
    headers = {"Content-Type": "application/json", "X-CSRF-Token": visitor.token()}
    answer = visitor.ask("POST", "/auth/login", data=body, headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_a_field_that_comes_twice_is_refused(visitor: Visitor) -> None:
    pairs = f"email=a@example.com&email=b@example.com&password=x&csrf_token={visitor.token()}"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    answer = visitor.ask("POST", "/auth/login", data=pairs, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "extra", [{"role": "admin"}, {"organisation_id": "1"}, {"user_id": "1"}, {"id": "1"}]
)
def test_fields_that_nobody_asked_for_change_nothing(
    visitor: Visitor, owner: Any, extra: dict[str, str]
) -> None:
    fields = {"email": visitor.email, "password": PASSWORD, **extra}
    assert visitor.post("/auth/register", fields).status_code == 202
    answer = visitor.post("/auth/verify", {"email": visitor.email, "code": visitor.mailed_code(), **extra})
    assert answer.status_code == 200
    with owner.cursor() as cursor:
        cursor.execute("SELECT role, user_id > 0 FROM memberships")
        assert cursor.fetchall() == [("owner", True)]


def test_a_form_that_is_too_old_says_what_to_do(visitor: Visitor) -> None:
    answer = visitor.ask("POST", "/auth/login", data={"email": visitor.email, "csrf_token": "old"})
    assert answer.status_code == 400
    assert "Reload the page" in answer.text


def test_reading_changes_nothing(flask_app: Flask, visitor: Visitor, owner: Any) -> None:
    visitor.join()

    def counts() -> list[int]:
        with owner.cursor() as cursor:
            tables = ("users", "organisations", "memberships", "auth_sessions", "challenges", "outbox")
            cursor.execute(" UNION ALL ".join(f"SELECT count(*) FROM {table}" for table in tables))
            return [n for (n,) in cursor]

    before = counts()
    for path in ("/auth/csrf", "/auth/login", "/auth/register", "/auth/verify", "/dashboard"):
        assert visitor.ask("GET", path).status_code < 400
    assert visitor.ask("GET", "/auth/logout").status_code == 405
    assert counts() == before
    assert visitor.is_signed_in()
