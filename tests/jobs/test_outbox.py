"""The outbox: a job is a row of its cause's transaction; waking its worker may fail without harm."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from app import create_app
from app.config import Settings
from app.extensions import db
from app.jobs import outbox
from app.jobs.queues import Queue, connected
from app.jobs.registry import Job
from app.store import users
from app.store.outbox import Claim


def nothing(_claim: Claim) -> None:
    """A job that does nothing."""


QUIET = Job("quiet", Queue.NORMAL, nothing, timeout_seconds=5)
URGENT = Job("urgent", Queue.CRITICAL, nothing, timeout_seconds=5)


def rows(owner: Any, what: str = "count(*)") -> Any:
    with owner.cursor() as cursor:
        cursor.execute(f"SELECT {what} FROM outbox")
        return cursor.fetchone()[0]


def waiting(redis: Redis, queue: Queue) -> int:
    return connected(queue, redis).count


def test_a_job_is_there_exactly_when_its_cause_is(
    flask_app: Flask, owner: Any, redis_operator: Redis
) -> None:
    users.add("anna@example.com", "x")
    outbox.add(db.session, QUIET, {"user": 1})
    assert rows(owner) == 0
    assert waiting(redis_operator, Queue.NORMAL) == 0  # no wake-up for what may never be
    db.session.rollback()
    db.session.commit()
    assert rows(owner) == 0
    assert waiting(redis_operator, Queue.NORMAL) == 0

    users.add("anna@example.com", "x")
    outbox.add(db.session, QUIET, {"user": 1})
    db.session.commit()
    assert rows(owner) == 1
    assert waiting(redis_operator, Queue.NORMAL) == 1


def test_a_savepoint_is_no_commit(flask_app: Flask, redis_operator: Redis) -> None:
    with db.session.begin_nested():
        outbox.add(db.session, QUIET, {})
    assert waiting(redis_operator, Queue.NORMAL) == 0
    db.session.commit()
    assert waiting(redis_operator, Queue.NORMAL) == 1


def test_one_wake_up_is_enough_for_many_jobs(flask_app: Flask, owner: Any, redis_operator: Redis) -> None:
    for _ in range(5):
        for job in (QUIET, URGENT):
            outbox.add(db.session, job, {})
        db.session.commit()
    assert rows(owner) == 10
    assert [waiting(redis_operator, queue) for queue in Queue] == [1, 0, 1, 0]


def test_redis_holds_nothing_of_the_job(flask_app: Flask, redis_operator: Redis) -> None:
    outbox.add(db.session, QUIET, {"canary": "tweet-tweet"})
    db.session.commit()
    dumped = b"".join(redis_operator.dump(key) or b"" for key in redis_operator.scan_iter())
    assert b"tweet-tweet" not in dumped
    assert b"quiet" not in dumped
    assert dumped


@pytest.mark.parametrize("prepare", ["absent", "full"])
def test_a_redis_that_cannot_be_asked_harms_nobody(
    flask_app: Flask, settings: Settings, owner: Any, redis_operator: Redis, tmp_path: Path, prepare: str
) -> None:
    url = f"unix://{tmp_path}/nothing.sock" if prepare == "absent" else settings.redis_url
    before = redis_operator.config_get("maxmemory")["maxmemory"]
    if prepare == "full":
        redis_operator.config_set("maxmemory", 1)
    try:
        with create_app(replace(settings, redis_url=url)).app_context():
            outbox.add(db.session, QUIET, {})
            db.session.commit()
    finally:
        redis_operator.config_set("maxmemory", before)
    assert rows(owner) == 1


def test_the_organisation_stands_on_the_row(flask_app: Flask, owner: Any, world: Any) -> None:
    outbox.add(db.session, QUIET, {}, organisation_id=world.alice.organisation_id)
    db.session.commit()
    assert rows(owner, "organisation_id") == world.alice.organisation_id


def test_a_name_is_taken_once(declare: Callable[[Job], Job]) -> None:
    declare(QUIET)
    with pytest.raises(AssertionError, match="two jobs are called quiet"):
        declare(replace(QUIET, queue=Queue.LOW))
