"""Doing jobs: claim a row of the outbox, do its job, say so. RQ calls `run` and knows no more of a job."""

import time

import structlog
from flask import current_app
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
    """Do the job in an app context and the organisation of its own, and write down how it ended."""
    job = registry.declared().get(claim.job)
    began = time.monotonic()
    with current_app.app_context(), tenancy.inside(claim.organisation_id):
        outcome = _unknown(claim) if job is None else _try(job, claim)
        db.session.commit()
    seconds = time.monotonic() - began
    metrics.JOBS.labels(claim.queue, outcome).inc()
    metrics.JOB_SECONDS.labels(claim.queue).observe(seconds)
    log.info(
        "job_ended",
        job=claim.job,
        outbox_id=claim.id,
        outcome=outcome,
        attempts=claim.attempts,
        milliseconds=round(seconds * 1000, 1),
    )


def _try(job: Job, claim: Claim) -> str:
    if claim.attempts > job.attempts:  # its workers died of it, one after the other
        outbox.bury(claim.id, claim.last_error or "worker_died")
        return "dead"
    try:
        with UnixSignalDeathPenalty(job.timeout_seconds, JobTimeoutException):
            job.function(claim)
    except JobUnfinished:
        outbox.continue_(claim.id)
        return "continued"
    except JobFailed as failure:
        return _fail(job, claim, failure.reason, failure.may_retry)
    except JobTimeoutException:
        return _fail(job, claim, "timeout", may_retry=True)
    except Exception as error:  # noqa: BLE001  (any job may break in any way; the queue must go on)
        log.error("job_broke", job=job.name, outbox_id=claim.id, exc_info=error)
        return _fail(job, claim, type(error).__name__, may_retry=True)
    outbox.finish(claim.id)
    return "done"


def _fail(job: Job, claim: Claim, reason: str, may_retry: bool) -> str:
    """Undo what the job left half done, and give it another time or none."""
    db.session.rollback()
    if may_retry and claim.attempts < job.attempts:
        outbox.retry(claim.id, reason, job.pause_seconds(claim.attempts))
        return "retry"
    log.error("job_died", job=job.name, outbox_id=claim.id, reason=reason)
    outbox.bury(claim.id, reason)
    return "dead"


def _unknown(claim: Claim) -> str:
    """A newer release wrote it; this worker leaves it for a worker of that release."""
    outbox.retry(claim.id, "unknown_job", UNKNOWN_JOB_PAUSE_SECONDS)
    return "retry"
