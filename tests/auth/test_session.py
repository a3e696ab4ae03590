"""The session: who one is, under an id that nobody chose, until one signs out; and without Redis."""

import json
import os
import pickle
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask import Flask, session
from redis import Redis

from app import create_app
from app.auth.require import open_door
from app.config import Settings
from tests.auth.visitor import PASSWORD, Visitor
from tests.conftest import eventually
from tests.world import World

Owner = psycopg2.extensions.connection


def session_keys(redis: Redis) -> set[bytes]:
    return set(redis.scan_iter("session:*"))


def test_the_id_changes_at_sign_in_and_the_old_one_is_dead(visitor: Visitor, redis_operator: Redis) -> None:
    visitor.register()
    before, keys_before = visitor.cookie, session_keys(redis_operator)
    visitor.verify(visitor.mailed_code())
    assert visitor.cookie != before
    assert not session_keys(redis_operator) & keys_before
    assert len(session_keys(redis_operator)) == 1


def test_the_id_changes_after_the_password_and_the_old_one_is_dead(
    visitor: Visitor, redis_operator: Redis
) -> None:
    visitor.join()
    visitor.post("/auth/logout")
    visitor.token()
    before, keys_before = visitor.cookie, session_keys(redis_operator)
    assert visitor.login().status_code == 202
    assert visitor.cookie != before
    assert not session_keys(redis_operator) & keys_before
    assert visitor.verify(visitor.mailed_code()).status_code == 200


def test_the_id_changes_with_the_role_and_the_old_one_is_dead(
    visitor: Visitor, owner: Owner, redis_operator: Redis
) -> None:
    visitor.join()
    assert visitor.is_signed_in()
    before = visitor.cookie
    assert visitor.is_signed_in()
    assert visitor.cookie == before, "nothing changed"
    with owner.cursor() as cursor:
        cursor.execute("UPDATE memberships SET role = 'viewer'")
    eventually(lambda: visitor.is_signed_in() and visitor.cookie != before, seconds=2)
    assert visitor.is_signed_in()
    assert len(session_keys(redis_operator)) == 1


def test_redis_does_not_hold_the_cookie(visitor: Visitor, redis_operator: Redis) -> None:
    visitor.join()
    (key,) = session_keys(redis_operator)
    assert (visitor.cookie or "").encode() not in key + redis_operator.get(key)
    assert set(json.loads(redis_operator.get(key))) <= {"auth_session", "csrf_token", "role", "_permanent"}
    assert 0 < redis_operator.ttl(key) <= 30 * 24 * 3600


def test_a_session_nobody_signed_in_with_is_forgotten_soon(visitor: Visitor, redis_operator: Redis) -> None:
    visitor.token()
    (key,) = session_keys(redis_operator)
    assert 0 < redis_operator.ttl(key) <= 12 * 3600


@pytest.mark.parametrize("chosen", ["A" * 43, "a" * 4000, "../../x", "%00", "session:x"])
def test_a_client_does_not_choose_its_id(visitor: Visitor, chosen: str) -> None:
    visitor.client.set_cookie("session", chosen)
    visitor.token()
    assert visitor.cookie != chosen
    assert len(visitor.cookie or "") == 43


def test_the_cookie_is_closed_to_scripts_and_other_sites(visitor: Visitor) -> None:
    (cookie,) = visitor.ask("GET", "/auth/csrf").headers.getlist("Set-Cookie")
    name, *attributes = cookie.split("; ")
    assert name.startswith("session=")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Lax"}


