"""What an installation must be like: each unsafe thing stops the start, what is away does not, and all is explained."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from app import create_app, doctor, health
from app.config import ConfigurationError, Settings
from app.extensions import db
from app.jobs.queues import Queue
from app.store import budget, schema
from tests.conftest import ROOT, Stack, eventually, free_port, with_database

NOWHERE = "postgresql://live_validation_app:secret-word@127.0.0.1:1/nowhere"


def codes(flask_app: Flask, check: Callable[[], Iterator[doctor.Finding]]) -> list[str]:
    with flask_app.app_context():
        return [finding.code for finding in check()]


@contextmanager
def changed(operator: Mapping[str, Any], do: str, undo: str, reload: bool = False) -> Iterator[None]:
    """The server is otherwise for a while; connections that are open know nothing of it."""
    with closing(psycopg2.connect(with_database(operator["admin_dsn"], "test"))) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            try:
                for statement in (do, *(["SELECT pg_reload_conf()"] if reload else [])):
                    cursor.execute(statement)
                yield
            finally:
                for statement in (undo, *(["SELECT pg_reload_conf()"] if reload else [])):
                    cursor.execute(statement)


@pytest.fixture
def fresh(settings: Settings, assembled: Flask) -> Iterator[Callable[..., Flask]]:
    """The product anew, with settings of the test's own and connections that nobody used before."""
    made = []

    def one(**given: Any) -> Flask:
        made.append(create_app(replace(settings, **given)))
        return made[-1]

    yield one
    for flask_app in made:
        with flask_app.app_context():
            for engine in db.engines.values():
                engine.dispose()
        for name in ("state_redis", "cache_redis"):
            flask_app.extensions[name].connection_pool.disconnect()


def test_a_good_installation_has_nothing(fresh: Callable[..., Flask]) -> None:
    flask_app = fresh()
    for check in (
        doctor.secrets,
        doctor.postgres,
        doctor.ingest,
        doctor.connections,
        doctor.redis,
        doctor.redis_cache,
        doctor.mail,
    ):
        assert codes(flask_app, check) == []
    doctor.refuse_unsafe(flask_app)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_database_that_may_lose_what_was_answered_is_refused(
    fresh: Callable[..., Flask], client: FlaskClient, operator: Mapping[str, Any], setting: str
) -> None:
    flask_app = fresh()
    with changed(operator, f"ALTER SYSTEM SET {setting} = off", f"ALTER SYSTEM RESET {setting}", reload=True):
        eventually(lambda: codes(flask_app, doctor.postgres) == [f"{setting}_off"])
        with pytest.raises(ConfigurationError, match=f"{setting} off.*Set `{setting} = on`"):
            doctor.refuse_unsafe(flask_app)
        answer = client.get("/ready")
        assert (answer.status_code, answer.get_json()["reasons"]) == (503, {"postgres": f"{setting}_off"})
    eventually(lambda: client.get("/ready").status_code == 200)


def test_an_ingest_role_that_does_not_wait_for_the_disk_is_refused(
    fresh: Callable[..., Flask], operator: Mapping[str, Any]
) -> None:
    role = "ALTER ROLE live_validation_ingest SET synchronous_commit = "
    with changed(operator, f"{role} off", f"{role} on"):
        flask_app = fresh()
        assert codes(flask_app, doctor.ingest) == ["commit_not_synchronous"]
        with pytest.raises(ConfigurationError, match="synchronous_commit off"):
            doctor.refuse_unsafe(flask_app)


@pytest.mark.parametrize(
    ("role", "check"), [("live_validation_app", doctor.postgres), ("live_validation_ingest", doctor.ingest)]
)
def test_a_role_that_may_do_everything_is_refused(
    fresh: Callable[..., Flask], operator: Mapping[str, Any], role: str, check: Any
) -> None:
    with changed(operator, f"ALTER ROLE {role} BYPASSRLS", f"ALTER ROLE {role} NOBYPASSRLS"):
        assert codes(fresh(), check) == ["role_too_mighty"]


