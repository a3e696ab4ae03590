"""How many events a key and its organisation may send: token buckets that cost a request no question.

The buckets stand in Redis and hold for all processes. Each process leases tokens from them in slices, ahead of
need and in the background, and spends its slice by counting down. What was leased is gone from the bucket, so
all processes together never spend more than the limit; what a slow one holds unspent is a slice at most, a
twentieth of a second's worth.

While Redis is away each process grants its share of the limit: a limit that is off by the last known number of
processes is better than none, and far better than refusing everybody.
"""

import math
import secrets
import time
from collections import OrderedDict

import gevent
import structlog
from flask import Flask, current_app
from gevent.event import Event
from redis import Redis
from redis.exceptions import RedisError

from app import metrics
from app.auth.bucket import Buckets, Wish
from app.config import Settings
from app.errors import Refusal
from app.extensions import connect_redis

log = structlog.get_logger()

SLICE_SECONDS = 0.05
# An empty bucket is not asked again before this: under a flood a process asks 50 times a second, not 5,000.
PAUSE_SECONDS = 0.02
# A lease answers in well under a millisecond; a hung Redis takes its quarter of a second to be given up.
WAIT_SECONDS = 0.5
RETRY_SECONDS = 1.0
# What a quiet process holds goes back: all but a slice after a second, the rest after a minute.
QUIET_SECONDS = 1.0
IDLE_SECONDS = 60.0
MOST_SHARES = 20_000
CREW = "allowance:crew"
CREW_SECONDS = 10


class Share:
    """This process's part of one bucket. `wanted`: what waiting requests still lack."""

    __slots__ = ("burst", "empty_until", "key", "left", "refilled_at", "rate", "scope", "used_at", "wanted")

    def __init__(self, scope: str, id_: int, rate: int, burst: int) -> None:
        self.scope = scope
        self.key = f"allowance:{scope}:{id_}"
        self.rate = rate
        self.burst = burst
        self.left = 0.0
        self.wanted = 0.0
        self.empty_until = 0.0
        self.refilled_at = 0.0
        self.used_at = 0.0

    @property
    def slice(self) -> int:
        """Tokens leased at once."""
        return max(1, int(self.rate * SLICE_SECONDS))


