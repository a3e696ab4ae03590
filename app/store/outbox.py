"""The outbox: jobs as rows, written with the change that caused them. Whoever claims a row does the job."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.extensions import db
from app.store.tables import OutboxEntry
from app.store.tenancy import across_organisations


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that is ours until its lock runs out. `attempts` counts this one, `last_error` is older."""

    id: int
    queue: str
    job: str
    arguments: Mapping[str, Any]
    attempts: int
    last_error: str | None
    organisation_id: int | None
    created_at: datetime
    request_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """How many jobs of a queue are due, and for how many seconds the oldest has been."""

    jobs: int
    seconds: float


IS_DUE = "(state = 'waiting' AND not_before <= now() OR state = 'running' AND locked_until <= now())"
# Each job's lock lasts as long as the job may (plus a margin): `lock_seconds` maps its name to that.
CLAIM = text(
    f"""
    UPDATE outbox SET state = 'running', attempts = attempts + 1, started_at = now(),
        locked_until = now()
            + make_interval(secs => coalesce((CAST(:lock_seconds AS jsonb) ->> job)::int, 60))
    WHERE id = (
        SELECT id FROM outbox
        WHERE {IS_DUE} AND queue = :queue ORDER BY not_before, id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, queue, job, arguments, attempts, last_error, organisation_id, created_at,
        request_id, traceparent
    """  # noqa: S608  (made of constants of this file)
)
FINISH = text("UPDATE outbox SET state = 'done', done_at = now(), last_error = NULL WHERE id = :id")
# Behind all that is due already, and with all its attempts: what it did until now is done.
CONTINUE = text(
    "UPDATE outbox SET state = 'waiting', locked_until = NULL, last_error = NULL, attempts = 0, not_before = now()"
    " WHERE id = :id AND state = 'running'"
)
RETRY = text(
    """
    UPDATE outbox SET state = 'waiting', locked_until = NULL, last_error = :error,
        not_before = now() + make_interval(secs => :pause_seconds)
    WHERE id = :id AND state = 'running'
    """
)
BURY = text(
    "UPDATE outbox SET state = 'dead', done_at = now(), last_error = :error"
    " WHERE id = :id AND state = 'running'"
)
DUE = text(
    f"""
    SELECT queue, count(*) AS jobs, extract(epoch FROM now() - min(not_before))::float AS seconds FROM outbox
    WHERE {IS_DUE} GROUP BY queue
    """  # noqa: S608  (made of constants of this file)
)
REPEAT = text(
    """
    INSERT INTO outbox (queue, job) SELECT :queue, :job
    WHERE NOT EXISTS (
        SELECT FROM outbox WHERE job = :job
        AND (state IN ('waiting', 'running') OR created_at > now() - make_interval(secs => :every_seconds))
    )
    """
)
TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended('outbox.repeat', 0))")
PRUNE = text(
    """
    DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox WHERE state = 'done' AND done_at < now() - interval '1 day' LIMIT :limit
    )
    """
)


def add(
    session: Session,
    queue: str,
    job: str,
    arguments: dict[str, Any],
    organisation_id: int | None,
    not_before: datetime | None = None,
    *,
    request_id: str | None = None,
    traceparent: str | None = None,
) -> int:
    """Write a job into the caller's transaction and return its id. not_before: when it is due; None: now.

    request_id, traceparent: of the request that causes it.
    """
    due = {} if not_before is None else {"not_before": not_before}
    entry = OutboxEntry(
        queue=queue, job=job, arguments=arguments, organisation_id=organisation_id,
        request_id=request_id, traceparent=traceparent, **due,
    )  # fmt: skip
    session.add(entry)
    session.flush()
    return entry.id


@across_organisations()
def claim(queue: str, lock_seconds: Mapping[str, int]) -> Claim | None:
    """Take the queue's oldest due job; None where none is left for us. The caller commits."""
    chosen = {"queue": queue, "lock_seconds": json.dumps(dict(lock_seconds))}
    found = db.session.execute(CLAIM, chosen).one_or_none()
    return Claim(*found) if found else None


@across_organisations()
def finish(outbox_id: int) -> None:
    """The job is done; the caller commits, together with what the job changed."""
    db.session.execute(FINISH, {"id": outbox_id})


@across_organisations()
def continue_(outbox_id: int) -> None:
    """The job has more to do; it is due again at once. The caller commits, together with what the job changed."""
    db.session.execute(CONTINUE, {"id": outbox_id})


@across_organisations()
def retry(outbox_id: int, error: str, pause_seconds: int) -> None:
    """The job failed; it is due again after a pause. The caller commits."""
    db.session.execute(RETRY, {"id": outbox_id, "error": error, "pause_seconds": pause_seconds})


@across_organisations()
def bury(outbox_id: int, error: str) -> None:
    """The job failed for good and stays for a person to see. The caller commits."""
    db.session.execute(BURY, {"id": outbox_id, "error": error})


@across_organisations()
def due() -> dict[str, Due]:
    """The queues in which something is due."""
    return {row.queue: Due(row.jobs, row.seconds) for row in db.session.execute(DUE)}


@across_organisations()
def repeat(queue: str, job: str, every_seconds: int) -> None:
    """Add a job that runs by the clock, unless it waits, runs or ran within that time. The caller commits."""
    db.session.execute(TAKE_TURNS)  # two machines' sweepers must not both find none
    db.session.execute(REPEAT, {"queue": queue, "job": job, "every_seconds": every_seconds})


@across_organisations()
def prune(limit: int = 1000) -> None:
    """Forget jobs that were done yesterday; the dead ones stay. The caller commits."""
    db.session.execute(PRUNE, {"limit": limit})
