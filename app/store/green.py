"""psycopg2 under gevent: a wait callback that yields to other greenlets and keeps deadlines.

Road not taken: psycogreen. Its callback waits without a timeout, and psycopg2 ignores connect_timeout once a
callback is set, so one half-open connection would hold its request for ever.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import psycopg2
from gevent.socket import wait_read, wait_write
from psycopg2 import extensions

# A server that is there greets at once. Short, because it comes on top of the ping that found the old connection
# dead, and both must fit into the time that nginx waits for an answer.
CONNECT_SECONDS = 2.0
# By when (monotonic seconds) whatever this greenlet asks must be answered; a narrower limit than the general one.
_limit: ContextVar[float] = ContextVar("limit", default=math.inf)


def install(deadline_seconds: float) -> None:
    """Make every psycopg2 connection of this process cooperative.

    A call that the server has not answered within `deadline_seconds` raises psycopg2.OperationalError("deadline
    passed"), and psycopg2 closes its connection, whose state nobody knows any more.
    """

    def wait(connection: extensions.connection) -> None:
        allowed = CONNECT_SECONDS if connection.status == extensions.STATUS_SETUP else deadline_seconds
        ends_at = min(time.monotonic() + allowed, _limit.get())
        while (state := connection.poll()) != extensions.POLL_OK:
            left = ends_at - time.monotonic()
            passed = psycopg2.OperationalError("deadline passed")
            if left <= 0:
                raise passed
            ready = wait_read if state == extensions.POLL_READ else wait_write
            ready(connection.fileno(), timeout=left, timeout_exc=passed)

    extensions.set_wait_callback(wait)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Whatever is asked in here, connecting anew included, is answered within `seconds` all together, or fails.

    Without effect where no callback is installed, as in the queues' workers.
    """
    token = _limit.set(min(_limit.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _limit.reset(token)
