"""Signed-in browsers. These rows, not Redis, decide whether a session is alive."""

import uuid
from dataclasses import dataclass

from sqlalchemy import text

from app.extensions import db
from app.store.tables import Role
from app.store.tenancy import across_organisations, inside


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is behind a live session, and where they work."""

    session_id: uuid.UUID
    user_id: int
    email: str
    organisation_id: int
    role: Role


# Idle and absolute limits (OWASP ASVS 5.0 7.3.1, 7.3.2): a working day and a month.
ALIVE = text(
    """
    SELECT s.user_id, u.email, s.organisation_id, m.role, s.last_seen_at < now() - interval '1 minute'
    FROM auth_sessions s
    JOIN users u ON u.id = s.user_id
    JOIN memberships m ON m.user_id = s.user_id AND m.organisation_id = s.organisation_id
    WHERE s.id = :id AND s.revoked_at IS NULL AND u.disabled_at IS NULL
      AND s.created_at > now() - interval '30 days' AND s.last_seen_at > now() - interval '12 hours'
    """
)
SEEN = text("UPDATE auth_sessions SET last_seen_at = now() WHERE id = :id AND revoked_at IS NULL")
ADD = text(
    """
    INSERT INTO auth_sessions (id, user_id, organisation_id, user_agent, address)
    VALUES (:id, :user_id, :organisation_id, :user_agent, :address)
    """
)
REVOKE = text("UPDATE auth_sessions SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL")
PRUNE = text(
    """
    DELETE FROM auth_sessions WHERE id IN (
        SELECT id FROM auth_sessions
        WHERE revoked_at < now() - interval '30 days' OR last_seen_at < now() - interval '60 days'
        LIMIT :limit
    )
    """
)


@across_organisations()
def alive(session_id: uuid.UUID) -> SignedIn | None:
    """Who is signed in with this session, or None where it ended, idled out or grew too old.

    On a connection of its own: an open stream must not hold the one on which its session was looked up.
    """
    with db.engine.begin() as connection:
        found = connection.execute(ALIVE, {"id": session_id}).one_or_none()
        if found is None:
            return None
        user_id, email, organisation_id, role, is_overdue = found
        if is_overdue:  # once a minute at most, not at every request
            connection.execute(SEEN, {"id": session_id})
    return SignedIn(session_id, user_id, email, organisation_id, Role(role))


def add(user_id: int, organisation_id: int, user_agent: str, address: str | None) -> uuid.UUID:
    """Begin a session and return its id; the caller commits."""
    session_id = uuid.uuid4()
    begun = {
        "id": session_id,
        "user_id": user_id,
        "organisation_id": organisation_id,
        "user_agent": user_agent,
        "address": address,
    }
    with inside(organisation_id):
        db.session.execute(ADD, begun)
    return session_id


@across_organisations()
def revoke(session_id: uuid.UUID) -> None:
    """End a session for good; the caller commits."""
    db.session.execute(REVOKE, {"id": session_id})


@across_organisations()
def prune(limit: int = 1000) -> None:
    """Forget sessions that ended long ago; the caller commits."""
    db.session.execute(PRUNE, {"limit": limit})
