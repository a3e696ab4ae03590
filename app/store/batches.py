"""Large uploads: their bytes as chunks, how far each is worked through, and which lines were refused.

The bytes are kept unpacked, so that a job that begins anew finds its place without unpacking all before it;
PostgreSQL compresses them by itself. Road not taken: large objects, which psycopg2 does not support under gevent.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg2.extensions import cursor as Cursor  # noqa: N812  (a class that the driver spells small)
from psycopg2.extras import execute_values
from sqlalchemy import text

from app.extensions import db
from app.store.apps import AppRef
from app.store.tables import Batch
from app.store.tenancy import across_organisations

# One statement's worth: small enough not to hold up a worker's other requests while it is encoded.
CHUNK_BYTES: Final = 512 * 1024
ABANDONED_AFTER: Final = "1 hour"


@dataclass(frozen=True, slots=True)
class BatchRef:
    """An upload and how far it is worked through."""

    id: UUID
    organisation_id: int
    app_id: int
    app_slug: str
    environment: str | None
    format: str
    bytes_total: int
    bytes_done: int
    lines_done: int
    counts: Mapping[str, Mapping[str, int]]
    created_at: datetime
    finished_at: datetime | None
    is_whole: bool
    job_state: str | None  # of the outbox; None once that row is pruned
    job_error: str | None

    @property
    def progress(self) -> float:
        """How much is worked through, from 0 to 1."""
        if self.finished_at:
            return 1.0
        return round(self.bytes_done / self.bytes_total, 4) if self.bytes_total else 0.0

    @property
    def state(self) -> str:
        """`receiving`, `waiting`, `working`, `done` or `failed`."""
        if not self.is_whole:
            return "receiving"
        if self.finished_at:
            return "done"
        if self.job_state in ("dead", None):
            return "failed"
        return "working" if self.bytes_done or self.job_state == "running" else "waiting"


SELECT = """
SELECT b.id, b.organisation_id, b.app_id, a.slug, b.environment, b.format, b.bytes_total, b.bytes_done,
    b.lines_done, b.counts, b.created_at, b.finished_at, b.outbox_id IS NOT NULL, o.state, o.last_error
FROM batches b JOIN apps a ON a.id = b.app_id LEFT JOIN outbox o ON o.id = b.outbox_id
"""
FIND = text(f"{SELECT} WHERE b.organisation_id = :organisation_id AND b.id = :id")
OF_APP = text(
    f"{SELECT} WHERE b.organisation_id = :organisation_id AND b.app_id = :app_id AND b.outbox_id IS NOT NULL"
    " ORDER BY b.created_at DESC LIMIT :limit"
)
UNFINISHED = text("SELECT count(*) FROM batches WHERE app_id = :app_id AND finished_at IS NULL")
ADD_CHUNK = text(
    "INSERT INTO batch_chunks (batch_id, number, organisation_id, content)"
    " VALUES (:batch_id, :number, :organisation_id, :content)"
)
CHUNK = text("SELECT content FROM batch_chunks WHERE batch_id = :batch_id AND number = :number")
COMPLETE = text("UPDATE batches SET bytes_total = :bytes_total, outbox_id = :outbox_id WHERE id = :id")
FORGET = text("DELETE FROM batches WHERE id = :id AND outbox_id IS NULL")
FORGET_CHUNKS = text("DELETE FROM batch_chunks WHERE batch_id = :id")
FORGET_ABANDONED = text(
    f"DELETE FROM batches WHERE outbox_id IS NULL AND created_at < now() - interval '{ABANDONED_AFTER}'"  # noqa: S608
)
FORGET_OLD = text("DELETE FROM batches WHERE finished_at < now() - make_interval(days => :days)")
REFUSALS = text(
    "SELECT line, reason FROM batch_refusals WHERE organisation_id = :organisation_id AND batch_id = :batch_id"
    " ORDER BY line"
)
# Whoever worked on the same slice meanwhile has moved the mark: then nothing is changed, and our slice is undone.
ADVANCE = """
UPDATE batches SET bytes_done = %(end)s, lines_done = %(lines)s, counts = %(counts)s::jsonb,
    finished_at = CASE WHEN %(is_last)s THEN now() END
