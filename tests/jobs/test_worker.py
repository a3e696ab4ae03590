"""`python -m app.jobs.worker`: mails go out, whoever of its processes dies and wherever Redis is."""

import os
import pickle
import re
import signal
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from app.extensions import db
from app.jobs import outbox
from app.jobs.queues import Queue, connected, wake
from app.jobs.registry import Job
from tests.auth.visitor import Mailbox, Visitor, code_in
from tests.conftest import eventually
from tests.jobs.conftest import Cable, MailServer, Worker

Start = Callable[..., Worker]


def mailed(mailbox: Mailbox, visitor: Visitor, seconds: float = 15) -> list[dict[str, str]]:
    """The visitor's mails, once there is one."""
    return eventually(lambda: mailbox(visitor.email), seconds)  # type: ignore[return-value]


def state(owner: Any) -> tuple[str, int]:
    with owner.cursor() as cursor:
        cursor.execute("SELECT state, attempts FROM outbox WHERE job = 'mail_code'")
        return cursor.fetchone()


def is_gone(pid: int) -> bool:
    """Has the process ended? A zombie that nobody in this container reaps has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def listener_of(queue: Queue, worker: Worker, redis: Redis) -> int:
    """The pid of the queue's process, as RQ knows it."""

    def pid() -> int | None:
        for key in redis.scan_iter("rq:worker:*"):
            facts = redis.hgetall(key)
            if facts.get(b"queues") == queue.value.encode() and int(facts[b"pid"]) in worker.children():
                return int(facts[b"pid"])
        return None

    return eventually(pid)  # type: ignore[return-value]


def test_a_code_arrives_by_mail_and_opens_the_door(
    visitor: Visitor, start_worker: Start, mailbox: Mailbox, owner: Any
) -> None:
    worker = start_worker()
    visitor.register()
    (mail,) = mailed(mailbox, visitor)
    assert visitor.verify(code_in(mail)).status_code == 200
    eventually(lambda: state(owner) == ("done", 1))
    assert code_in(mail) not in worker.log
    assert visitor.email not in worker.log


def test_a_code_arrives_within_a_second_once_the_worker_listens(
    visitor: Visitor, start_worker: Start, mailbox: Mailbox, redis_operator: Redis
) -> None:
    worker = start_worker()
    listener_of(Queue.CRITICAL, worker, redis_operator)
    visitor.register()
    began = time.monotonic()
    mailed(mailbox, visitor)
    assert time.monotonic() - began < 2  # 0.1 on an idle machine; the sweeper alone would take five


@pytest.mark.parametrize("queue", list(Queue))
def test_every_queue_has_its_process(
    queue: Queue, flask_app: Flask, start_worker: Start, redis_operator: Redis, owner: Any
) -> None:
    worker = start_worker()
    listener_of(queue, worker, redis_operator)
    outbox.add(db.session, Job("from the future", queue, print, timeout_seconds=5), {})
    db.session.commit()

    def error() -> str | None:
        with owner.cursor() as cursor:
            cursor.execute("SELECT last_error FROM outbox WHERE job = 'from the future'")
            return cursor.fetchone()[0]

    assert eventually(error) == "unknown_job"


def test_listeners_that_have_nothing_to_do_stay(start_worker: Start, redis_operator: Redis) -> None:
    worker = start_worker()
    children = set(worker.children())
    pids = {queue: listener_of(queue, worker, redis_operator) for queue in Queue}

    def heartbeats() -> set[bytes]:
        return {redis_operator.hget(key, "last_heartbeat") for key in redis_operator.scan_iter("rq:worker:*")}

    before = heartbeats()
    eventually(lambda: len(heartbeats() - before) == len(Queue))  # each has asked in vain and asks again
    assert {queue: listener_of(queue, worker, redis_operator) for queue in Queue} == pids
    assert set(worker.children()) == children
    assert "worker_ended" not in worker.log


def test_a_dead_child_is_replaced_and_said_so_once(
    visitor: Visitor, start_worker: Start, mailbox: Mailbox, redis_operator: Redis
) -> None:
    worker = start_worker()
    for pid in worker.children():
        os.kill(pid, signal.SIGKILL)
    visitor.register()
    mailed(mailbox, visitor)
    eventually(lambda: len(worker.children()) == 5)
    assert worker.log.count('"event":"worker_ended"') == 5


def test_sigterm_ends_all_of_it_soon(start_worker: Start) -> None:
    worker = start_worker()
    children = worker.children()
    began = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(timeout=10) == 0
    assert time.monotonic() - began < 10
    assert all(is_gone(pid) for pid in children)


