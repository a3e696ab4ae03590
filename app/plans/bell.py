"""The bell of the law book: tells every process that a plan has a new version. Losing one delays, never loses.

The message is a plan's id; PostgreSQL says which version is in force.
"""

from collections.abc import Iterator
from typing import Final

import gevent
import structlog
from flask import Flask, current_app
from redis.exceptions import RedisError
from sqlalchemy import event
from sqlalchemy.orm import Session

from app import metrics
from app.config import Settings
from app.extensions import connect_redis, db

log = structlog.get_logger()

CHANNEL: Final = "plans:bell"
DUE: Final = "plans.bell.due"
RECONNECT_SECONDS: Final = 1.0


def ring_after_commit(plan_id: int) -> None:
    """Have the bell rung once the caller's transaction is committed; by whom and in which process does not matter."""
    session = db.session()
    if DUE not in session.info:
        session.info[DUE] = set()
        event.listen(session, "after_commit", _ring)
        event.listen(session, "after_rollback", _forget)
    session.info[DUE].add(plan_id)


def _ring(session: Session) -> None:
    """Never fails its caller: who hears nothing looks by itself."""
    if session.in_nested_transaction():
        return
    due: set[int] = session.info[DUE]
    session.info[DUE] = set()
    for plan_id in due:
        try:
            current_app.extensions["plans_bell"].publish(CHANNEL, str(plan_id))
            metrics.PLAN_BELLS.labels("rung").inc()
        except RedisError as error:
            metrics.PLAN_BELLS.labels("lost").inc()
            log.warning("plan_bell_lost", plan_id=plan_id, error=type(error).__name__)


def _forget(session: Session) -> None:
    session.info[DUE] = set()


def heard(url: str, glance_seconds: float) -> Iterator[int | None]:
    """For ever: each plan whose bell was rung; None where nothing came for so long, or Redis is away."""
    redis = connect_redis(url, most_connections=2)
    while True:
        try:
            with redis.pubsub(ignore_subscribe_messages=True) as subscription:
                subscription.subscribe(CHANNEL)
                while True:
                    message = subscription.get_message(timeout=glance_seconds)
                    yield int(message["data"]) if message else None
        except RedisError as error:
            log.warning("plan_bell_not_heard", error=type(error).__name__)
            yield None
            gevent.sleep(RECONNECT_SECONDS)


def init_app(flask_app: Flask, settings: Settings) -> None:
    flask_app.extensions["plans_bell"] = connect_redis(settings.redis_url, most_connections=2)
