"""Doing jobs: claim a row of the outbox, do its job, say so. RQ calls `run` and knows no more of a job."""

import time
from typing import NamedTuple

import structlog
from flask import current_app, g
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty

from app import metrics
from app.extensions import db
from app.jobs import registry
from app.jobs.queues import Queue, wake
from app.jobs.registry import Job, JobFailed, JobUnfinished
from app.store import outbox, tenancy
from app.store.outbox import Claim

log = structlog.get_logger()

# One wake-up works this long at most, then sends the next one: between two the worker hears a stop signal.
TURN_SECONDS = 2.0
UNKNOWN_JOB_PAUSE_SECONDS = 60


class Ended(NamedTuple):
    """How one try of a job ended, and why where it failed."""

    outcome: str
    reason: str | None = None


def run(queue_name: str) -> None:
    """Do what waits in this queue; with more to do after one turn, be woken again."""
    queue = Queue(queue_name)
    if drain(queue):
        wake(queue)


def drain(queue: Queue) -> bool:
    """Do what waits in this queue, for one turn; True where more may wait."""
    ends_at = time.monotonic() + TURN_SECONDS
    while claim := _claim(queue):
        _perform(claim)
        if time.monotonic() > ends_at:
            return True
    return False


def _claim(queue: Queue) -> Claim | None:
    with current_app.app_context():
        claim = outbox.claim(queue.value, registry.lock_seconds())
        db.session.commit()
        return claim


def _perform(claim: Claim) -> None:
    """Do the job as its cause's request, and leave one line of how it ended."""
    with structlog.contextvars.bound_contextvars(request_id=claim.request_id or ""):
        began = time.monotonic()
        ended, app_id = _do(claim)
        seconds = time.monotonic() - began
        metrics.JOBS.labels(claim.queue, ended.outcome).inc()
        metrics.JOB_SECONDS.labels(claim.queue).observe(seconds)
        log.info(
            "job_ended",
            job=claim.job,
            outbox_id=claim.id,
            organisation_id=claim.organisation_id,
            app_id=app_id,
            outcome=ended.outcome,
            reason=ended.reason,
            attempts=claim.attempts,
            milliseconds=round(seconds * 1000, 1),
        )


def _do(claim: Claim) -> tuple[Ended, int | None]:
    """Do the job in an app context and the organisation of its own, and write down how it ended; and for which app."""
    job = registry.declared().get(claim.job)
    with current_app.app_context(), tenancy.inside(claim.organisation_id):
        ended = _unknown(claim) if job is None else _try(job, claim)
        db.session.commit()
        return ended, g.get("app_id")  # which the job may have put there, as a view does


def _try(job: Job, claim: Claim) -> Ended:
    if claim.attempts > job.attempts:  # its workers died of it, one after the other
        reason = claim.last_error or "worker_died"
        outbox.bury(claim.id, reason)
        return Ended("dead", reason)
    try:
        with UnixSignalDeathPenalty(job.timeout_seconds, JobTimeoutException):
            job.function(claim)
    except JobUnfinished:
        outbox.continue_(claim.id)
        return Ended("continued")
    except JobFailed as failure:
        return _fail(job, claim, failure.reason, failure.may_retry)
    except JobTimeoutException:
        return _fail(job, claim, "timeout", may_retry=True)
    except Exception as error:  # noqa: BLE001  (any job may break in any way; the queue must go on)
        log.error("job_broke", job=job.name, outbox_id=claim.id, exc_info=error)
        return _fail(job, claim, type(error).__name__, may_retry=True)
    outbox.finish(claim.id)
    return Ended("done")


def _fail(job: Job, claim: Claim, reason: str, may_retry: bool) -> Ended:
    """Undo what the job left half done, and give it another time or none."""
    db.session.rollback()
    if may_retry and claim.attempts < job.attempts:
        outbox.retry(claim.id, reason, job.pause_seconds(claim.attempts))
        return Ended("retry", reason)
    log.error("job_died", job=job.name, outbox_id=claim.id, reason=reason)
    outbox.bury(claim.id, reason)
    return Ended("dead", reason)


def _unknown(claim: Claim) -> Ended:
    """A newer release wrote it; this worker leaves it for a worker of that release."""
    outbox.retry(claim.id, "unknown_job", UNKNOWN_JOB_PAUSE_SECONDS)
    return Ended("retry", "unknown_job")
