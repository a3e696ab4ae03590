"""People who sign in: found by their address, made when its code came back."""

from dataclasses import dataclass

from sqlalchemy import text

from app.extensions import db


@dataclass(frozen=True, slots=True)
class Person:
    """A user, as signing in needs to know one."""

    id: int
    password_hash: str
    is_disabled: bool


FIND = text("SELECT id, password_hash, disabled_at IS NOT NULL FROM users WHERE email = :email")
ADD = text(
    """
    INSERT INTO users (email, password_hash) VALUES (:email, :password_hash)
    ON CONFLICT (email) DO NOTHING RETURNING id
    """
)
ADDRESS = text("SELECT email FROM users WHERE id = :id")
SET_PASSWORD = text("UPDATE users SET password_hash = :password_hash WHERE id = :id")
REHASH = text("UPDATE users SET password_hash = :new WHERE id = :id AND password_hash = :old")


def by_email(email: str) -> Person | None:
    """The person with this address (normalised, lower case)."""
    found = db.session.execute(FIND, {"email": email}).one_or_none()
    return Person(*found) if found else None


def add(email: str, password_hash: str) -> int | None:
    """Make a user and return the id, or None where the address has one already; the caller commits."""
    return db.session.execute(ADD, {"email": email, "password_hash": password_hash}).scalar()


def address_of(user_id: int) -> str | None:
    """The address to write to; None where the account is gone."""
    return db.session.execute(ADDRESS, {"id": user_id}).scalar()


def rehash(user_id: int, old: str, new: str) -> None:
    """Keep a stronger hash of the same password, unless it was changed meanwhile; the caller commits."""
    db.session.execute(REHASH, {"id": user_id, "old": old, "new": new})


def set_password(user_id: int, password_hash: str) -> None:
    """Another password from now on; the caller commits, and ends what the old one opened."""
    db.session.execute(SET_PASSWORD, {"id": user_id, "password_hash": password_hash})