def test_behind_https_the_cookie_is_bound_to_the_host_also_when_it_goes(settings: Settings) -> None:
    flask_app = create_app(replace(settings, public_url="https://localhost"))
    visitor = Visitor(flask_app)
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
    came = visitor.ask("GET", "/auth/csrf", headers=headers)
    gone = visitor.ask(
        "POST",
        "/auth/logout",
        base_url="https://localhost",
        headers={**headers, "X-CSRF-Token": came.get_json()["csrf_token"], "Origin": "https://localhost"},
    )
    assert gone.status_code == 200
    for answer in (came, gone):
        (cookie,) = answer.headers.getlist("Set-Cookie")
        name, *attributes = cookie.split("; ")
        assert name.startswith("__Host-session=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(attributes)
        assert not any(attribute.startswith("Domain") for attribute in attributes)


def test_sign_out_ends_it_everywhere(visitor: Visitor, owner: Owner, redis_operator: Redis) -> None:
    visitor.join()
    cookie = visitor.cookie
    answer = visitor.post("/auth/logout")
    assert (answer.status_code, answer.get_json()) == (200, {"next": "login"})
    assert answer.headers["Clear-Site-Data"] == '"storage"'
    assert visitor.cookie is None
    visitor.client.set_cookie("session", cookie or "")
    assert not visitor.is_signed_in()
    assert not session_keys(redis_operator)
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auth_sessions WHERE revoked_at IS NULL")
        assert cursor.fetchone() == (0,)


def test_signing_out_twice_is_fine(visitor: Visitor) -> None:
    assert visitor.submit("/auth/logout").location == "/auth/login"
    assert visitor.submit("/auth/logout").status_code == 303


def test_a_revoked_row_ends_the_session_within_a_second(visitor: Visitor, owner: Owner) -> None:
    visitor.join()
    assert visitor.is_signed_in()
    with owner.cursor() as cursor:
        cursor.execute("UPDATE auth_sessions SET revoked_at = now()")
    began = time.monotonic()
    eventually(lambda: not visitor.is_signed_in(), seconds=2)
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE auth_sessions SET last_seen_at = now() - interval '12 hours 1 second'",
        "UPDATE auth_sessions SET created_at = now() - interval '30 days 1 second'",
        "UPDATE users SET disabled_at = now()",
        "DELETE FROM memberships",
        "DELETE FROM auth_sessions",
    ],
    ids=["idle", "too old", "disabled", "no member any more", "gone"],
)
def test_what_ends_a_session(visitor: Visitor, owner: Owner, change: str) -> None:
    visitor.join()
    with owner.cursor() as cursor:
        cursor.execute(change)
    eventually(lambda: not visitor.is_signed_in(), seconds=2)


def test_being_seen_keeps_it_alive_and_is_written_once_a_minute(
    visitor: Visitor, owner: Owner, statements: list[str]
) -> None:
    visitor.join()
    with owner.cursor() as cursor:
        cursor.execute("UPDATE auth_sessions SET last_seen_at = now() - interval '11 hours'")
    visitor.is_signed_in()

    def seen() -> bool:
        visitor.is_signed_in()
        with owner.cursor() as cursor:
            cursor.execute("SELECT last_seen_at > now() - interval '1 minute' FROM auth_sessions")
            return cursor.fetchone()[0]

    eventually(seen, seconds=2)
    statements.clear()
    time_up = time.monotonic() + 1.2  # more than one look at the database
    while time.monotonic() < time_up:
        visitor.is_signed_in()
    assert not [statement for statement in statements if statement.startswith("UPDATE auth_sessions")]


def test_requests_on_their_way_never_bring_a_session_back(
    flask_app: Flask, visitor: Visitor, redis_operator: Redis
) -> None:
    """A request that writes into its session while another one signs out."""
    for _ in range(10):
        person = Visitor(flask_app, visitor.mailbox)
        person.join()
        cookie, token = person.cookie, person.token()

        def write(n: int, cookie: str | None = cookie) -> None:
            double = Visitor(flask_app)
            double.client.set_cookie("session", cookie or "")
            double.ask("GET", "/auth/login", query_string={"next": f"/{n}"})  # stores `next`

        def leave(person: Visitor = person, token: str = token) -> None:
            assert person.post("/auth/logout", X_CSRF_Token=token).status_code == 200

        with ThreadPoolExecutor(9) as threads:
            writers = [threads.submit(write, n) for n in range(4)]
            leaving = threads.submit(leave)
            writers += [threads.submit(write, n) for n in range(4, 8)]
            leaving.result()
            for writer in writers:
                writer.result()
        person.client.set_cookie("session", cookie or "")
        assert not person.is_signed_in()
        assert not [key for key in session_keys(redis_operator) if b"auth_session" in redis_operator.get(key)]


