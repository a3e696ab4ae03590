"""psycopg2 under gevent: a wait callback that yields to other greenlets and keeps a deadline.

Road not taken: psycogreen. Its callback waits without a timeout, and psycopg2 ignores connect_timeout once a
callback is set, so one half-open connection would hold its request for ever.
"""

import time

import psycopg2
from gevent.socket import wait_read, wait_write
from psycopg2 import extensions


def install(deadline_seconds: float = 10.0) -> None:
    """Make every psycopg2 connection of this process cooperative.

    A call that the server has not answered within `deadline_seconds` raises psycopg2.OperationalError("deadline
    passed"); its connection is in an unknown state and must be closed.
    """

    def wait(connection: extensions.connection) -> None:
        ends_at = time.monotonic() + deadline_seconds
        while (state := connection.poll()) != extensions.POLL_OK:
            left = ends_at - time.monotonic()
            passed = psycopg2.OperationalError("deadline passed")
            if left <= 0:
                raise passed
            ready = wait_read if state == extensions.POLL_READ else wait_write
            ready(connection.fileno(), timeout=left, timeout_exc=passed)

    extensions.set_wait_callback(wait)
