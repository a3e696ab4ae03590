"""Shapes: how many requests a minute the product is sent at which moment, and the turns that keep to it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import gevent

STEP_SECONDS = 20.0
STEP_FACTOR = 1.4


@dataclass(frozen=True)
class Shape:
    """`rate`: requests a minute after so many seconds. `ends_early`: a missed threshold ends it (the knee).

    `is_timed`: answer times count; else only failures do, as on a machine that is busy with other things.
    """

    meaning: str
    seconds: float
    rate: Callable[[float], float]
    ends_early: bool = False
    is_timed: bool = True


def steady(rate: float) -> Callable[[float], float]:
    return lambda _: rate


def named(name: str, rate: float, seconds: float | None) -> Shape:
    """The shape called so. rate: requests a minute, where the shape has none of its own. Raises KeyError."""
    shapes = {
        "smoke": Shape("does it work at all", 15, steady(min(rate, 120)), is_timed=False),
        "target": Shape("the promise", 300, steady(rate)),
        "peak": Shape("20 requests a second", 120, steady(20 * 60)),
        "soak": Shape("the promise for an hour", 3600, steady(rate)),
        "knee": Shape(
            f"×{STEP_FACTOR} each {STEP_SECONDS:.0f} s until a threshold is missed", 400, _rising(rate), True
        ),
    }
    chosen = shapes[name]
    return chosen if seconds is None else replace(chosen, seconds=seconds)


def _rising(first: float) -> Callable[[float], float]:
    return lambda elapsed: first * STEP_FACTOR ** (elapsed // STEP_SECONDS)


class Pace:
    """Hands out turns so that the requests that follow them come at the shape's rate.

    Open loop: a slow answer delays nobody else's turn, so waiting is measured and not hidden.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._began = time.monotonic()
        self._next = self._began

    def begin(self) -> None:
        self._began = self._next = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    @property
    def rate(self) -> float:
        """Requests a minute that are asked for now."""
        return self._shape.rate(self.elapsed)

    def turn(self, requests: int) -> None:
        """Wait for the next turn, which will be used for so many requests."""
        mine = max(self._next, time.monotonic() - 1.0)  # a second's arrears are caught up, an hour's are not
        self._next = mine + requests * 60 / self._shape.rate(max(0.0, mine - self._began))
        gevent.sleep(max(0.0, mine - time.monotonic()))
