"""The sessions' Redis flushed, killed or hung: people sign in again, or wait, and nothing else happens."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from app import create_app
from app.config import Settings
from local.places import Places
from local.valkey import Valkey
from tests.auth.visitor import Mailbox, Visitor, do_jobs
from tests.conftest import eventually
from tests.world import World

ANSWERS_WITHIN_SECONDS = 2.0  # generous: what is bounded is each wait for Redis, to a quarter of a second


class OwnRedis:
    """A Redis that may be ended and stopped without harm to other tests."""

    def __init__(self, folder: Path) -> None:
        self.valkey = Valkey("redis", Places.prepare(folder))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self.valkey.program().argv, stdout=subprocess.DEVNULL)
        eventually(self.valkey.answers)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def flush(self) -> None:
        with Redis.from_url(self.valkey.operator_url) as operator:
            operator.flushall()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    own = OwnRedis(tmp_path / "var")
    own.start()
    yield own
    own.send(signal.SIGCONT)
    own.kill()


@pytest.fixture
def person(flask_app: Flask, settings: Settings, own_redis: OwnRedis, mailbox: Mailbox) -> Visitor:
    """Somebody signed in to a product whose sessions are in the Redis that will be lost."""
    return Visitor(create_app(replace(settings, redis_url=own_redis.valkey.url)), mailbox).join()


def facts(owner: Any) -> list[Any]:
    """Everything about people and their sessions that PostgreSQL holds, but for when they were last seen."""
    with owner.cursor() as cursor:
        cursor.execute("SELECT id, email, password_hash, disabled_at FROM users ORDER BY id")
        people = cursor.fetchall()
        cursor.execute("SELECT id, user_id, organisation_id, revoked_at FROM auth_sessions ORDER BY id")
        sessions = cursor.fetchall()
        cursor.execute("SELECT * FROM memberships ORDER BY 1, 2")
        return [people, sessions, cursor.fetchall()]


def timed(ask: Callable[[], Any]) -> Any:
    began = time.monotonic()
    answer = ask()
    assert time.monotonic() - began < ANSWERS_WITHIN_SECONDS
    return answer


def assert_only_people_wait(person: Visitor, world: World) -> None:
    """Pages say so and leave the cookie alone; senders and programs notice nothing."""
    page = timed(lambda: person.ask("GET", "/dashboard"))
    assert page.status_code == 503
    assert "Events are still taken" in page.text
    assert page.headers["Retry-After"]
    assert "Set-Cookie" not in page.headers
    client = person.flask_app.test_client()
    assert timed(lambda: world.alice.send(client, {"eventName": "e"})).status_code == 200
    assert timed(lambda: world.alice.get(client, "/api/apps/shop/summary")).status_code == 200


def test_flushed(person: Visitor, own_redis: OwnRedis, owner: Any) -> None:
    before, cookie = facts(owner), person.cookie
    own_redis.flush()
    assert person.ask("GET", "/dashboard").status_code == 303
    assert facts(owner) == before, "nothing but the way to the row was lost"
    assert person.login().status_code == 202
    assert person.verify(person.mailed_code()).status_code == 200
    assert person.cookie != cookie, "the old id is not taken up again"
    assert person.is_signed_in()


def test_flushed_between_password_and_code(person: Visitor, own_redis: OwnRedis, owner: Any) -> None:
    person.post("/auth/logout")
    person.login()
    code = person.mailed_code()
    own_redis.flush()
    assert person.verify(code).status_code == 401, "the code was for a browser that nobody knows any more"
    person.login()
    assert person.verify(person.mailed_code()).status_code == 200


def test_killed_and_back(person: Visitor, own_redis: OwnRedis, world: World, owner: Any) -> None:
    before = facts(owner)
    own_redis.kill()
    assert_only_people_wait(person, world)
    assert facts(owner) == before
    own_redis.start()
    # A kill costs at most the log's last second: this person is still signed in, or is asked to sign in again.
    eventually(lambda: person.ask("GET", "/dashboard").status_code in (200, 303))


def test_hung_and_awake(person: Visitor, own_redis: OwnRedis, world: World, owner: Any) -> None:
    before = facts(owner)
    own_redis.send(signal.SIGSTOP)
    assert_only_people_wait(person, world)
    assert facts(owner) == before
    own_redis.send(signal.SIGCONT)
    eventually(person.is_signed_in)


def test_a_sign_out_that_redis_did_not_hear_of_is_not_answered_as_done(
    person: Visitor, own_redis: OwnRedis
) -> None:
    token = person.token()
    own_redis.send(signal.SIGSTOP)
    answer = timed(lambda: person.post("/auth/logout", X_CSRF_Token=token))
    assert answer.status_code == 503
    own_redis.send(signal.SIGCONT)
    eventually(lambda: person.post("/auth/logout").status_code == 200)
    assert not person.is_signed_in()


def test_mails_and_jobs_need_no_session(person: Visitor, own_redis: OwnRedis, mailbox: Mailbox) -> None:
    person.post("/auth/logout")
    person.login()
    own_redis.kill()
    before = len(mailbox(person.email))
    do_jobs(person.flask_app)
    assert len(mailbox(person.email)) == before + 1
    own_redis.start()