WHERE id = %(id)s AND bytes_done = %(begin)s AND lines_done = %(lines_before)s AND finished_at IS NULL
"""


def add(batch_id: UUID, app: AppRef, environment: str | None, format_: str) -> None:
    """Begin an upload; the caller commits."""
    owned = {"organisation_id": app.organisation_id, "app_id": app.id}
    db.session.add(Batch(id=batch_id, environment=environment, format=format_, **owned))
    db.session.flush()


def add_chunk(batch_id: UUID, organisation_id: int, number: int, content: bytes) -> None:
    """Keep the upload's next bytes: CHUNK_BYTES of them, or what is left; the caller commits."""
    chunk = {"batch_id": batch_id, "organisation_id": organisation_id, "number": number, "content": content}
    db.session.execute(ADD_CHUNK, chunk)


def complete(batch_id: UUID, bytes_total: int, outbox_id: int) -> None:
    """The upload is whole and this job will work through it; the caller commits."""
    db.session.execute(COMPLETE, {"id": batch_id, "bytes_total": bytes_total, "outbox_id": outbox_id})


def forget(batch_id: UUID) -> None:
    """Drop an upload that never became whole; the caller commits."""
    db.session.execute(FORGET, {"id": batch_id})


def forget_chunks(batch_id: UUID) -> None:
    """Drop the bytes of an upload that is worked through; the caller commits."""
    db.session.execute(FORGET_CHUNKS, {"id": batch_id})


@across_organisations()
def forget_abandoned() -> None:
    """Drop the uploads that were broken off; the caller commits."""
    db.session.execute(FORGET_ABANDONED)


@across_organisations()
def forget_old(days: int) -> None:
    """Drop what is known of uploads that were finished so many days ago; the caller commits."""
    db.session.execute(FORGET_OLD, {"days": days})


def unfinished(app_id: int) -> int:
    """How many of the app's uploads still wait, or are still coming in."""
    return db.session.execute(UNFINISHED, {"app_id": app_id}).scalar_one()


def find(organisation_id: int, batch_id: UUID) -> BatchRef | None:
    """One upload of this organisation."""
    row = db.session.execute(FIND, {"organisation_id": organisation_id, "id": batch_id}).one_or_none()
    return BatchRef(*row) if row else None


def of_app(organisation_id: int, app_id: int, limit: int) -> list[BatchRef]:
    """The app's whole uploads, newest first."""
    chosen = {"organisation_id": organisation_id, "app_id": app_id, "limit": limit}
    return [BatchRef(*row) for row in db.session.execute(OF_APP, chosen)]


def bytes_from(batch_id: UUID, offset: int) -> Iterator[bytes]:
    """The upload's bytes from this offset on, a chunk in memory at a time; commits after each read."""
    number, skipped = divmod(offset, CHUNK_BYTES)
    while True:
        found = db.session.execute(CHUNK, {"batch_id": batch_id, "number": number}).scalar_one_or_none()
        db.session.commit()
        if found is None:
            return
        yield bytes(found)[skipped:]
        number, skipped = number + 1, 0


@dataclass(frozen=True, slots=True)
class Advance:
    """What one slice changes about its upload."""

    end: int
    lines: int
    counts: Mapping[str, Mapping[str, int]]
    refused: Sequence[tuple[int, str]]  # line, reason
    is_last: bool


class Overtaken(Exception):
    """Another worker has done this slice."""


def advance(cursor: Cursor, batch: BatchRef, step: Advance) -> None:
    """Move the upload's mark, in the transaction that keeps the slice's events. Raises Overtaken."""
    cursor.execute(
        ADVANCE,
        {
            "id": str(batch.id),
            "begin": batch.bytes_done,
            "lines_before": batch.lines_done,
            "end": step.end,
            "lines": step.lines,
            "counts": json.dumps(step.counts),
            "is_last": step.is_last,
        },
    )
    if cursor.rowcount != 1:
        raise Overtaken
    if step.refused:
        execute_values(
            cursor,
            "INSERT INTO batch_refusals (batch_id, organisation_id, line, reason) VALUES %s",
            [(str(batch.id), batch.organisation_id, line, reason) for line, reason in step.refused],
            page_size=len(step.refused),
        )


def refusals(organisation_id: int, batch_id: UUID) -> list[tuple[int, str]]:
    """Refused lines and their reasons."""
    chosen = {"organisation_id": organisation_id, "batch_id": batch_id}
    return [(line, reason) for line, reason in db.session.execute(REFUSALS, chosen)]
