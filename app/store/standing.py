"""Who is signed in, or what they may do, has changed: every process hears of it as soon as it is committed.

    standing.changed(user_id)

belongs into the transaction of the change. What is rolled back is not told; losing a message delays, never loses:
whoever holds something open asks PostgreSQL every second all the same.
"""

from collections.abc import Iterator
from typing import Any

import gevent
import structlog
from redis.exceptions import RedisError
from sqlalchemy import event
from sqlalchemy.orm import Session

from app import metrics
from app.extensions import connect_redis, db, state_redis

log = structlog.get_logger()

CHANNEL = "auth:standing"
INFO = "standing.changed"
LISTEN_SECONDS = 1.0
RECONNECT_SECONDS = 1.0


def changed(user_id: int) -> None:
    """Have it told after the caller's commit that this person's sessions or roles are not what they were."""
    db.session.info.setdefault(INFO, set()).add(user_id)


def heard(url: str) -> Iterator[set[int]]:
    """For ever: the users whose standing changed; an empty set where nothing came for a second or Redis is away."""
    redis = connect_redis(url, most_connections=2)
    while True:
        try:
            with redis.pubsub(ignore_subscribe_messages=True) as subscription:
                subscription.subscribe(CHANNEL)
                while True:
                    message = subscription.get_message(timeout=LISTEN_SECONDS)
                    yield {int(user_id) for user_id in message["data"].split()} if message else set()
        except RedisError as error:
            log.warning("standing_not_heard", error=type(error).__name__)
            yield set()
            gevent.sleep(RECONNECT_SECONDS)


def _tell(session: Session) -> None:
    """After the commit. In the committer's own time: a hung Redis costs it a quarter of a second, once."""
    told: set[int] = session.info.pop(INFO, set())
    if not told:
        return
    try:
        state_redis().publish(CHANNEL, " ".join(map(str, told)))
        metrics.ANNOUNCEMENTS.labels("rung").inc()
    except RedisError as error:
        metrics.ANNOUNCEMENTS.labels("lost").inc()
        log.warning("standing_not_told", people=len(told), error=type(error).__name__)


def _forget(session: Session, *_: Any) -> None:
    session.info.pop(INFO, None)


event.listen(db.session, "after_commit", _tell)
event.listen(db.session, "after_rollback", _forget)
