"""The jobs of one organisation, or of none: what waits, what was done of late, and what died with its reason."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.extensions import db


@dataclass(frozen=True, slots=True)
class JobShown:
    """A job as people see it. seconds: how long its last try took; None while it waits or runs."""

    id: int
    queue: str
    job: str
    state: str  # `waiting`, `running`, `done` or `dead`
    attempts: int
    reason: str | None  # of the last failure: a code
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None


# The dead ones first: they wait for a person. `IS NOT DISTINCT FROM`: nobody's jobs are those of the product itself.
LIST = text(
    """
    SELECT id, queue, job, state, attempts, last_error, created_at, started_at, done_at,
        extract(epoch FROM done_at - started_at)::float
    FROM outbox WHERE organisation_id IS NOT DISTINCT FROM :organisation_id
    ORDER BY state = 'dead' DESC, id DESC LIMIT :limit
    """
)
ONE_DEAD = "id = :id AND organisation_id IS NOT DISTINCT FROM :organisation_id AND state = 'dead'"
AGAIN = text(
    f"""
    UPDATE outbox SET state = 'waiting', attempts = 0, not_before = now(), locked_until = NULL, done_at = NULL
    WHERE {ONE_DEAD} RETURNING queue, job
    """  # noqa: S608
)
DELETE = text(f"DELETE FROM outbox WHERE {ONE_DEAD} RETURNING queue, job")  # noqa: S608


def of(organisation_id: int | None, limit: int = 100) -> list[JobShown]:
    """The organisation's jobs, the dead first, then the newest; None: those that belong to no organisation."""
    return [
        JobShown(*row)
        for row in db.session.execute(LIST, {"organisation_id": organisation_id, "limit": limit})
    ]


def again(organisation_id: int | None, job_id: int) -> tuple[str, str] | None:
    """Give a dead job all its attempts anew; its queue and name, None where there is none. The caller commits."""
    row = db.session.execute(AGAIN, {"id": job_id, "organisation_id": organisation_id}).one_or_none()
    return (row.queue, row.job) if row else None


def delete(organisation_id: int | None, job_id: int) -> tuple[str, str] | None:
    """Forget a dead job; its queue and name, None where there is no such one. The caller commits."""
    row = db.session.execute(DELETE, {"id": job_id, "organisation_id": organisation_id}).one_or_none()
    return (row.queue, row.job) if row else None
