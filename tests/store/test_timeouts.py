"""PostgreSQL gives up before nginx does, and whoever waited hears "not now": 503 with Retry-After, never 500."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gevent
import psycopg2
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import errors, metrics
from app.config import Settings
from app.extensions import db
from app.store.keeping import GroupCommit, Status
from tests.conftest import DATABASE, with_database
from tests.store.test_keeping import kept, row


@pytest.fixture
def rival(operator: Any, flask_app: Flask) -> Iterator[Any]:
    """Somebody else's transaction, which waits longer than ours before it looks for a deadlock."""
    with closing(psycopg2.connect(with_database(operator["admin_dsn"], DATABASE))) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET deadlock_timeout = '30s'")
        connection.commit()
        yield connection
        connection.rollback()


@pytest.mark.parametrize(
    ("limit", "question"),
    [("statement_timeout", "SELECT pg_sleep(30)"), ("lock_timeout", "SELECT count(*) FROM apps")],
)
def test_a_question_that_takes_too_long_is_answered_busy(
    flask_app: Flask, rival: Any, limit: str, question: str
) -> None:
    with rival.cursor() as cursor:
        cursor.execute("LOCK TABLE apps IN ACCESS EXCLUSIVE MODE")
    with flask_app.test_request_context("/api/apps"):
        db.session.execute(text(f"SET LOCAL {limit} = '50ms'"))
        with pytest.raises(DBAPIError) as raised:
            db.session.execute(text(question))
        db.session.rollback()
        answer = errors.from_database(raised.value)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "busy")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_commit_that_met_a_deadlock_is_repeated(
    flask_app: Flask, settings: Settings, owner: Any, rival: Any
) -> None:
    """Ours are added in one order, so only a stranger can bring this about: an import by hand, say."""
    group = GroupCommit(settings.ingest_database_url, most_rows=100, deadline_seconds=20)
    group.keep([row("0")])
    with group._connected().cursor() as cursor:
        cursor.execute("SET lock_timeout = '10s'")  # which would come first; see the two before
    before = metrics.COMMIT_RETRIES._value.get()
    claim = (
        "INSERT INTO message_ids (app_id, message_id, organisation_id, event_id, digest)"
        " VALUES (1, %s, 1, gen_random_uuid(), '')"
    )
    with rival.cursor() as cursor:
        cursor.execute(claim, ["b"])
        sender = gevent.spawn(group.keep, [row("a"), row("b")])
        gevent.sleep(0.2)  # until ours holds `a` and waits for `b`
        cursor.execute(claim, ["a"])  # waits for ours, which is given up for it
    rival.rollback()
    assert [outcome.status for outcome in sender.get(timeout=20)] == [Status.STORED, Status.STORED]
    assert metrics.COMMIT_RETRIES._value.get() > before
    assert kept(owner) == ["0", "a", "b"]
