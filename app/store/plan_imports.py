"""Large plan files: kept as they came in, read by a job, and what became of each.

As with uploads of events (app/store/batches.py) the bytes are rows of their own, committed before the answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text

from app.extensions import db
from app.store.apps import AppRef
from app.store.tables import PlanImport
from app.store.tenancy import across_organisations

CHUNK_BYTES: Final = 512 * 1024
ABANDONED_AFTER: Final = "1 hour"


@dataclass(frozen=True, slots=True)
class ImportRef:
    """A plan's file and how far it is read. asked: what its sender asked for. done, total: of this stage, in rows.

    result: what its sender would have been answered; problems are counted in it and kept beside it.
    """

    id: UUID
    organisation_id: int
    app_id: int
    app_slug: str
    format: str
    asked: Mapping[str, Any]
    user_id: int | None
    key_id: int | None
    bytes_total: int
    stage: str
    done: int
    total: int
    result: Mapping[str, Any] | None
    created_at: datetime
    finished_at: datetime | None
    is_whole: bool
    job_state: str | None  # of the outbox; None once that row is pruned
    job_error: str | None

    @property
    def state(self) -> str:
        """`waiting`, `working`, `done`, `refused` (its result says why) or `failed`."""
        if self.finished_at:
            return "refused" if self.result and "code" in self.result else "done"
        if self.job_state in ("dead", None):
            return "failed"
        return "working" if self.job_state == "running" else "waiting"

    @property
    def progress(self) -> float | None:
        """How much of this stage is done, from 0 to 1; None where nobody can tell."""
        if self.finished_at:
            return 1.0
        return round(min(self.done / self.total, 1), 4) if self.total else None


SELECT: Final = """
SELECT i.id, i.organisation_id, i.app_id, a.slug, i.format, i.asked, i.user_id, i.key_id, i.bytes_total, i.stage,
    i.done, i.total, i.result, i.created_at, i.finished_at, i.outbox_id IS NOT NULL, o.state, o.last_error
FROM plan_imports i JOIN apps a ON a.id = i.app_id LEFT JOIN outbox o ON o.id = i.outbox_id
"""
FIND = text(f"{SELECT} WHERE i.organisation_id = :organisation_id AND i.id = :id")
OF_APP = text(
    f"{SELECT} WHERE i.organisation_id = :organisation_id AND i.app_id = :app_id AND i.outbox_id IS NOT NULL"
    " ORDER BY i.created_at DESC LIMIT :limit"
)
# One whose job died waits no more, nor does one that was broken off.
UNFINISHED = text(
    "SELECT count(*) FROM plan_imports i LEFT JOIN outbox o ON o.id = i.outbox_id"
    " WHERE i.app_id = :app_id AND i.finished_at IS NULL AND coalesce(o.state, '') <> 'dead'"
    " AND i.created_at > now() - interval '1 hour'"
)
ADD_CHUNK = text(
    "INSERT INTO plan_import_chunks (import_id, number, organisation_id, content)"
    " VALUES (:id, :number, :organisation_id, :content)"
)
CHUNKS = text("SELECT content FROM plan_import_chunks WHERE import_id = :id ORDER BY number")
COMPLETE = text("UPDATE plan_imports SET bytes_total = :bytes_total, outbox_id = :outbox_id WHERE id = :id")
TELL = text("UPDATE plan_imports SET stage = :stage, done = :done, total = :total WHERE id = :id")
LOCK = text("SELECT finished_at IS NULL FROM plan_imports WHERE id = :id FOR UPDATE")
FINISH = text(
    "UPDATE plan_imports SET result = CAST(:result AS jsonb), problems = :problems, finished_at = now() WHERE id = :id"
)
PROBLEMS = text("SELECT problems FROM plan_imports WHERE organisation_id = :organisation_id AND id = :id")
FORGET = text("DELETE FROM plan_imports WHERE id = :id AND outbox_id IS NULL")
FORGET_CHUNKS = text("DELETE FROM plan_import_chunks WHERE import_id = :id")
FORGET_ABANDONED = text(
    f"DELETE FROM plan_imports WHERE outbox_id IS NULL AND created_at < now() - interval '{ABANDONED_AFTER}'"  # noqa: S608
)
FORGET_OLD = text("DELETE FROM plan_imports WHERE created_at < now() - make_interval(days => :days)")


def add(
    import_id: UUID, app: AppRef, format_: str, asked: dict[str, Any], user_id: int | None, key_id: int | None
) -> None:
    """Begin a file; the caller commits."""
    owned = {"organisation_id": app.organisation_id, "app_id": app.id}
    who = {"user_id": user_id, "key_id": key_id}
    db.session.add(PlanImport(id=import_id, format=format_, asked=asked, **owned, **who))
    db.session.flush()


def add_chunk(import_id: UUID, organisation_id: int, number: int, content: bytes) -> None:
    """Keep the file's next bytes; the caller commits."""
    chunk = {"id": import_id, "organisation_id": organisation_id, "number": number, "content": content}
    db.session.execute(ADD_CHUNK, chunk)


