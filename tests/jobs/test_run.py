"""Doing jobs: each by one worker at a time, again after a failure, never for ever."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import structlog
from flask import Flask, g
from sqlalchemy import text

from app.extensions import db
from app.jobs import outbox
from app.jobs.queues import Queue
from app.jobs.registry import Job, JobFailed
from app.jobs.run import _claim, drain, run
from app.store.outbox import Claim
from tests.world import World

Declare = Callable[[Job], Job]


def state(owner: Any) -> tuple[Any, ...]:
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT state, attempts, last_error, extract(epoch FROM not_before - now())::int"
            " FROM outbox ORDER BY id"
        )
        return cursor.fetchone()


def add(job: Job, **arguments: Any) -> int:
    outbox_id = outbox.add(db.session, job, arguments)
    db.session.commit()
    return outbox_id


def make_due(owner: Any) -> None:
    with owner.cursor() as cursor:
        cursor.execute("UPDATE outbox SET not_before = now() WHERE state = 'waiting'")


def test_a_job_gets_its_arguments_and_is_done_once(flask_app: Flask, declare: Declare, owner: Any) -> None:
    claims: list[Claim] = []
    outbox_id = add(declare(Job("note", Queue.HIGH, claims.append, timeout_seconds=5)), a=1)
    run("high")
    run("high")
    (claim,) = claims
    assert (claim.id, claim.queue, claim.job, claim.arguments, claim.attempts) == (
        outbox_id,
        "high",
        "note",
        {"a": 1},
        1,
    )
    assert state(owner)[:3] == ("done", 1, None)


def test_one_wake_up_drains_its_queue_in_order_and_no_other(
    flask_app: Flask, declare: Declare, owner: Any
) -> None:
    done: list[int] = []
    high = declare(
        Job("high", Queue.HIGH, lambda claim: done.append(claim.arguments["n"]), timeout_seconds=5)
    )
    low = declare(Job("low", Queue.LOW, lambda claim: done.append(-1), timeout_seconds=5))
    for n in range(5):
        add(high, n=n)
    add(low)
    run("high")
    assert done == [0, 1, 2, 3, 4]


def test_a_long_queue_is_worked_in_turns(
    flask_app: Flask, declare: Declare, monkeypatch: pytest.MonkeyPatch, redis_operator: Any
) -> None:
    monkeypatch.setattr("app.jobs.run.TURN_SECONDS", 0)
    job = declare(Job("note", Queue.HIGH, lambda claim: None, timeout_seconds=5))
    add(job)
    add(job)
    redis_operator.flushdb()
    assert drain(Queue.HIGH) is True
    run("high")
    assert redis_operator.llen("rq:queue:high") == 1  # for whatever comes after this turn
    assert drain(Queue.HIGH) is False


def test_twenty_workers_do_a_job_once(flask_app: Flask, declare: Declare, owner: Any) -> None:
    done: list[int] = []
    job = declare(Job("note", Queue.HIGH, lambda claim: done.append(claim.id), timeout_seconds=5))
    ids = [add(job) for _ in range(10)]

    def claim_all(_: int) -> list[int]:
        claimed = []
        with flask_app.app_context():
            while claim := _claim(Queue.HIGH):
                claimed.append(claim.id)
        return claimed

    with ThreadPoolExecutor(4) as threads:
        claimed = [one for ids in threads.map(claim_all, range(20)) for one in ids]
    assert sorted(claimed) == ids


def test_what_a_job_changed_is_committed_with_done_or_not_at_all(
    flask_app: Flask, declare: Declare, owner: Any
) -> None:
    def change(claim: Claim) -> None:
        db.session.execute(text("INSERT INTO users (email, password_hash) VALUES ('half', '')"))
        if claim.attempts == 1:
            raise JobFailed("not_yet")

    add(declare(Job("change", Queue.HIGH, change, timeout_seconds=5)))

    def users() -> int:
        with owner.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM users")
            return cursor.fetchone()[0]

    run("high")
    assert (users(), state(owner)[0]) == (0, "waiting")
    make_due(owner)
    run("high")
    assert (users(), state(owner)[0]) == (1, "done")


def test_a_failure_is_tried_again_later_and_later_and_then_no_more(
    flask_app: Flask, declare: Declare, owner: Any
) -> None:
    def fail(_claim: Claim) -> None:
        raise JobFailed("no_luck")

    job = Job("fail", Queue.HIGH, fail, timeout_seconds=5, attempts=5, longest_pause_seconds=100)
    add(declare(job))
    pauses = []
    for _ in range(4):
        run("high")
        now = state(owner)
        assert now[0] == "waiting"
        assert now[2] == "no_luck"
        pauses.append(now[3])
        run("high")  # not due
        assert state(owner)[1] == now[1]
        make_due(owner)
    assert pauses == [5, 15, 45, 100]
    run("high")
    assert state(owner)[:3] == ("dead", 5, "no_luck")
    run("high")
    assert state(owner)[1] == 5


def test_a_failure_for_good_is_not_tried_again(flask_app: Flask, declare: Declare, owner: Any) -> None:
    def fail(_claim: Claim) -> None:
        raise JobFailed("refused", may_retry=False)

    add(declare(Job("fail", Queue.HIGH, fail, timeout_seconds=5)))
    run("high")
    assert state(owner)[:3] == ("dead", 1, "refused")


def test_an_unforeseen_error_keeps_its_words_out_of_the_table_and_the_queue_going(
    flask_app: Flask, declare: Declare, owner: Any
) -> None:
    done: list[int] = []

    def work(claim: Claim) -> None:
        if claim.arguments["n"] == 0:
            raise ValueError("anna@example.com")
        done.append(claim.arguments["n"])

    job = declare(Job("work", Queue.HIGH, work, timeout_seconds=5))
    add(job, n=0)
    add(job, n=1)
    run("high")
    assert state(owner)[:3] == ("waiting", 1, "ValueError")
    assert done == [1]


def test_a_job_that_broke_the_transaction_is_a_failure_like_any(
    flask_app: Flask, declare: Declare, owner: Any
) -> None:
    def work(_claim: Claim) -> None:
        db.session.execute(text("SELECT 1/0"))

    add(declare(Job("work", Queue.HIGH, work, timeout_seconds=5)))
    run("high")
    assert state(owner)[:3] == ("waiting", 1, "DataError")


def test_a_job_that_hangs_is_interrupted(flask_app: Flask, declare: Declare, owner: Any) -> None:
    add(declare(Job("hang", Queue.HIGH, lambda claim: time.sleep(30), timeout_seconds=1)))
    began = time.monotonic()
    run("high")
    assert time.monotonic() - began < 5
    assert state(owner)[:3] == ("waiting", 1, "timeout")


def test_a_dead_workers_job_is_done_by_another_once_its_lock_ran_out(
    flask_app: Flask, declare: Declare, owner: Any
) -> None:
    done: list[Claim] = []
    add(declare(Job("note", Queue.HIGH, done.append, timeout_seconds=5)))
    assert _claim(Queue.HIGH)  # and then its worker is killed
    run("high")
    assert not done
    with owner.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM locked_until - now())::int FROM outbox")
        assert 5 < cursor.fetchone()[0] <= 15
        cursor.execute("UPDATE outbox SET locked_until = now()")
    run("high")
    assert [claim.attempts for claim in done] == [2]
    assert state(owner)[0] == "done"


def test_a_job_that_kills_its_workers_dies_in_the_end(flask_app: Flask, declare: Declare, owner: Any) -> None:
    done: list[Claim] = []
    add(declare(Job("note", Queue.HIGH, done.append, timeout_seconds=5, attempts=2)))
    for _ in range(2):
        assert _claim(Queue.HIGH)
        with owner.cursor() as cursor:
            cursor.execute("UPDATE outbox SET locked_until = now()")
    run("high")
    assert not done
    assert state(owner)[:3] == ("dead", 3, "worker_died")


def test_a_job_of_a_newer_release_waits_for_its_worker(flask_app: Flask, owner: Any) -> None:
    add(Job("from the future", Queue.HIGH, lambda claim: None, timeout_seconds=5))
    run("high")
    assert state(owner) == ("waiting", 1, "unknown_job", 60)


def test_a_job_leaves_one_line_with_its_cause_owner_app_and_reason(
    flask_app: Flask, declare: Declare, owner: Any, world: World, lines: Any
) -> None:
    def fail(_claim: Claim) -> None:
        g.app_id = world.alice.app.id
        outbox.add(db.session, job, {"why": "canary-7a1"})  # rolled back with the rest
        raise JobFailed("no_luck", may_retry=False)

    job = declare(Job("fail", Queue.HIGH, fail, timeout_seconds=5))
    structlog.contextvars.bind_contextvars(request_id="0123456789abcdef")
    outbox.add(db.session, job, {"why": "canary-7a1"}, world.alice.organisation_id)
    db.session.commit()
    structlog.contextvars.clear_contextvars()
    run("high")
    found, text = lines()
    (line,) = [line for line in found if line["event"] == "job_ended"]
    assert (line["request_id"], line["organisation_id"]) == ("0123456789abcdef", world.alice.organisation_id)
    assert (line["job"], line["outcome"], line["reason"]) == ("fail", "dead", "no_luck")
    assert line["app_id"] == world.alice.app.id
    assert "canary-7a1" not in text
    assert {line["request_id"] for line in found} == {"0123456789abcdef"}  # job_died, too


def test_a_job_caused_by_a_job_goes_by_the_first_ones_request(
    flask_app: Flask, declare: Declare, owner: Any
) -> None:
    last = declare(Job("last", Queue.LOW, lambda _claim: None, timeout_seconds=5))
    first = declare(
        Job("first", Queue.HIGH, lambda _: outbox.add(db.session, last, {}) and None, timeout_seconds=5)
    )
    structlog.contextvars.bind_contextvars(request_id="first-cause")
    add(first)
    structlog.contextvars.clear_contextvars()
    run("high")
    add(last)
    with owner.cursor() as cursor:
        cursor.execute("SELECT job, request_id FROM outbox ORDER BY id")
        assert cursor.fetchall() == [("first", "first-cause"), ("last", "first-cause"), ("last", None)]
