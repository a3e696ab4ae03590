"""Any time between two quarters of an hour, as few spans: whole days in the middle, hours and quarters at the ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

EVER = datetime(1970, 1, 1, tzinfo=UTC)
DAY, HOUR, QUARTER = 1440, 60, 15
SIZES = (DAY, HOUR, QUARTER)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` (included) to `end` (not), counted in steps of so many minutes."""

    minutes: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Range:
    """The quarters of an hour that begin from `start` (included) to `end` (not). None: no limit."""

    start: datetime | None = None
    end: datetime | None = None

    def spans(self, most_minutes: int = DAY) -> list[Span]:
        """What to add up, none longer than `most_minutes`."""
        start = ceil(self.start or EVER, QUARTER)
        # Days to come are empty, so without an end they may all be asked.
        end = ceil(self.end or datetime.now(UTC) + timedelta(days=2), QUARTER if self.end else DAY)
        return list(_cut(start, max(start, end), [size for size in SIZES if size <= most_minutes]))

    def of_counters(self, most_minutes: int = DAY) -> tuple[str, dict[str, Any]]:
        """The condition on a table of counters, and its parameters."""
        parts: list[str] = []
        values: dict[str, Any] = {}
        for number, span in enumerate(self.spans(most_minutes)):
            parts.append(f"(minutes = {span.minutes} AND at >= :start{number} AND at < :end{number})")
            values |= {f"start{number}": span.start, f"end{number}": span.end}
        return f"({' OR '.join(parts) or 'false'})", values

    def of_deltas(self) -> tuple[str, dict[str, Any]]:
        """The condition on a table of deltas, and its parameters."""
        return "quarter >= :start AND quarter < :end", {
            "start": self.start or EVER,
            "end": self.end or "infinity",
        }


def _cut(start: datetime, end: datetime, sizes: list[int]) -> Iterator[Span]:
    """The longest spans in the middle, and what is left at both ends in shorter ones."""
    size, *smaller = sizes
    first, last = ceil(start, size), floor(end, size)
    if first < last:
        if smaller:
            yield from _cut(start, first, smaller)
        yield Span(size, first, last)
        if smaller:
            yield from _cut(last, end, smaller)
    elif smaller:
        yield from _cut(start, end, smaller)


def floor(moment: datetime, minutes: int) -> datetime:
    """The last beginning of such a span at or before the moment."""
    return moment - (moment - EVER) % timedelta(minutes=minutes)


def ceil(moment: datetime, minutes: int) -> datetime:
    """The first beginning of such a span at or after the moment. At the end of time, that."""
    below = floor(moment, minutes)
    if below == moment or moment > LATEST:
        return below
    return below + timedelta(minutes=minutes)


LATEST = datetime(9999, 12, 30, tzinfo=UTC)
