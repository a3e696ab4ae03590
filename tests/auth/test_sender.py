"""Who sends: a known key costs no question; a revoked key and a new plan count within a second."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.auth import keys, sender
from app.config import Settings
from app.extensions import db
from tests.auth.visitor import Visitor
from tests.conftest import eventually
from tests.world import World

EVENT = {"eventName": "hello"}


def sends(client: FlaskClient, world: World) -> int:
    return world.alice.send(client, EVENT).status_code


def test_a_revoked_key_is_refused_within_a_second(client: FlaskClient, world: World, owner: Any) -> None:
    assert sends(client, world) == 200
    with owner.cursor() as cursor:
        cursor.execute("UPDATE write_keys SET revoked_at = now()")
    began = time.monotonic()
    eventually(lambda: sends(client, world) == 401, seconds=2)
    assert time.monotonic() - began < 1.0


def test_an_expired_key_is_refused(client: FlaskClient, world: World, owner: Any) -> None:
    with owner.cursor() as cursor:
        cursor.execute("UPDATE write_keys SET expires_at = now() - interval '1 second'")
    assert sends(client, world) == 401


def test_of_two_living_keys_either_sends_and_one_may_go(
    client: FlaskClient, world: World, owner: Any
) -> None:
    minted = keys.mint(keys.Kind.WRITE)
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO write_keys (organisation_id, app_id, key_hash, prefix) VALUES (%s, %s, %s, %s)",
            (world.alice.organisation_id, world.alice.app.id, minted.hash, minted.prefix),
        )
    headers = {"X-API-Key": minted.key}
    assert client.post("/api/logs", json=EVENT, headers=headers).status_code == 200
    with owner.cursor() as cursor:
        old = keys.hashed(world.alice.write_key)
        cursor.execute("UPDATE write_keys SET revoked_at = now() WHERE key_hash = %s", (old,))
    eventually(lambda: sends(client, world) == 401, seconds=2)
    assert client.post("/api/logs", json=EVENT, headers=headers).status_code == 200


def test_a_new_key_works_at_once_even_if_it_was_guessed_before(
    client: FlaskClient, world: World, owner: Any
) -> None:
    minted = keys.mint(keys.Kind.WRITE)
    headers = {"X-API-Key": minted.key}
    assert client.post("/api/logs", json=EVENT, headers=headers).status_code == 401
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO write_keys (organisation_id, app_id, key_hash, prefix) VALUES (%s, %s, %s, %s)",
            (world.alice.organisation_id, world.alice.app.id, minted.hash, minted.prefix),
        )
    eventually(lambda: client.post("/api/logs", json=EVENT, headers=headers).status_code == 200, seconds=1)


def test_a_published_plan_is_known_within_a_second(flask_app: Flask, world: World, owner: Any) -> None:
    def version() -> int | None:
        with flask_app.test_request_context(headers={"X-API-Key": world.alice.write_key}):
            sender.admit()
            return flask_app.extensions["senders"].recall(keys.hashed(world.alice.write_key)).app.plan_version

    assert version() is None
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tracking_plans (organisation_id, name, current_version)"
            " VALUES (%s, 'p', 7) RETURNING id",
            (world.alice.organisation_id,),
        )
        cursor.execute(
            "UPDATE apps SET plan_id = %s WHERE id = %s", (cursor.fetchone()[0], world.alice.app.id)
        )
    began = time.monotonic()
    eventually(lambda: version() == 7, seconds=2)
    assert time.monotonic() - began < 1.0


def test_a_known_key_costs_microseconds(flask_app: Flask, world: World) -> None:
    with flask_app.test_request_context("/api/logs", headers={"X-API-Key": world.alice.write_key}):
        sender.admit()
        began = time.perf_counter()
        for _ in range(1000):
            sender.admit()
        each = (time.perf_counter() - began) / 1000
    assert each < 100e-6  # about 8 µs on an idle core; a question to PostgreSQL would be 400


def test_one_question_serves_all_who_come_meanwhile(
    flask_app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = []
    original = sender.apps.by_write_key_hash

    def slow(key_hash: bytes) -> Any:
        questions.append(key_hash)
        time.sleep(0.1)  # the others are to arrive while this one is under way
        return original(key_hash)

    monkeypatch.setattr(sender.apps, "by_write_key_hash", slow)
    answers: list[int] = []

    def ask() -> None:
        visitor = Visitor(flask_app)
        headers = {"X-API-Key": world.alice.write_key}
        answers.append(visitor.ask("POST", "/api/logs/nothing", json=EVENT, headers=headers).status_code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [404] * 8
    assert len(questions) == 1


@pytest.fixture
def outage(operator: Mapping[str, str], settings: Settings) -> Iterator[Callable[[], None]]:
    """Takes this process's database away from whoever is not connected as its owner, until the test ends."""
    name = urlsplit(settings.database_url).path.removeprefix("/")
    administrator = psycopg2.connect(operator["admin_dsn"])
    administrator.autocommit = True

    def begin() -> None:
        with administrator.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND usename <> 'live_validation_migrate'",
                (name,),
            )

    yield begin
    with administrator.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    administrator.close()


def test_while_postgresql_is_away_a_known_sender_stays_known_and_others_are_told_busy(
    flask_app: Flask, settings: Settings, world: World, outage: Callable[[], None]
) -> None:
    visitor = Visitor(create_app(replace(settings)))

    def ask(key: str) -> tuple[int, str]:
        answer = visitor.ask("POST", "/api/logs/nothing", json=EVENT, headers={"X-API-Key": key})
        return answer.status_code, answer.get_json()["code"]

    assert ask(world.alice.write_key) == (404, "unknown_app")
    db.session.remove()
    outage()
    ends_at = time.monotonic() + 1.2  # well beyond the half second for which nobody is asked
    while time.monotonic() < ends_at:
        assert ask(world.alice.write_key) == (404, "unknown_app")
    assert ask(world.charlie.write_key) == (503, "busy")
