"""Reports that a job writes: what was asked for, the file in pieces, and how far it is.

As with uploads (app/store/batches.py) the bytes are rows of their own. What was committed when it was asked for is what
the report holds, however long it takes: the snapshot of that moment is kept and asked for each event.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text

from app.extensions import db
from app.store.apps import AppRef
from app.store.events import Place
from app.store.tenancy import across_organisations

KEPT_DAYS: Final = 3
MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class ReportRef:
    """A report and how far it is. done, total: events looked through; written: those in it."""

    id: UUID
    organisation_id: int
    app_id: int
    app_slug: str
    format: str
    filters: Mapping[str, str]
    snapshot: str
    user_id: int | None
    reached: Place | None
    chunks: int
    bytes_total: int
    written: int
    done: int
    total: int
    created_at: datetime
    finished_at: datetime | None
    author: str | None
    job_state: str | None
    job_error: str | None

    @property
    def state(self) -> str:
        """`waiting`, `working`, `done` or `failed`."""
        if self.finished_at:
            return "done"
        if self.job_state in ("dead", None):
            return "failed"
        return "working" if self.chunks or self.job_state == "running" else "waiting"

    @property
    def progress(self) -> float:
        """How much is looked through, from 0 to 1."""
        if self.finished_at:
            return 1.0
        return round(min(self.done / self.total, 1), 4) if self.total else 0.0


SELECT: Final = """
SELECT r.id, r.organisation_id, r.app_id, a.slug, r.format, r.filters, r.snapshot, r.user_id, r.reached_at,
    r.reached_id::text, r.chunks, r.bytes_total, r.written, r.done, r.total, r.created_at, r.finished_at,
    coalesce(u.email, k.name), o.state, o.last_error
FROM reports r JOIN apps a ON a.id = r.app_id LEFT JOIN outbox o ON o.id = r.outbox_id
    LEFT JOIN users u ON u.id = r.user_id LEFT JOIN api_keys k ON k.id = r.key_id
WHERE r.organisation_id = :organisation_id
"""
FIND = text(f"{SELECT} AND r.id = :id")
OF_APP = text(f"{SELECT} AND r.app_id = :app_id ORDER BY r.created_at DESC LIMIT :limit")
# Until the transaction ends nobody else of the organisation counts: two at once must not both find room.
TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended('reports', :organisation_id))")
UNFINISHED = text(
    "SELECT count(*) FROM reports r LEFT JOIN outbox o ON o.id = r.outbox_id"
    " WHERE r.organisation_id = :organisation_id AND r.finished_at IS NULL AND o.state IN ('waiting', 'running')"
)
ADD = text(
    """
    INSERT INTO reports (id, organisation_id, app_id, format, filters, snapshot, total, user_id, key_id)
    VALUES (:id, :organisation_id, :app_id, :format, CAST(:filters AS jsonb), pg_current_snapshot()::text, :total,
        :user_id, :key_id)
    """
)
GIVE_TO = text("UPDATE reports SET outbox_id = :outbox_id WHERE id = :id")
ADD_CHUNK = text(
    "INSERT INTO report_chunks (report_id, number, organisation_id, content)"
    " VALUES (:id, :number, :organisation_id, :content)"
)
# Whoever wrote the same piece meanwhile has moved the mark: then nothing is changed, and our piece is undone.
GO_ON = text(
    """
    UPDATE reports SET chunks = chunks + 1, bytes_total = bytes_total + :bytes, written = written + :written,
        done = greatest(done, :done), reached_at = :reached_at, reached_id = CAST(:reached_id AS uuid),
        finished_at = CASE WHEN CAST(:reached_at AS timestamptz) IS NULL THEN now() END
    WHERE id = :id AND chunks = :chunks AND finished_at IS NULL RETURNING id
    """
)
CHUNK = text(
    "SELECT content FROM report_chunks"
    " WHERE organisation_id = :organisation_id AND report_id = :id AND number = :number"
)
FORGET_OLD = text("DELETE FROM reports WHERE created_at < now() - make_interval(days => :days)")
FORGET_OF_APP = text("DELETE FROM reports WHERE organisation_id = :organisation_id AND app_id = :app_id")


def unfinished(organisation_id: int) -> int:
    """How many of the organisation's reports wait or are written; others who ask wait until we commit."""
    db.session.execute(TAKE_TURNS, {"organisation_id": organisation_id})
    return db.session.execute(UNFINISHED, {"organisation_id": organisation_id}).scalar_one()


def add(
    report_id: UUID,
    app: AppRef,
    format_: str,
    filters: Mapping[str, str],
    total: int,
    user_id: int | None,
    key_id: int | None,
) -> None:
    """Ask for a report of what is committed now; the caller adds the job, commits."""
    asked = {"format": format_, "filters": orjson.dumps(filters).decode(), "total": total}
    whose = {"organisation_id": app.organisation_id, "app_id": app.id, "user_id": user_id, "key_id": key_id}
    db.session.execute(ADD, {"id": report_id, **asked, **whose})


def give_to(report_id: UUID, outbox_id: int) -> None:
    """This job writes it; the caller commits."""
    db.session.execute(GIVE_TO, {"id": report_id, "outbox_id": outbox_id})


def find(organisation_id: int, report_id: UUID) -> ReportRef | None:
    """One report of this organisation."""
    row = db.session.execute(FIND, {"organisation_id": organisation_id, "id": report_id}).one_or_none()
    return _ref(row) if row else None


def of_app(app: AppRef) -> list[ReportRef]:
    """The app's reports, newest first."""
    chosen = {"organisation_id": app.organisation_id, "app_id": app.id, "limit": MOST_SHOWN}
    return [_ref(row) for row in db.session.execute(OF_APP, chosen)]


def _ref(row: Any) -> ReportRef:
    facts = list(row)
    facts[8:10] = [(row[8], row[9]) if row[8] else None]
    return ReportRef(*facts)


def add_piece(report: ReportRef, content: bytes, written: int, done: int, reached: Place | None) -> bool:
    """Keep the file's next bytes; `reached` None: they are the last. False where another worker was quicker.

    The caller commits, or in that case rolls back.
    """
    at, event_id = reached or (None, None)
    mark = {"reached_at": at, "reached_id": event_id, "chunks": report.chunks, "done": done}
    step = {"id": report.id, "bytes": len(content), "written": written, **mark}
    if db.session.execute(GO_ON, step).one_or_none() is None:
        return False
    chunk = {"id": report.id, "number": report.chunks, "organisation_id": report.organisation_id}
    db.session.execute(ADD_CHUNK, chunk | {"content": content})
    return True


def content(report: ReportRef) -> Iterator[bytes]:
    """The file's bytes, a piece in memory at a time; commits after each read."""
    for number in range(report.chunks):
        asked = {"organisation_id": report.organisation_id, "id": report.id, "number": number}
        found = db.session.execute(CHUNK, asked).scalar_one()
        db.session.commit()
        yield bytes(found)


def forget_of_app(organisation_id: int, app_id: int) -> None:
    """Drop the app's reports: what was deleted must not be had from them. The caller commits."""
    db.session.execute(FORGET_OF_APP, {"organisation_id": organisation_id, "app_id": app_id})


@across_organisations()
def forget_old(days: int = KEPT_DAYS) -> None:
    """Drop the reports of all organisations that are so many days old; the caller commits."""
    db.session.execute(FORGET_OLD, {"days": days})
