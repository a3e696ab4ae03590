"""PostgreSQL on several hosts: which of them to connect to.

A DSN may name a primary and its standbys, as libpq reads it:

    postgresql://user:password@db1:5432,db2:5432/live_validation?target_session_attrs=read-write

libpq would try them itself, in their order and each time anew. Under gevent it has no deadline per host, so one that
says nothing (a machine without power, a network that swallows) would use up the time of all, every time. So each is
tried by itself, and the next connection begins with the host that answered last.
"""

import time
from collections.abc import Mapping
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812  (a class that the driver spells small)
from psycopg2.extensions import parse_dsn

# SQLAlchemy's name of the driver; where to connect to is the creator's business.
DRIVER = "postgresql+psycopg2://"
# A host that is down says no at once. After one that said nothing for so long, its caller has no time for another.
QUICK_SECONDS = 0.5


class Hosts:
    """The hosts of one DSN. Where there are several, those that take no writes are passed over, unless it says else."""

    def __init__(self, dsn: str, **options: Any) -> None:
        """options: of every connection, as psycopg2.connect takes them."""
        told = parse_dsn(dsn)
        names = told.get("host", "").split(",")
        ports = told.get("port", "").split(",")
        ports = ports * len(names) if len(ports) == 1 else ports
        several = {"target_session_attrs": "read-write"} if len(names) > 1 else {}
        self._each: list[Mapping[str, Any]] = [
            {
                **several,
                **told,
                **options,
                **({"host": name} if name else {}),
                **({"port": port} if port else {}),
            }
            for name, port in zip(names, ports, strict=True)
        ]
        self._first = 0

    def connect(self) -> Connection:
        """A connection to the first host that answers and fits. Raises psycopg2.OperationalError of the last one tried.

        The next call begins with the host after one that failed; also where this one gave up, because that took long.
        """
        for left in reversed(range(len(self._each))):
            chosen, began = self._first, time.monotonic()
            try:
                return psycopg2.connect(**self._each[chosen])
            except psycopg2.OperationalError:
                if self._first == chosen:  # else another greenlet has found out as well
                    self._first = (chosen + 1) % len(self._each)
                if not left or time.monotonic() - began > QUICK_SECONDS:
                    raise
        raise AssertionError("a DSN names at least one host")
