"""Quotas: how many events an organisation may store in a calendar month, where its owner chose to refuse more.

What was stored is counted by PostgreSQL (app/store/usage.py). A process does not ask it per event: it spends a share
and asks again when that is used up or old. All shares together are a twentieth of the quota at most, so
whatever the processes do they overspend by no more; near the end a share is a sixteenth of what is left.

Road not taken: a bucket in Redis, as of the limits: what Redis forgets would be given out a second time in a month.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

from flask import Flask, current_app
from gevent.lock import RLock

from app.config import Settings
from app.errors import Refusal
from app.store import usage
from app.store.apps import Sender

FRESH_SECONDS = 5.0  # then others may have spent, or the owner chosen otherwise
PAUSE_SECONDS = 0.5  # what is used up is not asked for again before this
MOST_PROCESSES = 16  # for which the twentieth holds
OVERSPENT = 20  # one in so many
MOST_SHARES = 10_000


class Share:
    """What this process may still spend before it asks. pending: events that are being stored now."""

    __slots__ = ("asking", "left", "most", "over", "pending", "until")

    def __init__(self) -> None:
        self.asking = RLock()
        self.left = 0
        self.most = 0
        self.pending = 0
        self.until = 0.0
        self.over: int | None = None  # what is left for good, where the last asker got nothing


class Quotas:
    """All shares of this process."""

    def __init__(self, credits: int, price: int, taken: Callable[[int], int] = usage.taken) -> None:
        """credits: the operator's quota, 0 for none. price: credits per event. taken: asks for a month's events."""
        self._credits = credits
        self._price = price
        self._taken = taken
        self._shares: OrderedDict[int, Share] = OrderedDict()

    @contextmanager
    def spending(self, sender: Sender, count: int) -> Iterator[None]:
        """Store up to `count` events in this block. Raises Refusal `quota_exceeded` (429) before it."""
        credits = credits_of(sender.quota_credits, self._credits)
        if not credits or not sender.quota_refuses or not count:
            yield
            return
        share = self._share(sender.app.organisation_id)
        self._take(share, sender.app.organisation_id, credits // self._price, count)
        try:
            yield
        finally:
            share.pending -= count

    def _take(self, share: Share, organisation_id: int, most: int, count: int) -> None:
        if not self._has(share, most, count):
            with share.asking:  # one asks, and those who waited look again
                if not self._has(share, most, count):
                    self._ask(share, organisation_id, most, count)
        if share.left < count:
            raise _refusal(most * self._price, share.over)
        share.left -= count
        share.pending += count

    @staticmethod
    def _has(share: Share, most: int, count: int) -> bool:
        """Is the share good for this, or known to be used up?"""
        is_fresh = share.most == most and time.monotonic() < share.until
        return is_fresh and (share.left >= count or (share.over is not None and share.over < count))

    def _ask(self, share: Share, organisation_id: int, most: int, count: int) -> None:
        """Events that are being stored may be among those counted, or not: they are taken off all the same."""
        share.left = 0  # nobody spends the old share while the answer is on its way
        free = most - self._taken(organisation_id)
        left = free - share.pending
        slice_ = min(most // (OVERSPENT * MOST_PROCESSES), max(1, left // MOST_PROCESSES))
        share.most = most
        if left >= count:
            share.left, share.over = max(count, slice_), None
            share.until = time.monotonic() + FRESH_SECONDS
        else:
            share.over = max(0, free) if free < count else None
            share.until = time.monotonic() + PAUSE_SECONDS

    def _share(self, organisation_id: int) -> Share:
        share = self._shares.get(organisation_id)
        if share is None:
            share = self._shares[organisation_id] = Share()
            while len(self._shares) > MOST_SHARES:
                self._shares.popitem(last=False)
        return share


def _refusal(credits: int, over: int | None) -> Refusal:
    """over: what is left; None: others are using it up at this moment."""
    now = datetime.now(UTC)
    ends = datetime.combine(next_month(now.date()), datetime.min.time(), UTC)
    message = (
        f"Your organisation's quota of {credits:,} credits is used up until {ends:%Y-%m-%d} (UTC)"
        f"{f'; {over:,} more events fit' if over else ''}. Nothing of this request was stored. An owner can raise it."
    )
    wait = 1 if over is None else int((ends - now).total_seconds()) + 1
    return Refusal("quota_exceeded", message, 429, headers={"Retry-After": str(wait)})


def credits_of(chosen: int | None, default: int) -> int:
    """The quota that holds; 0: none."""
    return default if chosen is None else chosen


def next_month(day: date) -> date:
    """The first day of the next calendar month, when a quota begins anew."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


@contextmanager
def spending(sender: Sender, count: int) -> Iterator[None]:
    """Store these events in this block, as far as the quota goes. See Quotas.spending."""
    with current_app.extensions["quotas"].spending(sender, count):
        yield


def init_app(flask_app: Flask, settings: Settings) -> None:
    flask_app.extensions["quotas"] = Quotas(settings.quota_credits, settings.credits_per_event)
