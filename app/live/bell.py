"""The bell: after a commit, tell every process that an app has new events. Losing one delays, never loses.

A commit leaves its app's id in a set and goes on; one greenlet per process empties the set into one Redis message,
so that a slow Redis can never slow the door. Road not taken: PostgreSQL's NOTIFY, whose lock serialises all commits.
"""

from collections.abc import Iterator, Sequence

import gevent
import structlog
from flask import Flask, current_app
from gevent.event import Event
from redis import Redis
from redis.exceptions import RedisError

from app import metrics
from app.config import Settings
from app.extensions import connect_redis, state_redis
from app.store.apps import AppRef
from app.store.keeping import Outcome, Status

log = structlog.get_logger()

CHANNEL = "live:bell"
LISTEN_SECONDS = 1.0
# Between two rings of a process: those who hear them look every 25 ms at most, so more rings would tell them nothing.
PAUSE_SECONDS = 0.02
RECONNECT_SECONDS = 1.0


class Bell:
    """The apps whose bell is due in this process, and the greenlet that rings it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._due: set[int] = set()
        self._wake = Event()
        self._ringer: gevent.Greenlet | None = None

    def ring(self, app_id: int) -> None:
        """Have the bell rung soon; never waits."""
        self._due.add(app_id)
        if self._ringer is None or self._ringer.dead:
            self._ringer = gevent.spawn(self._ring_for_ever)
        self._wake.set()

    def _ring_for_ever(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            due, self._due = self._due, set()
            try:
                self._redis.publish(CHANNEL, " ".join(map(str, due)))
                metrics.ANNOUNCEMENTS.labels("rung").inc()
                gevent.sleep(PAUSE_SECONDS)
            except RedisError as error:
                # Viewers look every second anyway, so they still see everything.
                metrics.ANNOUNCEMENTS.labels("lost").inc()
                log.warning("announcement_lost", apps=len(due), error=type(error).__name__)
                gevent.sleep(RECONNECT_SECONDS)


def announce(app: AppRef, outcomes: Sequence[Outcome]) -> None:
    """Ring the app's bell if anything new was kept."""
    if any(outcome.status is Status.STORED for outcome in outcomes):
        current_app.extensions["bell"].ring(app.id)


def announce_now(app: AppRef) -> None:
    """Ring the app's bell from a process without gevent, where no greenlet ever would."""
    try:
        state_redis().publish(CHANNEL, str(app.id))
        metrics.ANNOUNCEMENTS.labels("rung").inc()
    except RedisError:
        metrics.ANNOUNCEMENTS.labels("lost").inc()


def heard(url: str) -> Iterator[set[int]]:
    """For ever: the apps whose bell was rung, or an empty set where nothing came for a second or Redis is away."""
    redis = connect_redis(url, most_connections=2)
    while True:
        try:
            with redis.pubsub(ignore_subscribe_messages=True) as subscription:
                subscription.subscribe(CHANNEL)
                while True:
                    message = subscription.get_message(timeout=LISTEN_SECONDS)
                    yield {int(app_id) for app_id in message["data"].split()} if message else set()
        except RedisError as error:
            log.warning("bell_not_heard", error=type(error).__name__)
            yield set()
            gevent.sleep(RECONNECT_SECONDS)


def init_app(flask_app: Flask, settings: Settings) -> None:
    flask_app.extensions["bell"] = Bell(connect_redis(settings.redis_url, most_connections=2))
