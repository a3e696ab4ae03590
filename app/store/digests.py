"""Who wants to be mailed what is new in which app, how often, and up to when each was told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import text

from app.extensions import db
from app.store.apps import AppRef
from app.store.tenancy import across_organisations

MOST_DUE: Final = 200
# An event is committed at most this long after the moment that it carries: a digest ends so long ago.
SETTLED: Final = "1 minute"


@dataclass(frozen=True, slots=True)
class Due:
    """A digest whose time may have come."""

    organisation_id: int
    user_id: int
    app_slug: str


@dataclass(frozen=True, slots=True)
class Period:
    """What a digest is to tell of: what came after `since` up to `until`. told: regressed group → resolved when."""

    since: datetime
    until: datetime
    told: Mapping[str, str]


OWN = "organisation_id = :organisation_id AND user_id = :user_id"
CHOOSE = text(
    """
    INSERT INTO digests (user_id, app_id, organisation_id, every)
    VALUES (:user_id, :app_id, :organisation_id, :every)
    ON CONFLICT (user_id, app_id) DO UPDATE SET every = excluded.every
    """
)
STOP = text(f"DELETE FROM digests WHERE {OWN} AND app_id = :app_id")  # noqa: S608
EVERY = text(f"SELECT every FROM digests WHERE {OWN} AND app_id = :app_id")  # noqa: S608
OF_USER = text(
    f"SELECT a.slug, a.name, d.every FROM digests d JOIN apps a ON a.id = d.app_id"  # noqa: S608
    f" WHERE d.{OWN.replace('AND ', 'AND d.')} ORDER BY a.name, a.slug"
)
IS_DUE = "d.sent_to <= now() - CASE d.every WHEN 'day' THEN interval '1 day' ELSE interval '7 days' END"
DUE = text(
    f"SELECT d.organisation_id, d.user_id, a.slug FROM digests d JOIN apps a ON a.id = d.app_id"  # noqa: S608
    f" JOIN organisations o ON o.id = d.organisation_id WHERE {IS_DUE} AND o.deletes_at IS NULL"
    " ORDER BY d.sent_to LIMIT :limit"
)
# Whoever holds it is telling already.
TAKE = text(
    f"SELECT d.sent_to, now() - interval '{SETTLED}', d.told FROM digests d"  # noqa: S608
    f" WHERE d.{OWN.replace('AND ', 'AND d.')} AND d.app_id = :app_id AND {IS_DUE} FOR UPDATE SKIP LOCKED"
)
MOVE = text(
    f"UPDATE digests SET sent_to = :until, told = CAST(:told AS jsonb) WHERE {OWN} AND app_id = :app_id"  # noqa: S608
)


def _key(app: AppRef, user_id: int) -> dict[str, int]:
    return {"organisation_id": app.organisation_id, "app_id": app.id, "user_id": user_id}


def choose(app: AppRef, user_id: int, every: str | None) -> None:
    """Mail this member each `day` or `week`, or (None) no more; the caller commits."""
    if every is None:
        db.session.execute(STOP, _key(app, user_id))
    else:
        db.session.execute(CHOOSE, _key(app, user_id) | {"every": every})


def chosen(app: AppRef, user_id: int | None) -> str | None:
    """How often this member is mailed of the app."""
    asked = {"organisation_id": app.organisation_id, "app_id": app.id, "user_id": user_id}
    return db.session.execute(EVERY, asked).scalar_one_or_none()


def of_user(organisation_id: int, user_id: int | None) -> list[tuple[str, str, str]]:
    """The member's digests in this organisation: app's id, its name, how often."""
    asked = {"organisation_id": organisation_id, "user_id": user_id}
    return [(slug, name, every) for slug, name, every in db.session.execute(OF_USER, asked)]


@across_organisations()
def due() -> list[Due]:
    """Digests of all organisations whose time has come, the longest due first."""
    return [Due(*row) for row in db.session.execute(DUE, {"limit": MOST_DUE})]


def take(app: AppRef, user_id: int) -> Period | None:
    """Hold a due digest until the transaction ends; None where another worker does, or has told."""
    row = db.session.execute(TAKE, _key(app, user_id)).one_or_none()
    return Period(*row) if row else None


def move(app: AppRef, user_id: int, period: Period, told: Mapping[str, str]) -> None:
    """Everything up to the period's end is told; the caller commits, together with the mail's job."""
    mark = {"until": period.until, "told": orjson.dumps(told).decode()}
    db.session.execute(MOVE, _key(app, user_id) | mark)
