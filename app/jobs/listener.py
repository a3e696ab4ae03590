"""One queue's worker: RQ hears the wake-ups, app/jobs/run.py does the jobs.

Road not taken: RQ's Worker, which forks for every job. A mail takes milliseconds, and a fork of this process
about ten; a job that crashes costs one child, which its parent replaces, and the outbox repeats the job.
"""

import contextlib
import signal
import time
from datetime import UTC, datetime

import rq
import structlog
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from rq import worker_registration
from rq.job import Job as WakeUp
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from app.extensions import connect_redis
from app.jobs.queues import WAKE_UP, WAKE_UP_SECONDS, Queue, connected

log = structlog.get_logger()

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
MAINTENANCE_SECONDS = 60


class Listener(SimpleWorker):
    """RQ's worker for one queue, reduced to hearing wake-ups."""

    max_connection_wait_time = LONGEST_PAUSE_SECONDS

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

    def run_maintenance_tasks(self) -> None:
        """Forget what killed workers left. RQ would try to revive their jobs; the outbox does that better."""
        for queue in self.queues:
            worker_registration.clean_worker_registry(queue)
            self.connection.delete(
                queue.intermediate_queue_key, queue.started_job_registry.key, queue.failed_job_registry.key
            )
        self.last_cleaned_at = datetime.now(UTC)  # type: ignore[assignment]  # RQ's own type is that of its None

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


def listen(flask_app: Flask, queue: Queue) -> None:
    """Work for one queue until told to stop, or until Redis breaks off; then the parent begins anew."""
    settings = flask_app.extensions["settings"]
    _await(settings.redis_url, queue)
    redis = connect_redis(settings.redis_url, most_connections=4)
    with flask_app.app_context(), contextlib.suppress(RedisError):
        listener = Listener(
            [connected(queue, redis)],
            connection=redis,
            serializer=JSONSerializer,
            worker_ttl=25,  # asks again every 10 s, and notices a hung Redis after 20
            maintenance_interval=MAINTENANCE_SECONDS,
            log_job_description=False,
        )
        listener.work(logging_level="WARNING")


def _await(url: str, queue: Queue) -> None:
    """Return once Redis answers. Meanwhile the sweeper does this queue's jobs.

    With a client of its own: RQ lengthens the timeouts of the one that it is given, but only for connections
    made from then on; an older one would give up each wait after a quarter of a second, and RQ with it.
    """
    redis = connect_redis(url, most_connections=1)
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            redis.ping()
        except RedisError as error:
            if pause == FIRST_PAUSE_SECONDS:  # once per outage
                log.warning("redis_unreachable", queue=queue.value, error=type(error).__name__)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        else:
            redis.close()
            return
