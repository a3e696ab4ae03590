"""The four queues, and how their workers are woken up."""

import enum

import rq
import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer

from app import metrics
from app.extensions import state_redis

log = structlog.get_logger()

WAKE_UP = "app.jobs.run.run"
# How long a wake-up may wait or work; the sweeper sends another while something is due.
WAKE_UP_SECONDS = 600


class Queue(enum.StrEnum):
    """Most urgent first. One worker process each: RQ loses jobs of a worker that listens to several."""

    CRITICAL = "critical"  # a person waits for it
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"  # by the clock


def connected(queue: Queue, redis: Redis) -> rq.Queue:
    """RQ's view of a queue, with JSON in Redis: what is read from there must never be able to run."""
    return rq.Queue(queue.value, connection=redis, serializer=JSONSerializer)


def wake(queue: Queue) -> bool:
    """Have the queue's worker look into the outbox. False, logged and counted, where Redis cannot be asked.

    A wake-up names its queue and nothing else: which jobs wait, and with what, is never in Redis.
    """
    try:
        sent = _send(connected(queue, state_redis()))
    except RedisError as error:
        log.warning("wake_up_lost", queue=queue.value, error=type(error).__name__)
        metrics.WAKE_UPS.labels("lost").inc()
        return False
    metrics.WAKE_UPS.labels("sent" if sent else "spared").inc()
    return True


def _send(queue: rq.Queue) -> bool:
    """Put a wake-up into the queue, unless one waits there: it will find our committed row, too."""
    if queue.count:
        return False
    queue.enqueue_call(
        WAKE_UP,
        args=(queue.name,),
        timeout=WAKE_UP_SECONDS,
        ttl=WAKE_UP_SECONDS,
        result_ttl=0,
        failure_ttl=WAKE_UP_SECONDS,
        description="wake-up",
    )
    return True