def test_sigterm_lets_the_job_in_hand_finish(
    visitor: Visitor, start_worker: Start, mail_server: Callable[..., MailServer], owner: Any
) -> None:
    server = mail_server()
    server.may_greet.clear()
    worker = start_worker(MAIL_URL=server.url)
    visitor.register()
    eventually(lambda: state(owner) == ("running", 1))
    worker.process.send_signal(signal.SIGTERM)
    server.may_greet.set()
    assert worker.process.wait(timeout=10) == 0
    assert state(owner) == ("done", 1)
    assert len(server.contents) == 1


def test_no_child_outlives_its_parent(start_worker: Start) -> None:
    worker = start_worker()
    children = worker.children()
    worker.process.kill()
    eventually(lambda: all(is_gone(pid) for pid in children), seconds=5)


def test_killed_between_claim_and_mail_it_is_mailed_all_the_same(
    visitor: Visitor,
    start_worker: Start,
    mail_server: Callable[..., MailServer],
    owner: Any,
    redis_operator: Redis,
) -> None:
    server = mail_server()
    server.may_greet.clear()
    worker = start_worker(MAIL_URL=server.url)
    critical = listener_of(Queue.CRITICAL, worker, redis_operator)
    visitor.register()
    eventually(lambda: state(owner) == ("running", 1))
    os.kill(critical, signal.SIGKILL)
    server.may_greet.set()
    with owner.cursor() as cursor:  # what 35 seconds of waiting would do
        cursor.execute("UPDATE outbox SET locked_until = now() WHERE job = 'mail_code'")
    eventually(lambda: state(owner) == ("done", 2))
    assert 1 <= len(server.contents) <= 2
    code = re.findall(r"\d{8}", server.contents[-1])[0]
    assert visitor.verify(code).status_code == 200


def test_without_redis_from_the_start_mails_go_out(
    visitor: Visitor, start_worker: Start, mailbox: Mailbox, tmp_path: Path
) -> None:
    worker = start_worker(REDIS_URL=f"unix://{tmp_path}/nothing.sock")
    visitor.register()
    mailed(mailbox, visitor)
    assert len(worker.children()) == 5
    assert worker.log.count('"event":"redis_unreachable"') <= len(Queue)  # not a line per try


def test_redis_may_go_and_come_back(
    visitor: Visitor,
    start_worker: Start,
    mailbox: Mailbox,
    cable: Cable,
    redis_operator: Redis,
    another: Callable[..., Visitor],
) -> None:
    worker = start_worker(REDIS_URL=cable.url)
    listener_of(Queue.CRITICAL, worker, redis_operator)
    cable.cut()
    redis_operator.delete("rq:queue:critical")
    visitor.register()
    mailed(mailbox, visitor)  # by the sweeper
    cable.mend()
    redis_operator.flushdb()
    later = another()
    eventually(lambda: redis_operator.keys("rq:worker:*"))  # they listen again
    later.register()
    mailed(mailbox, later)


def test_what_somebody_plants_in_redis_is_a_wake_up_and_no_more(
    flask_app: Flask,
    visitor: Visitor,
    start_worker: Start,
    mailbox: Mailbox,
    redis_operator: Redis,
    tmp_path: Path,
) -> None:
    trace = tmp_path / "executed"
    command = f"touch {trace}"

    class Planted:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (command,)

    worker = start_worker()
    listener_of(Queue.CRITICAL, worker, redis_operator)
    queue = connected(Queue.CRITICAL, redis_operator)
    queue.enqueue_call("os.system", args=(command,))
    planted = queue.enqueue_call("os.system", args=(command,), at_front=True)
    redis_operator.hset(planted.key, "data", zlib.compress(pickle.dumps(Planted())))
    redis_operator.hset(planted.key, "success_callback_name", "os.getcwd")
    queue.push_job_id("there is no such job")
    eventually(lambda: queue.count == 0)
    visitor.register()
    mailed(mailbox, visitor)
    assert not trace.exists()
    eventually(lambda: len(worker.children()) == 5)


def test_the_wake_ups_leave_nothing_behind(
    flask_app: Flask, start_worker: Start, redis_operator: Redis
) -> None:
    worker = start_worker()
    listener_of(Queue.HIGH, worker, redis_operator)
    for _ in range(20):
        wake(Queue.HIGH)
    eventually(lambda: not redis_operator.keys("rq:job:*"))
    eventually(lambda: not redis_operator.llen("rq:queue:high"))