@pytest.mark.parametrize("found", ["0001", "older"])
def test_an_older_schema_is_refused(
    fresh: Callable[..., Flask], owner: psycopg2.extensions.connection, found: str
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = %s", (found,))
        try:
            with pytest.raises(ConfigurationError, match="flask db upgrade"):
                doctor.refuse_unsafe(fresh())
        finally:
            cursor.execute("UPDATE alembic_version SET version_num = %s", (schema.revision(),))


def test_an_empty_database_is_told_what_to_run(
    fresh: Callable[..., Flask], settings: Settings, operator: Mapping[str, Any]
) -> None:
    flask_app = fresh(database_url=with_database(settings.database_url, "postgres"))
    assert codes(flask_app, doctor.postgres) == ["schema_older"]


def test_clocks_that_are_apart_are_refused(
    fresh: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By less than nothing: the two clocks of one machine are not."""
    monkeypatch.setattr(doctor, "MOST_SECONDS_APART", -1.0)
    assert codes(fresh(), doctor.postgres) == ["clock_apart"]


@pytest.mark.parametrize(
    ("setting", "unsafe", "safe", "code"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "redis_evicts"),
        ("appendonly", "no", "yes", "redis_forgets"),
    ],
)
def test_a_redis_that_forgets_by_itself_is_refused(
    fresh: Callable[..., Flask], redis_operator: Redis, setting: str, unsafe: str, safe: str, code: str
) -> None:
    redis_operator.config_set(setting, unsafe)
    try:
        flask_app = fresh()
        assert codes(flask_app, doctor.redis) == [code]
        with pytest.raises(ConfigurationError, match="redis.conf"):
            doctor.refuse_unsafe(flask_app)
    finally:
        redis_operator.config_set(setting, safe)


def test_one_server_for_state_and_cache_is_advised_against(
    fresh: Callable[..., Flask], settings: Settings
) -> None:
    flask_app = fresh(redis_cache_url=settings.redis_url)
    assert codes(flask_app, doctor.redis_cache) == ["one_redis_for_both"]
    doctor.refuse_unsafe(flask_app)


def test_debug_and_a_typed_key_are_refused(fresh: Callable[..., Flask]) -> None:
    flask_app = fresh(secret_key="changeme" * 4)
    assert codes(flask_app, doctor.secrets) == ["secret_key_weak"]
    flask_app = fresh()
    flask_app.debug = True
    with pytest.raises(ConfigurationError, match="Debug mode"):
        doctor.refuse_unsafe(flask_app)


def test_what_is_away_stops_no_start_and_no_secret_is_told(fresh: Callable[..., Flask]) -> None:
    away = fresh(
        database_url=NOWHERE,
        ingest_database_url=NOWHERE,
        redis_url="redis://x:secret-word@127.0.0.1:1/0",
        redis_cache_url="redis://x:secret-word@127.0.0.1:1/0",
        mail_url="smtp://x:secret-word@127.0.0.1:1",
    )
    doctor.refuse_unsafe(away)
    with away.app_context():
        checks = (doctor.postgres, doctor.ingest, doctor.redis, doctor.redis_cache, doctor.mail)
        found = [next(iter(check())) for check in checks]
    assert [finding.code for finding in found] == ["away"] * 5
    assert {finding.weight for finding in found} == {"missing"}
    assert "secret-word" not in repr(found)


@pytest.mark.parametrize("says", [b"554 go away\r\n", b""], ids=["refuses", "hangs up"])
def test_a_mail_server_that_does_not_greet_degrades(fresh: Callable[..., Flask], says: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        flask_app = fresh(mail_url=f"smtp://127.0.0.1:{server.getsockname()[1]}")

        def answer() -> None:
            connection, _ = server.accept()
            connection.sendall(says)
            connection.close()

        answering = gevent.spawn(answer)
        assert codes(flask_app, doctor.mail) == ["away"]
        answering.join()


def test_ready_says_that_mail_is_away(fresh: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    flask_app = fresh(mail_url=f"smtp://127.0.0.1:{free_port()}")
    monkeypatch.setattr(health, "_mail", health.MailLook())
    answer = flask_app.test_client().get("/ready")
    assert answer.status_code == 200
    assert answer.get_json() == {"status": "degraded", "parts": ["mail"], "reasons": {"mail": "away"}}


def test_a_gunicorn_of_an_unsafe_installation_does_not_start(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import wsgi"],
        cwd=ROOT,
        env={**environment, "SECRET_KEY": "a" * 40},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "SECRET_KEY does not look random. Make one:" in done.stderr


def test_make_doctor_speaks_of_the_running_stack(stack: Stack, tmp_path: Path) -> None:
    ask = [sys.executable, "-m", "local", "doctor", "--var"]
    well = subprocess.run([*ask, stack.var], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (well.returncode, well.stderr) == (0, "")
    assert well.stdout.count("✓") == len(doctor.CHECKS)
    none = subprocess.run([*ask, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (none.returncode, none.stdout) == (2, "")
    assert "start one with `make run`" in none.stderr


def test_processes_that_do_not_fit_into_postgresql_do_not_start(fresh: Callable[..., Flask]) -> None:
    """Each would work alone; together the last ones would be refused, under load and only then."""
    flask_app = fresh(web_processes=500)
    assert codes(flask_app, doctor.connections) == ["too_few_connections"]
    with pytest.raises(
        ConfigurationError,
        match=r"may want 3520 connections; PostgreSQL offers \d+\. Set max_connections to 3525",
    ):
        doctor.refuse_unsafe(flask_app)


def test_the_count_of_connections_is_the_pools_own(fresh: Callable[..., Flask]) -> None:
    """What is counted for a process is what its pools can open, and no more."""
    flask_app = fresh(web_processes=1, database_pool_size=3)
    with flask_app.app_context():
        sizes = [engine.pool.size() + engine.pool._max_overflow for engine in db.engines.values()]
        assert (
            budget.wanted(flask_app.extensions["settings"])
            == sum(sizes) + budget.FLUSHERS + budget.CREW + budget.RESERVE
        )


def test_every_post_of_the_crew_is_counted() -> None:
    """A listener for each queue and the sweeper; a connection of its own each, and one for a slice of an upload."""
    assert 2 * (len(Queue) + 1) == budget.CREW


def test_nobody_to_ask_about_connections_is_no_refusal(fresh: Callable[..., Flask]) -> None:
    assert codes(fresh(database_url=NOWHERE, web_processes=500), doctor.connections) == []