def test_a_pickle_planted_in_redis_is_not_executed(visitor: Visitor, redis_operator: Redis) -> None:
    visitor.join()
    trace = Path(tempfile.mkdtemp()) / "executed"

    class Planted:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (f"touch {trace}",)

    for key in session_keys(redis_operator):
        redis_operator.set(key, pickle.dumps({"auth_session": Planted()}))
    assert not visitor.is_signed_in()
    assert not trace.exists()


@pytest.mark.parametrize("planted", [b"[]", b"{", b"\xff", b'{"auth_session": 7}', b'{"auth_session": "x"}'])
def test_what_is_planted_in_redis_is_no_error(
    visitor: Visitor, redis_operator: Redis, planted: bytes
) -> None:
    visitor.join()
    for key in session_keys(redis_operator):
        redis_operator.set(key, planted)
    assert visitor.ask("GET", "/dashboard").status_code == 303


def test_reading_a_page_writes_no_session(visitor: Visitor, redis_operator: Redis) -> None:
    visitor.join()
    assert visitor.is_signed_in()
    (key,) = session_keys(redis_operator)
    redis_operator.expire(key, 1000)
    assert visitor.is_signed_in()
    assert redis_operator.ttl(key) <= 1000


@pytest.fixture
def without_redis(flask_app: Flask, settings: Settings, tmp_path: Path) -> Flask:
    """The product on the same database, whose Redis is not there."""
    url = f"unix://{tmp_path}/nothing.sock"
    cut_off = create_app(replace(settings, redis_url=url))

    @cut_off.get("/open")
    @open_door
    def look_into_the_session() -> str:
        return str(session.get("x"))

    return cut_off


@pytest.mark.parametrize("path", ["/auth/login", "/auth/register", "/auth/csrf", "/dashboard", "/open"])
def test_without_redis_pages_say_so(without_redis: Flask, path: str) -> None:
    visitor = Visitor(without_redis)
    visitor.client.set_cookie("session", "A" * 43)
    answer = visitor.ask("GET", path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "Events are still taken" in answer.text


def test_without_redis_a_first_visit_says_so_and_leaves_no_cookie(without_redis: Flask) -> None:
    answer = Visitor(without_redis).ask("GET", "/auth/login")
    assert answer.status_code == 503
    assert "Events are still taken" in answer.text
    assert "Set-Cookie" not in answer.headers
    answer = Visitor(without_redis).ask("GET", "/auth/csrf")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "busy")


def test_without_redis_senders_programs_and_probes_notice_nothing(without_redis: Flask, world: World) -> None:
    visitor = Visitor(without_redis)
    visitor.client.set_cookie("session", "A" * 43)
    sent = world.alice.send(visitor.client, {"eventName": "hello"})
    assert sent.status_code == 200
    assert visitor.ask("GET", "/health").status_code == 200
    assert visitor.ask("GET", "/static/nothing.css").status_code == 404
    read = Visitor(without_redis).ask(
        "GET", "/api/apps/shop/summary", headers={"X-API-Key": world.alice.api_key}
    )
    assert read.status_code == 200


def test_when_redis_was_emptied_people_sign_in_again(visitor: Visitor, redis_operator: Redis) -> None:
    visitor.join()
    redis_operator.flushdb()
    assert visitor.ask("GET", "/dashboard").status_code == 303
    assert visitor.login(PASSWORD).status_code == 202
    assert visitor.verify(visitor.mailed_code()).status_code == 200


def test_a_second_sign_in_in_the_same_browser_ends_the_first(visitor: Visitor, owner: Owner) -> None:
    visitor.join()
    visitor.login()
    assert visitor.verify(visitor.mailed_code()).status_code == 200
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*), count(revoked_at) FROM auth_sessions")
        assert cursor.fetchone() == (2, 1)
