"""Deletions by filter: asked for, undone, under way. The row is locked at each step, so no two workers do one."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text

from app.extensions import db
from app.store import deleting
from app.store.filters import Filters
from app.store.tables import Deletion

SLICE = 5_000
MOST_SHOWN = 10
SHOWN_FOR = timedelta(hours=1)  # after it ended

UNDO = text(
    """
    UPDATE deletions SET undone_at = now() WHERE organisation_id = :organisation_id AND app_id = :app_id AND id = :id
      AND undone_at IS NULL AND starts_at > now() RETURNING id
    """
)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a deletion came to."""

    deletion: Deletion
    is_over: bool


def ask(organisation_id: int, app_id: int, filters: Filters, grace_seconds: int) -> Deletion:
    """Write down what is to go, of what came until now; the caller adds the job, commits. By the database clock."""
    now: datetime = db.session.execute(select(func.now())).scalar_one()
    deletion = Deletion(
        organisation_id=organisation_id,
        app_id=app_id,
        filters=replace(filters, received_to=min(filters.received_to or now, now)).as_json(),
        asked_at=now,
        starts_at=now + timedelta(seconds=grace_seconds),
    )
    db.session.add(deletion)
    db.session.flush()
    return deletion


def undo(organisation_id: int, app_id: int, deletion_id: int) -> bool:
    """Take it back within its grace; False where there is none or it has begun. The caller commits."""
    asked: dict[str, Any] = {"organisation_id": organisation_id, "app_id": app_id, "id": deletion_id}
    return db.session.execute(UNDO, asked).one_or_none() is not None


def find(organisation_id: int, app_id: int, deletion_id: int) -> Deletion | None:
    """The app's deletion of that id."""
    own = (Deletion.organisation_id == organisation_id, Deletion.app_id == app_id, Deletion.id == deletion_id)
    return db.session.execute(select(Deletion).where(*own)).scalar_one_or_none()


def of_app(organisation_id: int, app_id: int) -> list[Deletion]:
    """Those to come, under way and just over, newest first."""
    recent = Deletion.finished_at.is_(None) | (Deletion.finished_at > func.now() - SHOWN_FOR)
    asked = (
        select(Deletion)
        .where(
            Deletion.organisation_id == organisation_id,
            Deletion.app_id == app_id,
            Deletion.undone_at.is_(None),
            recent,
        )
        .order_by(Deletion.id.desc())
        .limit(MOST_SHOWN)
    )
    return list(db.session.scalars(asked))


def step(organisation_id: int, deletion_id: int, rows: int = SLICE) -> Step | None:
    """Delete the next slice; None where it was undone, is over, or is not to begin yet. The caller commits."""
    deletion = db.session.execute(
        select(Deletion)
        .where(
            Deletion.organisation_id == organisation_id,
            Deletion.id == deletion_id,
            Deletion.undone_at.is_(None),
            Deletion.finished_at.is_(None),
            Deletion.starts_at <= func.now(),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if deletion is None:
        return None
    reached = (
        (deletion.reached_at, str(deletion.reached_id))
        if deletion.reached_at and deletion.reached_id
        else None
    )
    gone, end = deleting.delete_slice(
        organisation_id, deletion.app_id, Filters.of_json(deletion.filters), reached, rows
    )
    deletion.deleted += gone
    if end is None:
        deletion.finished_at = datetime.now(UTC)
    else:
        deletion.reached_at, deletion.reached_id = end  # type: ignore[assignment]
    return Step(deletion, end is None)
