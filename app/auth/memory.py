"""Answers remembered for a moment: the second asker pays microseconds, and an outage is bridged."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from psycopg2 import Error as DriverError
from sqlalchemy.exc import SQLAlchemyError

from app import metrics
from app.errors import busy, is_busy

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


@dataclass(slots=True)
class Remembered(Generic[Answer]):
    """An answer, when it was given, and until when it needs no second question (monotonic seconds)."""

    answer: Answer
    asked_at: float
    fresh_until: float


class Memory(Generic[Key, Answer]):
    """Remembers what `ask` answered; None ("there is none") too.

    kind: by what name hits and misses are counted. fresh_seconds: how old an answer may be. most: how many are
    remembered; the longest unused go first.
    stale_seconds: how old it may be while the database is away, or too slow in answering anew; never used for
    None, because what just came into being must not be refused for so long.
    """

    def __init__(
        self,
        kind: str,
        ask: Callable[[Key], Answer],
        fresh_seconds: float,
        most: int = 10_000,
        stale_seconds: float = 0.0,
    ) -> None:
        self._hits = metrics.CACHE.labels(kind, "hit")
        self._misses = metrics.CACHE.labels(kind, "miss")
        self._ask = ask
        self._fresh_seconds = fresh_seconds
        self._stale_seconds = stale_seconds
        self._most = most
        self._remembered: OrderedDict[Key, Remembered[Answer]] = OrderedDict()
        self._flights: dict[Key, Future[Answer]] = {}

    def recall(self, key: Key) -> Answer:
        """The answer for this key; asks where none is fresh. Raises what `ask` raises."""
        found = self._remembered.get(key)
        if found is not None and found.fresh_until > time.monotonic():
            self._hits.inc()
            return found.answer
        self._misses.inc()
        flight = self._flights.get(key)
        return self._lead(key) if flight is None else self._follow(key, flight)

    def forget(self, key: Key) -> None:
        """Ask anew the next time; also where an answer is on its way, which may be from before."""
        self._remembered.pop(key, None)
        self._flights.pop(key, None)

    def forget_where(self, is_outdated: Callable[[Answer], bool]) -> None:
        """The same for every key whose answer is outdated, and for those whose answer is not known yet."""
        for key in [key for key, found in self._remembered.items() if is_outdated(found.answer)]:
            del self._remembered[key]
        self._flights.clear()

    def _lead(self, key: Key) -> Answer:
        """Ask for all who come meanwhile; they share the answer, or the failure."""
        flight = self._flights[key] = Future()
        try:
            flight.set_result(self._renew(key, flight))
        except (SQLAlchemyError, DriverError) as error:
            flight.set_exception(error)
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
            if not flight.done():  # our own request was cut off; the others did nothing wrong
                flight.set_exception(busy())
        return flight.result()

    def _follow(self, key: Key, flight: "Future[Answer]") -> Answer:
        """The old answer while it is not older than twice fresh_seconds; else wait, but then not long."""
        old = self._usable(key)
        if old is None:
            return flight.result()
        if time.monotonic() < old.asked_at + 2 * self._fresh_seconds:
            return old.answer  # twice a second all senders of a key would wait for one question otherwise
        try:
            return flight.result(timeout=self._fresh_seconds)
        except TimeoutError:
            return old.answer

    def _renew(self, key: Key, flight: "Future[Answer]") -> Answer:
        asked_at = time.monotonic()
        try:
            answer = self._ask(key)
        except (SQLAlchemyError, DriverError) as error:
            old = self._usable(key)
            if old is None or not is_busy(error):
                raise
            old.fresh_until = time.monotonic() + self._fresh_seconds
            return old.answer
        if self._flights.get(key) is not flight:
            return answer  # forgotten meanwhile: good for who asked before that, not for keeping
        self._remembered[key] = Remembered(answer, asked_at, asked_at + self._fresh_seconds)
        self._remembered.move_to_end(key)
        while len(self._remembered) > self._most:
            self._remembered.popitem(last=False)
        return answer

    def _usable(self, key: Key) -> Remembered[Answer] | None:
        found = self._remembered.get(key)
        if found is None or found.answer is None or time.monotonic() - found.asked_at > self._stale_seconds:
            return None
        return found
