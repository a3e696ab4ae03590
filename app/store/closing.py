"""Closing an organisation: from a moment that its owner chose it takes no keys, and at `deletes_at` it is deleted.

Until then it can be reopened. The database's clock decides: what is due cannot be reopened, what can be reopened is
not due.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.extensions import db
from app.store.tenancy import across_organisations


@dataclass(frozen=True, slots=True)
class Due:
    """An organisation whose time has come."""

    organisation_id: int
    name: str


CLOSE = text(
    "UPDATE organisations SET deletes_at = now() + make_interval(days => :days)"
    " WHERE id = :organisation_id AND deletes_at IS NULL RETURNING deletes_at"
)
REOPEN = text(
    "UPDATE organisations SET deletes_at = NULL"
    " WHERE id = :organisation_id AND deletes_at > now() RETURNING id"
)
DUE = text("SELECT id, name FROM organisations WHERE deletes_at <= now() ORDER BY deletes_at, id LIMIT 1")
FORGET = text("DELETE FROM organisations WHERE id = :organisation_id AND deletes_at <= now()")


def close(organisation_id: int, days: int) -> datetime | None:
    """Close it, to be deleted in so many days; when that is, or None where it is closed already. The caller commits."""
    return db.session.execute(CLOSE, {"organisation_id": organisation_id, "days": days}).scalar()


def reopen(organisation_id: int) -> bool:
    """Undo that; False where it is open, or its time has come. The caller commits."""
    return db.session.execute(REOPEN, {"organisation_id": organisation_id}).scalar() is not None


@across_organisations()
def due() -> Due | None:
    """The organisation that has been due for the longest."""
    found = db.session.execute(DUE).one_or_none()
    return Due(*found) if found else None


def forget(organisation_id: int) -> None:
    """Delete the organisation's own row, the last one. The caller commits."""
    db.session.execute(FORGET, {"organisation_id": organisation_id})
