"""A strategy that Flask-Limiter lacks: a token bucket, which lets a burst through and then a steady stream."""

import time
from typing import cast

from limits import RateLimitItem
from limits.storage import RedisStorage
from limits.storage.base import Storage
from limits.strategies import STRATEGIES, RateLimiter
from limits.util import WindowStats

from app.auth.bucket import Buckets, Wish

NAME = "token-bucket"
MOST_LOCAL_BUCKETS = 100_000


class TokenBucket(RateLimiter):
    """`100/minute` holds 100 tokens and gets 100 a minute: a hundred at once, then one every 0.6 seconds."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        is_shared = isinstance(storage, RedisStorage)
        self._shared = Buckets(cast(RedisStorage, storage).storage) if is_shared else None
        self._local: dict[str, tuple[float, float]] = {}  # key → tokens, and when (monotonic seconds)

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Take `cost` tokens, or none."""
        return self._take(item, identifiers, cost)[0] >= cost

    def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Are there so many?"""
        return self._take(item, identifiers, 0)[1] >= cost

    def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """When the bucket will be full again (Unix time), and what it holds."""
        left = self._take(item, identifiers, 0)[1]
        return WindowStats(time.time() + (item.amount - left) * item.get_expiry() / item.amount, int(left))

    def _take(self, item: RateLimitItem, identifiers: tuple[str, ...], cost: int) -> tuple[int, float]:
        key, rate = item.key_for(*identifiers), item.amount / item.get_expiry()
        if self._shared is not None:
            (grant,) = self._shared.take([Wish(f"bucket:{key}", rate, item.amount, cost, cost)])
            return grant
        if len(self._local) >= MOST_LOCAL_BUCKETS:
            self._local.clear()
        now = time.monotonic()
        tokens, at = self._local.get(key, (float(item.amount), now))
        tokens = min(item.amount, tokens + (now - at) * rate)
        granted = cost if tokens >= cost else 0
        self._local[key] = (tokens - granted, now)
        return granted, tokens - granted


STRATEGIES[NAME] = TokenBucket  # type: ignore[assignment]  # its type names only its own three
