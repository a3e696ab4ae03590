"""Who belongs to an organisation, and as what. An organisation always has an owner: see `owners_but`."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.extensions import db
from app.store import standing
from app.store.tables import Role
from app.store.tenancy import across_organisations


@dataclass(frozen=True, slots=True)
class Member:
    """One person's place in the organisation."""

    user_id: int
    email: str
    role: Role
    joined_at: datetime


OF = """
SELECT m.user_id, u.email, m.role, m.created_at FROM memberships m JOIN users u ON u.id = m.user_id
WHERE m.organisation_id = :organisation_id
"""
ALL = text(OF + " ORDER BY array_position(ARRAY['owner','admin','editor','viewer'], m.role), u.email")
ONE = text(OF + " AND m.user_id = :user_id FOR UPDATE OF m")
OWNERS = text(
    "SELECT user_id FROM memberships WHERE organisation_id = :organisation_id AND role = 'owner'"
    " ORDER BY user_id FOR UPDATE"
)
HAS_ADDRESS = text(f"SELECT EXISTS ({OF} AND u.email = :email)")  # noqa: S608  (a constant of this file)
SET_ROLE = text(
    "UPDATE memberships SET role = :role WHERE organisation_id = :organisation_id AND user_id = :user_id"
)
REMOVE = text("DELETE FROM memberships WHERE organisation_id = :organisation_id AND user_id = :user_id")
JOIN = text(
    "INSERT INTO memberships (organisation_id, user_id, role) VALUES (:organisation_id, :user_id, :role)"
    " ON CONFLICT DO NOTHING"
)
BELONGS = text("SELECT FROM memberships WHERE organisation_id = :organisation_id AND user_id = :user_id")


def of(organisation_id: int) -> list[Member]:
    """All members, the strongest role first."""
    rows = db.session.execute(ALL, {"organisation_id": organisation_id})
    return [Member(user_id, email, Role(role), at) for user_id, email, role, at in rows]


def locked(organisation_id: int, user_id: int) -> Member | None:
    """One member, whose place nobody else changes until the caller's transaction ends; None for anyone else."""
    values = {"organisation_id": organisation_id, "user_id": user_id}
    found = db.session.execute(ONE, values).one_or_none()
    return Member(found[0], found[1], Role(found[2]), found[3]) if found else None


def owners_but(organisation_id: int, user_id: int) -> list[int]:
    """The other owners. Locks all of them in one order, so that two who leave at once come one after the other."""
    rows = db.session.execute(OWNERS, {"organisation_id": organisation_id}).scalars()
    return [owner for owner in rows if owner != user_id]


def has_address(organisation_id: int, email: str) -> bool:
    """Does somebody with this address belong to it already?"""
    values = {"organisation_id": organisation_id, "email": email}
    return db.session.execute(HAS_ADDRESS, values).scalar_one()


def set_role(organisation_id: int, user_id: int, role: Role) -> None:
    """Counts within a second wherever the member is signed in. The caller commits."""
    values = {"organisation_id": organisation_id, "user_id": user_id, "role": role.value}
    db.session.execute(SET_ROLE, values)
    standing.changed(user_id)


def remove(organisation_id: int, user_id: int) -> None:
    """End the membership, and with it every session in this organisation. The caller commits."""
    db.session.execute(REMOVE, {"organisation_id": organisation_id, "user_id": user_id})
    standing.changed(user_id)


@across_organisations()
def join(organisation_id: int, user_id: int, role: Role) -> None:
    """Add a member, from outside of the organisation; one that is there keeps the role. The caller commits."""
    values = {"organisation_id": organisation_id, "user_id": user_id, "role": role.value}
    db.session.execute(JOIN, values)


@across_organisations()
def belongs(organisation_id: int, user_id: int) -> bool:
    """Is this person a member there? Asked before somebody switches to it."""
    values = {"organisation_id": organisation_id, "user_id": user_id}
    return db.session.execute(BELONGS, values).one_or_none() is not None
