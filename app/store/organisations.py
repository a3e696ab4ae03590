"""Organisations and who belongs to them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.extensions import db
from app.store import audit
from app.store.audit import Action
from app.store.tables import Role
from app.store.tenancy import across_organisations


@dataclass(frozen=True, slots=True)
class Place:
    """An organisation as its people see it. deletes_at: it is closed, and deleted then."""

    name: str
    deletes_at: datetime | None


ADD = text("INSERT INTO organisations (name) VALUES (:name) RETURNING id")
JOIN = text(
    "INSERT INTO memberships (organisation_id, user_id, role) VALUES (:organisation_id, :user_id, :role)"
)
ONE = text("SELECT name, deletes_at FROM organisations WHERE id = :organisation_id")
RENAME = text("UPDATE organisations SET name = :name WHERE id = :organisation_id")
MINE = text(
    "SELECT o.id, o.name, o.deletes_at FROM memberships m JOIN organisations o ON o.id = m.organisation_id"
    " WHERE m.user_id = :user_id ORDER BY o.name, o.id"
)
HOME = text(
    """
    SELECT organisation_id FROM memberships WHERE user_id = :user_id
    ORDER BY created_at, organisation_id LIMIT 1
    """
)


@across_organisations()
def found(name: str, owner_id: int) -> int:
    """Make an organisation with its owner and return its id; the caller commits."""
    organisation_id = db.session.execute(ADD, {"name": name}).scalar_one()
    db.session.execute(
        JOIN, {"organisation_id": organisation_id, "user_id": owner_id, "role": Role.OWNER.value}
    )
    audit.record(
        Action.ORGANISATION_MADE, "organisation", name, organisation_id=organisation_id, user_id=owner_id
    )
    return organisation_id


@across_organisations()
def home_of(user_id: int) -> int | None:
    """The organisation that a person works in after signing in: the first one joined."""
    return db.session.execute(HOME, {"user_id": user_id}).scalar()


def place_of(organisation_id: int) -> Place:
    """The organisation itself."""
    return Place(*db.session.execute(ONE, {"organisation_id": organisation_id}).one())


@across_organisations()
def of_user(user_id: int) -> dict[int, Place]:
    """All organisations that a person belongs to, by id; for the menu that switches."""
    rows = db.session.execute(MINE, {"user_id": user_id})
    return {row.id: Place(row.name, row.deletes_at) for row in rows}


def rename(organisation_id: int, name: str) -> None:
    """Give it another name; the caller commits."""
    db.session.execute(RENAME, {"organisation_id": organisation_id, "name": name})
