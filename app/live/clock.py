"""How long an event takes from its receipt to a screen, as the browsers that look on measure it.

The latest measurements of each app are kept in Redis, to be shown; the histogram in /metrics is for watching. Neither
decides anything, so a browser that lies deceives its own organisation, and losing Redis loses a figure for a while.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import structlog
from redis.exceptions import RedisError

from app import metrics
from app.extensions import state_redis

log = structlog.get_logger()

KEPT = 200
KEPT_SECONDS = 86_400
MOST_MILLISECONDS = 60_000
MOST_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Clock:
    """Milliseconds: the middle of the measurements, and what 95 % of them stay within."""

    median: int
    most: int
    measured: int


def keep(app_id: int, milliseconds: Sequence[int]) -> None:
    """Remember what a browser measured."""
    for one in milliseconds:
        metrics.SCREEN_SECONDS.observe(one / 1000)
    try:
        with state_redis().pipeline(transaction=False) as pipeline:
            pipeline.lpush(_key(app_id), *milliseconds)
            pipeline.ltrim(_key(app_id), 0, KEPT - 1)
            pipeline.expire(_key(app_id), KEPT_SECONDS)
            pipeline.execute()
    except RedisError as error:
        log.warning("clock_not_kept", error=type(error).__name__)


def to_screen(app_ids: Sequence[int]) -> Clock | None:
    """Of these apps together; None where nobody looked within a day, or Redis is away."""
    try:
        with state_redis().pipeline(transaction=False) as pipeline:
            for app_id in app_ids:
                pipeline.lrange(_key(app_id), 0, KEPT - 1)
            found = cast("list[list[bytes]]", pipeline.execute())
    except RedisError as error:
        log.warning("clock_not_read", error=type(error).__name__)
        return None
    measured = sorted(int(one) for of_app in found for one in of_app)
    if not measured:
        return None
    return Clock(measured[len(measured) // 2], measured[len(measured) * 95 // 100], len(measured))


def _key(app_id: int) -> str:
    return f"live:clock:{app_id}"
