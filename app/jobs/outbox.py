"""Adding a job: a row in the caller's transaction, and a wake-up once that is committed."""

from datetime import datetime
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session, scoped_session

from app import logs
from app.jobs.queues import Queue, wake
from app.jobs.registry import Job
from app.store import outbox

PENDING = "jobs.outbox.pending"


def add(
    session: Session | scoped_session[Any],
    job: Job,
    arguments: dict[str, Any],
    organisation_id: int | None = None,
    not_before: datetime | None = None,
) -> int:
    """Write the job into the session's transaction and return its id. Done after the commit, at least once.

    arguments: ids, never a secret: rows are read by people and dumps. A Redis that cannot be reached delays
    the job until the next sweep and never fails the caller. not_before: when it is due; None: at once.
    """
    own = session() if isinstance(session, scoped_session) else session
    outbox_id = outbox.add(
        own, job.queue.value, job.name, arguments, organisation_id, not_before, request_id=logs.request_id()
    )
    if PENDING not in own.info:
        own.info[PENDING] = set()
        event.listen(own, "after_commit", _wake)
        event.listen(own, "after_rollback", _forget)
    own.info[PENDING].add(job.queue)
    return outbox_id


def _wake(session: Session) -> None:
    """One wake-up per queue: its worker drains all that waits there."""
    if session.in_nested_transaction():
        return
    pending: set[Queue] = session.info[PENDING]
    session.info[PENDING] = set()
    for queue in pending:
        wake(queue)


def _forget(session: Session) -> None:
    session.info[PENDING] = set()
