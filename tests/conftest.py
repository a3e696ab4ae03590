"""Real servers for the tests: started once per run, emptied between tests.

`flask_app` and `client` test from inside the process; `stack` is the whole production shape behind nginx, for what
only a running system can promise.
"""

from gevent import monkey

monkey.patch_all()  # as wsgi.py does, so that greenlets of a test wait like those of a worker

import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator, Mapping  # noqa: E402
from contextvars import Context  # noqa: E402
from dataclasses import asdict, dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402
from urllib.parse import urlsplit, urlunsplit  # noqa: E402

import orjson  # noqa: E402
import psycopg2  # noqa: E402
import pytest  # noqa: E402
import requests  # noqa: E402
import structlog  # noqa: E402
from flask import Flask  # noqa: E402
from flask.testing import FlaskClient  # noqa: E402
from flask_migrate import upgrade  # noqa: E402
from redis import Redis  # noqa: E402
from sqlalchemy import event  # noqa: E402
from werkzeug.test import TestResponse  # noqa: E402

from app import create_app, logs  # noqa: E402
from app.config import Settings  # noqa: E402
from app.extensions import db  # noqa: E402
from app.jobs import run as job_run  # noqa: E402
from app.store import green, tenancy  # noqa: E402
from local import servers  # noqa: E402
from tests.world import World  # noqa: E402

ROOT = Path(__file__).parent.parent
WAIT_SECONDS = 30.0
STACK_WAIT_SECONDS = 120.0
DATABASE = "test"
# All tests ask from one address, and faster than people; tests/auth/test_limits.py sets limits of its own.
UNHURRIED = dict.fromkeys(
    ("AUTH_LIMIT", "ADDRESS_LIMIT", "USER_LIMIT", "ORGANISATION_LIMIT"), "1000000/minute"
)


@dataclass(frozen=True)
class Stack:
    """A running stack, as a stranger sees it."""

    url: str
    mailbox_url: str
    var: str


def eventually(check: Callable[[], object], seconds: float = WAIT_SECONDS) -> object:
    """The first truthy answer of `check`; fails when none comes in time."""
    ends_at = time.monotonic() + seconds
    while not (answer := check()):
        assert time.monotonic() < ends_at, f"not within {seconds} s: {check}"
        time.sleep(0.02)
    return answer


# ── servers, once per run ────────────────────────────────────────────────────────────────────────────────────────


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The servers that the tests inside this process share, with the rights of their operator."""
    with servers.start(tmp_path_factory.mktemp("servers") / "var") as started:
        yield asdict(started) | {"environment": dict(started.environment)}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole stack, as `make run` starts it. It ends with this process, however that ends."""
    folder = tmp_path_factory.mktemp("stack")
    var, log = folder / "var", folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "run"],
            cwd=ROOT,
            env={**os.environ, **UNHURRIED, "VAR": str(var), "PORT": str(free_port())},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(
                lambda: (var / "stack.json").exists() or process.poll() is not None, STACK_WAIT_SECONDS
            )
            assert process.poll() is None, f"the stack did not start:\n{log.read_text()[-4000:]}"
            found = json.loads((var / "stack.json").read_text())
            yield Stack(found["url"], found["mailbox_url"], str(var))
        finally:
            process.terminate()
            process.wait(timeout=30)


# ── one database ───────────────────────────────────────────────────────────


def with_database(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def environment(operator: Mapping[str, Any]) -> dict[str, str]:
    """The product's environment, on a database of the tests' own."""
    connection = psycopg2.connect(operator["admin_dsn"])
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE} OWNER live_validation_migrate")
    connection.close()
    given: dict[str, str] = operator["environment"]
    return given | {k: with_database(v, DATABASE) for k, v in given.items() if k.endswith("DATABASE_URL")}


@pytest.fixture(scope="session")
def settings(environment: Mapping[str, str]) -> Settings:
    return Settings.from_environment(environment | UNHURRIED)


class Client(FlaskClient):
    """Asks from outside: the test's own app context, and what its last request left there, is not the request's."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return Context().run(super().open, *args, **kwargs)


@pytest.fixture(scope="session")
def assembled(settings: Settings) -> Iterator[Flask]:
    """The product, once per process, on a migrated database."""
    green.install(settings.database_deadline_seconds)
    flask_app = create_app(settings)
    flask_app.testing = False  # errors become answers, as in production
    flask_app.test_client_class = Client
    with flask_app.app_context():
        upgrade()
    yield flask_app
    with flask_app.app_context():
        for engine in db.engines.values():
            engine.dispose()
    for client in [thing for thing in gc.get_objects() if isinstance(thing, Redis)]:
        client.connection_pool.disconnect()


@pytest.fixture
def owner(settings: Settings) -> Iterator[psycopg2.extensions.connection]:
    """A connection as the schema's owner, for looking behind the scenes."""
    connection = psycopg2.connect(settings.migrate_database_url)
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture
def redis_operator(operator: Mapping[str, str]) -> Iterator[Redis]:
    """State Redis with every command allowed."""
    client = Redis.from_url(operator["redis_operator_url"])
    yield client
    client.close()


@pytest.fixture
def flask_app(
    assembled: Flask, owner: psycopg2.extensions.connection, redis_operator: Redis
) -> Iterator[Flask]:
    """The product with empty tables and an empty Redis.

    The test itself looks across organisations: its own queries, and what it calls, see every row. Requests of a
    client, jobs, and threads do not; `with tenancy.inside(organisation_id):` sees as they do.
    """
    tables = ", ".join(table.name for table in db.metadata.sorted_tables)
    with owner.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables}")  # ids go on: caches may know the old ones
    redis_operator.flushdb()
    with assembled.app_context(), tenancy.across_organisations():
        yield assembled
        db.session.remove()


@pytest.fixture
def client(flask_app: Flask) -> FlaskClient:
    return flask_app.test_client()


@pytest.fixture
def statements(flask_app: Flask) -> Iterator[list[str]]:
    """The SQL statements that the product sends from here on, through all its pools."""
    sent: list[str] = []

    def remember(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    for engine in db.engines.values():
        event.listen(engine, "before_cursor_execute", remember)
    yield sent
    for engine in db.engines.values():
        event.remove(engine, "before_cursor_execute", remember)


@pytest.fixture
def world(flask_app: Flask) -> World:
    """Alice owns an app; Charlie, of another organisation, must see nothing of it."""
    return World.made(flask_app)


@pytest.fixture
def mailbox(operator: Mapping[str, str]) -> Callable[[str], list[dict[str, str]]]:
    """The mails that arrived for an address, newest first."""

    def mails_to(address: str) -> list[dict[str, str]]:
        answer = requests.get(f"{operator['mailbox_url']}/messages.json", timeout=WAIT_SECONDS)
        return [mail for mail in answer.json() if mail["to"] == address]

    return mails_to


@pytest.fixture
def lines(
    flask_app: Flask, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """A function that gives the lines written so far, parsed, and the raw text."""
    with (tmp_path / "log").open("w+") as written:
        logs.configure(settings, written.fileno())
        for module in (logs, job_run):  # whose own ones remember where they wrote first
            monkeypatch.setattr(module, "log", structlog.get_logger())

        def read() -> tuple[list[dict[str, Any]], str]:
            logs.finish()
            written.seek(0)
            text = written.read()
            return [orjson.loads(line) for line in text.splitlines()], text

        yield read
        logs.finish()
    monkeypatch.undo()
    logs.configure(settings)
