"""The sweeper: what no wake-up found is done all the same, with Redis or without; clockwork comes round."""

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
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job
from app.jobs.sweeper import Sweeper
from app.store.outbox import Claim

Declare = Callable[[Job], Job]


def count(owner: Any, condition: str = "true") -> int:
    with owner.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM outbox WHERE {condition}")
        return cursor.fetchone()[0]


@pytest.fixture
def sweeper(flask_app: Flask) -> Sweeper:
    """Without the product's own clockwork jobs, which other tests see to."""
    before = flask_app.extensions["jobs"]
    flask_app.extensions["jobs"] = {}
    yield Sweeper()
    flask_app.extensions["jobs"] = before


def test_a_lost_wake_up_is_repeated_once(sweeper: Sweeper, redis_operator: Redis) -> None:
    outbox.add(db.session, Job("x", Queue.HIGH, print, timeout_seconds=5), {})
    db.session.commit()
    redis_operator.flushdb()
    for _ in range(3):
        sweeper.sweep()
    assert redis_operator.llen("rq:queue:high") == 1
    assert sweeper.pause_seconds == 5


def test_what_is_not_due_is_left_alone(sweeper: Sweeper, redis_operator: Redis, owner: Any) -> None:
    outbox.add(db.session, Job("x", Queue.HIGH, print, timeout_seconds=5), {})
    db.session.commit()
    redis_operator.flushdb()
    with owner.cursor() as cursor:
        cursor.execute("UPDATE outbox SET not_before = now() + interval '1 minute'")
    sweeper.sweep()
    assert redis_operator.llen("rq:queue:high") == 0


def test_without_redis_the_sweeper_does_the_job(
    flask_app: Flask, settings: Settings, owner: Any, tmp_path: Path
) -> None:
    cut_off = create_app(replace(settings, redis_url=f"unix://{tmp_path}/nothing.sock"))
    done: list[Claim] = []
    job = Job("note", Queue.HIGH, done.append, timeout_seconds=5)
    cut_off.extensions["jobs"] = {}
    registry.declare(cut_off, job)
    with cut_off.app_context():
        outbox.add(db.session, job, {})
        db.session.commit()
        Sweeper().sweep()
    assert len(done) == 1
    assert count(owner, "state = 'done'") == 1


@pytest.mark.parametrize(("queue", "times"), [(Queue.CRITICAL, 1), (Queue.HIGH, 0)])
def test_what_a_person_waits_for_in_vain_the_sweeper_does(
    sweeper: Sweeper, declare: Declare, owner: Any, queue: Queue, times: int
) -> None:
    """A wake-up lies in Redis, but whoever should hear it is stuck."""
    done: list[Claim] = []
    outbox.add(db.session, declare(Job("note", queue, done.append, timeout_seconds=5)), {})
    db.session.commit()
    sweeper.sweep()
    assert not done
    with owner.cursor() as cursor:
        cursor.execute("UPDATE outbox SET not_before = now() - interval '21 seconds'")
    sweeper.sweep()
    assert len(done) == times


def test_without_the_database_it_waits(flask_app: Flask, settings: Settings) -> None:
    nowhere = create_app(replace(settings, database_url="postgresql://x@/x?host=/nonexistent"))
    with nowhere.app_context():
        sweeper = Sweeper()
        sweeper.sweep()
        assert sweeper.pause_seconds == 5


def test_a_job_that_runs_by_the_clock_is_added_when_its_time_has_come(
    sweeper: Sweeper, declare: Declare, owner: Any
) -> None:
    declare(Job("tick", Queue.LOW, print, timeout_seconds=5, every_seconds=60))
    for _ in range(2):
        Sweeper().sweep()  # as two machines would
    assert count(owner) == 1
    with owner.cursor() as cursor:
        cursor.execute("UPDATE outbox SET state = 'done'")
    Sweeper().sweep()
    assert count(owner) == 1
    with owner.cursor() as cursor:
        cursor.execute("UPDATE outbox SET created_at = now() - interval '61 seconds'")
    Sweeper().sweep()
    assert count(owner) == 2
    with owner.cursor() as cursor:
        cursor.execute("UPDATE outbox SET created_at = now() - interval '1 hour'")
    Sweeper().sweep()
    assert count(owner) == 2  # the second still waits: no heap while nobody works


def test_what_was_done_is_forgotten_after_a_day_and_what_died_stays(sweeper: Sweeper, owner: Any) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO outbox (queue, job, state, created_at, done_at) SELECT 'low', 'x', state, at, at"
            " FROM unnest(ARRAY['done', 'dead']) state,"
            " unnest(ARRAY[now() - interval '25 hours', now() - interval '1 hour']) at"
        )
    sweeper.sweep()
    assert count(owner, "state = 'done'") == 1
    assert count(owner, "state = 'dead'") == 2
