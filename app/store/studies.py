"""What was found out about stored events for the sake of a plan: back-tests of drafts, and plans inferred.

A study is done by a job turn by turn: its state is where the next turn goes on. The newest of each app are kept.
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
from app.store.tables import Study

BACKTEST: Final = "backtest"
INFER: Final = "infer"
# Of each kind and app; a back-test's result is some hundred kilobytes at most.
MOST_KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class StudyRef:
    """A study and how far it is. asked: what was asked for; content: the plan that is tried, while it is."""

    id: UUID
    organisation_id: int
    app_id: int
    app_slug: str
    kind: str
    asked: Mapping[str, Any]
    content: str | None
    user_id: int | None
    key_id: int | None
    done: int
    total: int
    progress_state: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    created_at: datetime
    finished_at: datetime | None
    cancelled_at: datetime | None
    author: str | None
    job_state: str | None
    job_error: str | None

    @property
    def state(self) -> str:
        """`waiting`, `working`, `done`, `cancelled` or `failed`."""
        if self.finished_at:
            return "done"
        if self.cancelled_at:
            return "cancelled"
        if self.job_state in ("dead", None):
            return "failed"
        return "working" if self.done or self.job_state == "running" else "waiting"

    @property
    def progress(self) -> float:
        """How much is done, from 0 to 1."""
        if self.finished_at:
            return 1.0
        return round(min(self.done / self.total, 1), 4) if self.total else 0.0


SELECT: Final = """
SELECT s.id, s.organisation_id, s.app_id, a.slug, s.kind, s.asked, s.content, s.user_id, s.key_id, s.done, s.total,
    s.state, s.result, s.created_at, s.finished_at, s.cancelled_at,
    coalesce(u.email, nullif(k.name, ''), k.prefix), o.state, o.last_error
FROM studies s JOIN apps a ON a.id = s.app_id LEFT JOIN outbox o ON o.id = s.outbox_id
    LEFT JOIN users u ON u.id = s.user_id LEFT JOIN api_keys k ON k.id = s.key_id
WHERE s.organisation_id = :organisation_id
"""
FIND = text(f"{SELECT} AND s.id = :id")
NEWEST = text(f"{SELECT} AND s.app_id = :app_id AND s.kind = :kind ORDER BY s.created_at DESC LIMIT :limit")
OPEN = "finished_at IS NULL AND cancelled_at IS NULL"
UNFINISHED = text(
    f"SELECT count(*) FROM studies s LEFT JOIN outbox o ON o.id = s.outbox_id"  # noqa: S608
    f" WHERE app_id = :app_id AND kind = :kind AND {OPEN} AND coalesce(o.state, '') <> 'dead'"
)
BEGIN = text("UPDATE studies SET outbox_id = :outbox_id WHERE id = :id")
GO_ON = text(
    f"UPDATE studies SET done = :done, total = :total, state = CAST(:state AS jsonb) WHERE id = :id AND {OPEN}"  # noqa: S608
    " AND done = :was_done RETURNING id"
)
FINISH = text(
    f"UPDATE studies SET result = CAST(:result AS jsonb), state = NULL, content = NULL, finished_at = now()"  # noqa: S608
    f" WHERE id = :id AND {OPEN} RETURNING id"
)
CANCEL = text(
    f"UPDATE studies SET cancelled_at = now(), state = NULL, content = NULL"  # noqa: S608
    f" WHERE organisation_id = :organisation_id AND id = :id AND {OPEN} RETURNING id"
)
FORGET = text(
    "DELETE FROM studies WHERE app_id = :app_id AND kind = :kind AND id NOT IN"
    " (SELECT id FROM studies WHERE app_id = :app_id AND kind = :kind ORDER BY created_at DESC LIMIT :kept)"
)


def add(
    study_id: UUID,
    app: AppRef,
    kind: str,
    asked: dict[str, Any],
    *,
    content: str | None = None,
    user_id: int | None = None,
    key_id: int | None = None,
) -> None:
    """Begin a study, and forget the app's oldest of the kind; the caller commits."""
    owned = {"organisation_id": app.organisation_id, "app_id": app.id, "user_id": user_id, "key_id": key_id}
    db.session.add(Study(id=study_id, kind=kind, asked=asked, content=content, **owned))
    db.session.flush()
    db.session.execute(FORGET, {"app_id": app.id, "kind": kind, "kept": MOST_KEPT})


def give_to(study_id: UUID, outbox_id: int) -> None:
    """This job does the study; the caller commits."""
    db.session.execute(BEGIN, {"id": study_id, "outbox_id": outbox_id})


def go_on(
    study_id: UUID, was_done: int, done: int, total: int, state: Mapping[str, Any] | None = None
) -> bool:
    """Write down how far it is; False where it was cancelled, or another worker was quicker. The caller commits."""
    values = {"id": study_id, "done": done, "total": total, "was_done": was_done}
    written = orjson.dumps(state).decode() if state is not None else None
    return db.session.execute(GO_ON, values | {"state": written}).one_or_none() is not None


def finish(study_id: UUID, result: Mapping[str, Any]) -> bool:
    """What was found; False where it was cancelled or finished before. The caller commits."""
    values = {"id": study_id, "result": orjson.dumps(result).decode()}
    return db.session.execute(FINISH, values).one_or_none() is not None


def cancel(organisation_id: int, study_id: UUID) -> bool:
    """End a study before it is done; False where it was over already. The caller commits."""
    values = {"organisation_id": organisation_id, "id": study_id}
    return db.session.execute(CANCEL, values).one_or_none() is not None


def find(organisation_id: int, study_id: UUID) -> StudyRef | None:
    """One study of this organisation."""
    row = db.session.execute(FIND, {"organisation_id": organisation_id, "id": study_id}).one_or_none()
    return StudyRef(*row) if row else None


def newest(app: AppRef, kind: str, limit: int) -> list[StudyRef]:
    """The app's studies of a kind, newest first."""
    chosen = {"organisation_id": app.organisation_id, "app_id": app.id, "kind": kind, "limit": limit}
    return [StudyRef(*row) for row in db.session.execute(NEWEST, chosen)]


def unfinished(app: AppRef, kind: str) -> int:
    """How many of the app's studies of a kind wait or are worked on."""
    return db.session.execute(UNFINISHED, {"app_id": app.id, "kind": kind}).scalar_one()
