"""`python -m app.jobs.worker`: a process per queue and a sweeper, forked from a parent that watches them.

The parent imports the product once, freezes that memory so that the children share it, and from then on only
forks and waits: it never opens a connection that a child could inherit.

Road not taken: RQ's Worker, which forks again for every job. A mail takes milliseconds, and a fork of this
process about ten; a job that crashes costs one child, which the parent replaces, and the outbox repeats it.
Road not taken: RQ's own worker pool, whose children each import the product anew.
"""

import contextlib
import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn

import rq
import structlog
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from rq.job import Job as WakeUp
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from app import create_app
from app.extensions import connect_redis
from app.jobs.queues import WAKE_UP, WAKE_UP_SECONDS, Queue, connected
from app.jobs.sweeper import sweep_for_ever

log = structlog.get_logger()

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
LIBC = ctypes.CDLL(None)
STOP_SECONDS = 6.0
SHORT_LIFE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 30.0
WATCHED = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}


class Listener(SimpleWorker):
    """RQ's worker for one queue, reduced to hearing wake-ups."""

    max_connection_wait_time = 5.0

    def execute_job(self, job: WakeUp, queue: rq.Queue) -> None:
        """Whatever the entry in Redis says, it is a wake-up. RQ would run any function that it names."""
        wake_up = queue.create_job(
            WAKE_UP,
            args=(queue.name,),
            job_id=job.id,
            timeout=WAKE_UP_SECONDS,
            result_ttl=0,
            failure_ttl=WAKE_UP_SECONDS,
        )
        super().execute_job(wake_up, queue)

    def subscribe(self) -> None:
        """No remote commands: whoever can write to Redis could stop our workers."""

    def unsubscribe(self) -> None:
        """Nothing was subscribed to."""

    def _set_ip_address(self, connection: Redis) -> None:
        """Not by CLIENT LIST, an administrator's command that our account in Redis need not have."""
        self.ip_address = "unknown"

    def _install_signal_handlers(self) -> None:
        """Only the parent's word counts: Ctrl-C reaches all processes, and two signals mean "at once"."""
        signal.signal(signal.SIGTERM, self.request_stop)


class Crew:
    """The children by pid, and when each empty post may be filled again."""

    def __init__(self, posts: Mapping[str, Callable[[], None]]) -> None:
        self._posts = posts
        self._children: dict[int, tuple[str, float]] = {}
        self._pause = dict.fromkeys(posts, 0.0)
        self._not_before = dict.fromkeys(posts, 0.0)

    def run(self) -> None:
        """Keep every post filled until SIGTERM or SIGINT, then let the children finish, for some seconds."""
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        signal_number = None
        while signal_number not in (signal.SIGTERM, signal.SIGINT):
            self._fill()
            received = signal.sigtimedwait(WATCHED, 1.0)
            signal_number = received.si_signo if received else None
            self._reap()
        self._stop()

    def _fill(self) -> None:
        filled = {post for post, _ in self._children.values()}
        now = time.monotonic()
        for post in self._posts:
            if post not in filled and self._not_before[post] <= now:
                self._children[self._fork(post)] = (post, now)

    def _fork(self, post: str) -> int:
        parent = os.getpid()
        sys.stdout.flush()
        pid = os.fork()
        return pid or _live(self._posts[post], post, parent)

    def _reap(self) -> None:
        """Say once what died, and wait longer before the next try the faster it died."""
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            post, born = self._children.pop(pid)
            age = time.monotonic() - born
            pause = (
                min(max(1.0, self._pause[post] * 2), LONGEST_PAUSE_SECONDS)
                if age < SHORT_LIFE_SECONDS
                else 0.0
            )
            self._pause[post] = pause
            self._not_before[post] = time.monotonic() + pause
            code = os.waitstatus_to_exitcode(status)
            log.warning("worker_ended", post=post, pid=pid, code=code, seconds=round(age, 1), again_in=pause)

    def _stop(self) -> None:
        self._signal(signal.SIGTERM)
        ends_at = time.monotonic() + STOP_SECONDS
        while self._children and time.monotonic() < ends_at:
            signal.sigtimedwait({signal.SIGCHLD}, 0.2)
            self._reap_quietly()
        self._signal(signal.SIGKILL)

    def _reap_quietly(self) -> None:
        while self._children:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            del self._children[pid]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _live(work: Callable[[], None], post: str, parent: int) -> NoReturn:
    """A child's whole life. SIGKILL when the parent dies: the outbox forgets nothing, and no orphan stays."""
    code = 1
    try:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
            work()
            code = 0
    except Exception as error:  # noqa: BLE001  (the outermost frame of this process)
        log.error("worker_broke", post=post, exc_info=error)
    finally:
        sys.stdout.flush()
        os._exit(code)  # never into the parent's code that follows fork()


def listen(flask_app: Flask, queue: Queue) -> None:
    """Work for one queue until told to stop, or until Redis breaks off; then the parent begins anew."""
    settings = flask_app.extensions["settings"]
    # A client of its own: RQ changes the timeouts of the one that it is given, for connections made from then on. One
    # that had been made by then would give up each wait after a quarter of a second, and RQ with it.
    _await(connect_redis(settings.redis_url, most_connections=1), queue)
    redis = connect_redis(settings.redis_url, most_connections=4)
    with flask_app.app_context(), contextlib.suppress(RedisError):
        listener = Listener(
            [connected(queue, redis)],
            connection=redis,
            serializer=JSONSerializer,
            worker_ttl=25,  # asks again every 10 s, and notices a hung Redis after 20
            maintenance_interval=60,
            log_job_description=False,
        )
        listener.work(logging_level="WARNING")


def _await(redis: Redis, queue: Queue) -> None:
    """Return once Redis answers. Meanwhile the sweeper does this queue's jobs."""
    pause = 0.25
    while True:
        try:
            redis.ping()
        except RedisError as error:
            if pause == 0.25:  # once per outage
                log.warning("redis_unreachable", queue=queue.value, error=type(error).__name__)
            time.sleep(pause)
            pause = min(pause * 2, 5.0)
        else:
            return


def main() -> None:
    flask_app = create_app()
    posts: dict[str, Any] = {queue.value: partial(listen, flask_app, queue) for queue in Queue}
    posts["sweeper"] = partial(sweep_for_ever, flask_app)
    gc.collect()
    gc.freeze()  # or the collector would touch, and thereby copy, every shared page
    log.info("worker_started", posts=list(posts))
    Crew(posts).run()


if __name__ == "__main__":
    main()
