"""The bell from the inside: heard at once, and not rung more often than anybody could look."""

import time

import gevent
from flask import Flask
from redis import Redis

from app.config import Settings
from app.live import bell


def test_many_commits_of_a_moment_ring_once(flask_app: Flask, settings: Settings) -> None:
    """The first at once; what comes while nobody would look yet shares the next ring, and none is forgotten."""
    redis = Redis.from_url(settings.redis_url)
    ringer = bell.Bell(redis)
    with redis.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(bell.CHANNEL)
        heard.get_message(timeout=1)
        began = time.monotonic()
        while time.monotonic() - began < 5 * bell.PAUSE_SECONDS:
            ringer.ring(1)
            gevent.sleep(bell.PAUSE_SECONDS / 50)
        ringer.ring(2)
        rings: list[bytes] = []
        while b"2" not in (rings[-1].split() if rings else []):
            message = heard.get_message(timeout=1)
            assert message is not None, "the last one was not rung"
            rings.append(message["data"])
    assert rings[0] == b"1"
    assert len(rings) <= 8