def complete(import_id: UUID, bytes_total: int, outbox_id: int) -> None:
    """The file is whole and this job will read it; the caller commits."""
    db.session.execute(COMPLETE, {"id": import_id, "bytes_total": bytes_total, "outbox_id": outbox_id})


def forget(import_id: UUID) -> None:
    """Drop a file that never became whole; the caller commits."""
    db.session.execute(FORGET, {"id": import_id})


def body(import_id: UUID) -> bytes:
    """The whole file."""
    return b"".join(bytes(chunk) for chunk in db.session.execute(CHUNKS, {"id": import_id}).scalars())


def tell(import_id: UUID, stage: str, done: int, total: int) -> None:
    """Say how far the file is read; the caller commits."""
    db.session.execute(TELL, {"id": import_id, "stage": stage, "done": done, "total": total})


def lock(import_id: UUID) -> bool:
    """Hold the file until the transaction ends; False where it is forgotten, or another worker has finished it."""
    return bool(db.session.execute(LOCK, {"id": import_id}).scalar_one_or_none())


def finish(import_id: UUID, result: Mapping[str, Any], problems: list[dict[str, Any]]) -> None:
    """What became of the file, whose bytes are dropped; the caller commits, together with what the plan became."""
    lines = b"\n".join(map(orjson.dumps, problems)).decode()
    values = {"id": import_id, "result": orjson.dumps(result).decode(), "problems": lines}
    db.session.execute(FINISH, values)
    db.session.execute(FORGET_CHUNKS, {"id": import_id})


def problems(organisation_id: int, import_id: UUID) -> str:
    """Every problem of the file, one JSON object a line."""
    found = db.session.execute(PROBLEMS, {"organisation_id": organisation_id, "id": import_id})
    return found.scalar_one_or_none() or ""


def unfinished(app_id: int) -> int:
    """How many of the app's files still wait, or are still coming in."""
    return db.session.execute(UNFINISHED, {"app_id": app_id}).scalar_one()


def find(organisation_id: int, import_id: UUID) -> ImportRef | None:
    """One file of this organisation."""
    row = db.session.execute(FIND, {"organisation_id": organisation_id, "id": import_id}).one_or_none()
    return ImportRef(*row) if row else None


def of_app(organisation_id: int, app_id: int, limit: int) -> list[ImportRef]:
    """The app's whole files, newest first."""
    chosen = {"organisation_id": organisation_id, "app_id": app_id, "limit": limit}
    return [ImportRef(*row) for row in db.session.execute(OF_APP, chosen)]


@across_organisations()
def forget_old(days: int) -> None:
    """Drop the files that were broken off, and what is known of those that came so long ago; the caller commits."""
    db.session.execute(FORGET_ABANDONED)
    db.session.execute(FORGET_OLD, {"days": days})