class Allowance:
    """All shares of this process, and the one greenlet that leases for them."""

    def __init__(self, redis: Redis, limits: dict[str, tuple[int, int]]) -> None:
        """limits: scope (`key`, `organisation`) → events a second, burst."""
        self._redis = redis
        self._buckets = Buckets(redis)
        self._limits = limits
        self._shares: OrderedDict[tuple[str, int], Share] = OrderedDict()
        self._hungry: set[Share] = set()
        self._wake = Event()
        self._leased = Event()
        self._leaser: gevent.Greenlet | None = None
        self._name = secrets.token_hex(8)
        self._crew = 1
        self._is_local = False
        self._looked_at = 0.0

    def spend(self, count: int, **owners: int) -> None:
        """Take `count` events from each owner's bucket (scope=id). Raises Refusal `rate_limited` (429).

        What is refused costs nothing.
        """
        shares = [self._share(scope, id_) for scope, id_ in owners.items()]
        while short := [share for share in shares if share.left < count]:
            self._await(short, count)
        now = time.monotonic()
        for share in shares:
            share.left -= count
            share.used_at = now
            if share.left < share.slice / 2 and not self._is_local:
                self._hunger(share)

    def close(self) -> None:
        """Lease no more."""
        if self._leaser is not None:
            self._leaser.kill()

    def _share(self, scope: str, id_: int) -> Share:
        share = self._shares.get((scope, id_))
        if share is None:
            share = self._shares[scope, id_] = Share(scope, id_, *self._limits[scope])
            while len(self._shares) > MOST_SHARES:
                self._shares.popitem(last=False)
        return share

    def _await(self, short: list[Share], count: int) -> None:
        """Get these shares refilled, or refuse. One round trip at most, and shared by all who wait."""
        now = time.monotonic()
        for share in short:
            if self._is_local:
                self._refill(share, now)
                if share.left < count:
                    raise self._refusal(share, (count - share.left) / (share.rate / self._crew))
            elif share.empty_until > now or count > share.burst:
                raise self._refusal(share, max(share.empty_until - now, (count - share.left) / share.rate))
        if self._is_local:
            return
        for share in short:
            share.wanted = max(share.wanted, count - share.left)
            self._hunger(share)
        leased = self._leased
        if not leased.wait(WAIT_SECONDS):
            raise self._refusal(short[0], RETRY_SECONDS)

    def _hunger(self, share: Share) -> None:
        self._hungry.add(share)
        if self._leaser is None or self._leaser.dead:  # not in __init__: greenlets do not survive a fork
            self._leaser = gevent.spawn(self._lease_for_ever)
        self._wake.set()

    def _refusal(self, share: Share, seconds: float) -> Refusal:
        metrics.LIMITED.labels(share.scope).inc()
        who = "This write key" if share.scope == "key" else "Your organisation"
        message = f"{who} may send {share.rate:,} events a second, {share.burst:,} at once. Send the same again later."
        wait = str(max(1, math.ceil(seconds)))
        headers = {
            "Retry-After": wait,
            "RateLimit-Limit": str(share.burst),
            "RateLimit-Remaining": str(max(0, int(share.left))),
            "RateLimit-Reset": wait,
            "RateLimit-Policy": f"{share.rate};w=1;burst={share.burst}",
            "X-RateLimit-Limit": str(share.burst),
            "X-RateLimit-Remaining": str(max(0, int(share.left))),
            "X-RateLimit-Reset": str(int(time.time()) + int(wait)),
        }
        return Refusal("rate_limited", message, 429, headers=headers)

    # ── in the background ────────────────────────────────────────────────────────────────────────────────────────

    def _lease_for_ever(self) -> None:
        while True:
            self._wake.wait(QUIET_SECONDS)
            self._wake.clear()
            try:
                self._lease()
            except RedisError as error:
                self._go_local(error)
            self._release_waiting()
            if self._is_local:
                gevent.sleep(RETRY_SECONDS)

    def _release_waiting(self) -> None:
        done, self._leased = self._leased, Event()
        done.set()

    def _lease(self) -> None:
        """One round trip for all that is wanted and all that goes back."""
        now = time.monotonic()
        hungry, self._hungry = self._hungry, set()
        wanting = [share for share in hungry if share.empty_until <= now]
        returning = self._returning(now)
        for share, spare in returning:
            share.left -= spare
        wishes = [self._wish(share) for share in wanting]
        wishes += [Wish(share.key, share.rate, share.burst, -spare, 0) for share, spare in returning]
        grants = self._buckets.take(wishes) if wishes else []
        self._count_crew()
        for share, wish, grant in zip(wanting, wishes, grants, strict=False):
            metrics.LEASES.labels("granted" if grant.tokens else "empty").inc()
            share.left += grant.tokens
            share.wanted = 0.0
            if grant.tokens < wish.asked:
                share.empty_until = now + max(PAUSE_SECONDS, (1 - grant.left) / share.rate)
        if self._is_local:
            log.info("allowance_shared_again")
            self._is_local = False

    def _returning(self, now: float) -> list[tuple[Share, int]]:
        """What goes back, looked for once a second: there may be thousands of shares."""
        if now - self._looked_at < QUIET_SECONDS:
            return []
        self._looked_at = now
        return [(share, spare) for share in self._shares.values() if (spare := self._spare(share, now))]

    @staticmethod
    def _wish(share: Share) -> Wish:
        return Wish(share.key, share.rate, share.burst, max(share.slice, math.ceil(share.wanted)), 1)

    @staticmethod
    def _spare(share: Share, now: float) -> int:
        """What a quiet share gives back."""
        quiet = now - share.used_at
        if quiet < QUIET_SECONDS:
            return 0
        return max(0, int(share.left) - (0 if quiet > IDLE_SECONDS else share.slice))

    def _count_crew(self) -> None:
        """How many processes lease: what a share is, should Redis go away."""
        now = time.time()
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(CREW, {self._name: now})
            pipe.zremrangebyscore(CREW, "-inf", now - CREW_SECONDS)
            pipe.zcard(CREW)
            pipe.expire(CREW, CREW_SECONDS)
            self._crew = max(1, pipe.execute()[2])

    # ── without Redis ────────────────────────────────────────────────────────────────────────────────────────────

    def _go_local(self, error: RedisError) -> None:
        metrics.LEASES.labels("lost").inc()
        if self._is_local:
            return
        log.warning("allowance_local", error=type(error).__name__, processes=self._crew)
        self._is_local = True
        now = time.monotonic()
        for share in self._shares.values():
            share.left = max(share.left, share.burst / self._crew)
            share.refilled_at = now
            share.wanted = share.empty_until = 0.0

    def _refill(self, share: Share, now: float) -> None:
        most = share.burst / self._crew
        since = now - share.refilled_at if share.refilled_at else math.inf
        share.left = max(share.left, min(most, share.left + since * share.rate / self._crew))
        share.refilled_at = now


def spend(count: int, key_id: int, organisation_id: int) -> None:
    """Count events of this request against its key's and its organisation's limit. See Allowance.spend."""
    current_app.extensions["allowance"].spend(count, key=key_id, organisation=organisation_id)


def init_app(flask_app: Flask, settings: Settings) -> None:
    """Connects to nothing yet."""
    flask_app.extensions["allowance"] = Allowance(
        connect_redis(settings.redis_url, most_connections=2),
        {
            "key": (settings.key_events_per_second, settings.key_events_burst),
            "organisation": (
                settings.organisation_events_per_second,
                settings.organisation_events_burst,
            ),
        },
    )
