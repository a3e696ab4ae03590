"""Organisations and who belongs to them."""

from sqlalchemy import text

from app.extensions import db
from app.store import audit
from app.store.audit import Action
from app.store.tables import Role
from app.store.tenancy import across_organisations

ADD = text("INSERT INTO organisations (name) VALUES (:name) RETURNING id")
JOIN = text(
    "INSERT INTO memberships (organisation_id, user_id, role) VALUES (:organisation_id, :user_id, :role)"
)
NAME = text("SELECT name FROM organisations WHERE id = :organisation_id")
RENAME = text("UPDATE organisations SET name = :name WHERE id = :organisation_id")
MINE = text(
    "SELECT o.id, o.name FROM memberships m JOIN organisations o ON o.id = m.organisation_id"
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


def name_of(organisation_id: int) -> str:
    """The organisation's name."""
    return db.session.execute(NAME, {"organisation_id": organisation_id}).scalar_one()


@across_organisations()
def of_user(user_id: int) -> dict[int, str]:
    """The names of all organisations that a person belongs to, by id; for the menu that switches."""
    return {row.id: row.name for row in db.session.execute(MINE, {"user_id": user_id})}


def rename(organisation_id: int, name: str) -> None:
    """Give it another name; the caller commits."""
    db.session.execute(RENAME, {"organisation_id": organisation_id, "name": name})
