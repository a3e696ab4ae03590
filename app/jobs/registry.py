"""The jobs there are. Rooms declare theirs; a row of the outbox names one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask, current_app

from app.jobs.queues import Queue
from app.store.outbox import Claim

FIRST_PAUSE_SECONDS = 5
# A worker that dies keeps its job locked for this long beyond the job's own time.
LOCK_MARGIN_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of job.

    function: does it, inside an app context. What it leaves uncommitted is committed together with "done".
    What it raises is a failure, tried again after 5, 15, 45 … seconds (at most `longest_pause_seconds`),
    `attempts` times in all. It may run twice, and its effect must bear that.
    timeout_seconds: it is interrupted by JobTimeoutException after this.
    every_seconds: it runs by the clock, this often; None: only when added to the outbox.
    """

    name: str
    queue: Queue
    function: Callable[[Claim], None]
    timeout_seconds: int
    attempts: int = 5
    longest_pause_seconds: int = 900
    every_seconds: int | None = None

    def pause_seconds(self, attempts: int) -> int:
        """How long to wait after this many attempts."""
        return min(FIRST_PAUSE_SECONDS * 3 ** min(attempts - 1, 10), self.longest_pause_seconds)


class JobFailed(Exception):
    """A foreseen failure. reason: a code that may be logged and stored. may_retry: False if in vain."""

    def __init__(self, reason: str, *, may_retry: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_retry = may_retry


class JobUnfinished(Exception):
    """Not a failure: the job made progress, has more to do, and lets others of its queue have their turn."""


def declare(flask_app: Flask, *jobs: Job) -> None:
    """Make a room's jobs known to the worker. A name may be taken once."""
    known: dict[str, Job] = flask_app.extensions.setdefault("jobs", {})
    for job in jobs:
        assert job.name not in known, f"two jobs are called {job.name}"
        known[job.name] = job


def declared() -> Mapping[str, Job]:
    """All jobs, by name."""
    return current_app.extensions.get("jobs", {})


def lock_seconds() -> dict[str, int]:
    """For how long a claimed job of each name is its worker's alone."""
    return {job.name: job.timeout_seconds + LOCK_MARGIN_SECONDS for job in declared().values()}
