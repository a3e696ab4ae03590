"""Dead letters: a job that failed for good waits for a person, who has it tried again or deletes it."""

from app.errors import Refusal
from app.extensions import db
from app.jobs.queues import Queue, wake
from app.store import audit, job_history
from app.store.audit import Action


def retry(organisation_id: int | None, job_id: int) -> None:
    """Try a dead job again, with all its attempts; commits. Raises Refusal `unknown_job` (404)."""
    queue, name = _found(job_history.again(organisation_id, job_id), job_id)
    audit.record(Action.JOB_RETRIED, "job", job_id, organisation_id=organisation_id, job=name)
    db.session.commit()
    wake(Queue(queue))


def delete(organisation_id: int | None, job_id: int) -> None:
    """Delete a dead job; commits. Raises Refusal `unknown_job` (404)."""
    _, name = _found(job_history.delete(organisation_id, job_id), job_id)
    audit.record(Action.DELETED, "job", job_id, organisation_id=organisation_id, job=name)
    db.session.commit()


def _found(job: tuple[str, str] | None, job_id: int) -> tuple[str, str]:
    if job is None:
        db.session.rollback()
        raise Refusal("unknown_job", f"There is no dead job {job_id}. It may be done or deleted by now.", 404)
    return job
