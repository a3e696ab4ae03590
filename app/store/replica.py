"""Pages that may be a moment old are read from a standby, as long as it is close enough behind; else from the primary.

How far it is behind is measured, not asked: once a second the primary says how far its WAL is, and the standby how far
it has replayed. What it has replayed was written at a known moment, so it shows at least everything up to then; a
standby that is cut off, or stands still, is seen as well as one that is slow.

Who has just changed something reads from the primary for that long, by a cookie: nobody misses their own change.
Road not taken: the standby's own `now() - pg_last_xact_replay_timestamp()`, which grows while nobody writes and stands
still at zero when the connection is gone.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog
from flask import Flask, Response, current_app, g, request
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.config import Settings
from app.extensions import REPLICA, db, settings
from app.store import green

log = structlog.get_logger()
P = ParamSpec("P")
T = TypeVar("T")

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 0.5
WROTE = "wrote"
WRITTEN = text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
REPLAYED = text(
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END"
)


class Distance:
    """How far the standby is behind, as this process last measured it. Times are monotonic seconds."""

    def __init__(self, most_seconds: float) -> None:
        self._most_seconds = most_seconds
        self._written: deque[tuple[float, int]] = deque(maxlen=2 + math.ceil(most_seconds / LOOK_SECONDS))
        self._looked_at = -math.inf
        self._shows = -math.inf  # everything that was written up to then

    def is_small(self) -> bool:
        """Does the standby show what is needed? Asks at most once a second; meanwhile others go by the last answer."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._look(now)
        return time.monotonic() - self._shows <= self._most_seconds

    def is_out_of_reach(self) -> None:
        """It did not answer: not before the next look is it asked again."""
        self._shows = -math.inf

    def _look(self, now: float) -> None:
        self._written.append((now, db.session.execute(WRITTEN).scalar_one()))
        try:
            with green.within(ANSWER_SECONDS), db.engines[REPLICA].connect() as connection:
                replayed = connection.execute(REPLAYED).scalar()
        except (SQLAlchemyError, PoolTimeout) as error:
            log.warning("replica_out_of_reach", error=type(error).__name__)
            self.is_out_of_reach()
            return
        shown = [at for at, written in self._written if replayed is not None and written <= replayed]
        self._shows = max(shown, default=-math.inf)


def from_replica(view: Callable[P, T]) -> Callable[P, T]:
    """Answer this view, which only reads, from the standby where there is one that is close enough behind."""

    @wraps(view)
    def read(*args: P.args, **kwargs: P.kwargs) -> T:
        distance: Distance | None = current_app.extensions["replica"]
        if distance is not None and WROTE not in request.cookies and distance.is_small():
            _choose(distance)
        return view(*args, **kwargs)

    return read


def _choose(distance: Distance) -> None:
    """Let the session read from the standby from here on, unless it is gone since the last look."""
    try:
        with green.within(ANSWER_SECONDS):
            db.session.connection(bind_arguments={"bind": db.engines[REPLICA]})
    except (SQLAlchemyError, PoolTimeout) as error:
        log.warning("replica_out_of_reach", error=type(error).__name__)
        distance.is_out_of_reach()
    else:
        g.database = REPLICA


def _remember_who_wrote(response: Response) -> Response:
    if request.method not in ("GET", "HEAD", "OPTIONS") and request.cookies:
        seconds = math.ceil(settings().replica_most_seconds_behind) + 1
        secure = settings().is_https
        response.set_cookie(WROTE, "1", max_age=seconds, httponly=True, samesite="Lax", secure=secure)
    return response


def init_app(flask_app: Flask, chosen: Settings) -> None:
    """Without a replica this costs a page one look into a dictionary."""
    is_there = bool(chosen.replica_database_url)
    flask_app.extensions["replica"] = Distance(chosen.replica_most_seconds_behind) if is_there else None
    if is_there:
        flask_app.after_request(_remember_who_wrote)
