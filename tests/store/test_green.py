"""Waiting for PostgreSQL under gevent: never longer than allowed, and never twice on the same connection."""

import socket
import time
from collections.abc import Iterator

import gevent
import psycopg2
import pytest
from flask import Flask

from app.config import Settings
from app.store import apps, green


@pytest.fixture
def silence() -> Iterator[str]:
    """The address of a server that takes connections and says nothing: a hung or half-open PostgreSQL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgresql://x@127.0.0.1:{server.getsockname()[1]}/x"


def test_a_server_that_says_nothing_is_given_up(flask_app: Flask, silence: str) -> None:
    began = time.monotonic()
    with pytest.raises(psycopg2.OperationalError, match="deadline passed"):
        psycopg2.connect(silence)
    assert time.monotonic() - began < green.CONNECT_SECONDS + 1


def test_an_unanswered_question_closes_its_connection(flask_app: Flask, settings: Settings) -> None:
    connection = psycopg2.connect(settings.database_url)
    with green.within(0.2), connection.cursor() as cursor, pytest.raises(psycopg2.OperationalError):
        cursor.execute("SELECT pg_sleep(5)")
    assert connection.closed


def test_others_go_on_meanwhile_and_the_limit_is_not_theirs(flask_app: Flask, settings: Settings) -> None:
    connection = psycopg2.connect(settings.database_url)

    def ask() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_sleep(0.4)")
            return cursor.fetchone()[0]

    with green.within(0.2):
        asking = gevent.spawn(ask)
        assert asking.get(timeout=5) == 1
    connection.close()


def test_an_inner_limit_cannot_widen_the_outer_one(flask_app: Flask, silence: str) -> None:
    began = time.monotonic()
    with green.within(0.2), green.within(60), pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(silence)
    assert time.monotonic() - began < 1


def test_a_sender_is_not_kept_waiting_by_a_hung_lookup(
    flask_app: Flask, owner: psycopg2.extensions.connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps, "LOOKUP_SECONDS", 0.3)
    owner.autocommit = False
    with owner.cursor() as cursor:
        cursor.execute("LOCK TABLE write_keys IN ACCESS EXCLUSIVE MODE")
    began = time.monotonic()
    answer = flask_app.test_client().post("/api/logs", data=b"{}", headers={"X-API-Key": "lvw_" + "0" * 32})
    took = time.monotonic() - began
    owner.rollback()
    owner.autocommit = True
    assert took < 0.9, "sooner than PostgreSQL's own lock_timeout of a second"
    assert (answer.status_code, answer.get_json()["code"]) == (503, "busy")
    assert answer.headers["Retry-After"]
