"""Signed-in browsers. These rows, not Redis, decide whether a session is alive."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.extensions import db
from app.store import standing
from app.store.tables import Role
from app.store.tenancy import across_organisations


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is behind a live session, and where they work."""

    session_id: uuid.UUID
    user_id: int
    email: str
    organisation_id: int
    role: Role


@dataclass(frozen=True, slots=True)
class Listed:
    """A live session as its owner sees it. `network`: where it began, as 192.0.2.0/24; None where nobody knows."""

    id: uuid.UUID
    user_agent: str
    network: str | None
    organisation: str
    created_at: datetime
    last_seen_at: datetime


# Idle and absolute limits (OWASP ASVS 5.0 7.3.1, 7.3.2): a working day and a month.
WITHIN_LIMITS = """s.revoked_at IS NULL
      AND s.created_at > now() - interval '30 days' AND s.last_seen_at > now() - interval '12 hours'"""
ALIVE = text(
    f"""
    SELECT s.user_id, u.email, s.organisation_id, m.role, s.last_seen_at < now() - interval '1 minute'
    FROM auth_sessions s
    JOIN users u ON u.id = s.user_id
    JOIN memberships m ON m.user_id = s.user_id AND m.organisation_id = s.organisation_id
    WHERE s.id = :id AND u.disabled_at IS NULL AND {WITHIN_LIMITS}
    """  # noqa: S608  (made of constants of this file)
)
# The network, not the address: enough to recognise a place by, and less to read over a shoulder.
NETWORK = "text(network(set_masklen(s.address, CASE family(s.address) WHEN 4 THEN 24 ELSE 48 END)))"
OF_USER = text(
    f"""
    SELECT s.id, s.user_agent,
        {NETWORK},
        o.name, s.created_at, s.last_seen_at
    FROM auth_sessions s
    JOIN organisations o ON o.id = s.organisation_id
    JOIN memberships m ON m.user_id = s.user_id AND m.organisation_id = s.organisation_id
    WHERE s.user_id = :user_id AND {WITHIN_LIMITS} ORDER BY s.last_seen_at DESC, s.created_at DESC
    """  # noqa: S608
)
SEEN = text("UPDATE auth_sessions SET last_seen_at = now() WHERE id = :id AND revoked_at IS NULL")
ADD = text(
    """
    INSERT INTO auth_sessions (id, user_id, organisation_id, user_agent, address, proven_at)
    VALUES (:id, :user_id, :organisation_id, :user_agent, :address,
        coalesce((SELECT proven_at FROM auth_sessions WHERE id = :goes_on_from AND user_id = :user_id), now()))
    """
)
PROVE = text("UPDATE auth_sessions SET proven_at = now() WHERE id = :id AND revoked_at IS NULL")
IS_PROVEN = text(
    "SELECT proven_at > now() - make_interval(mins => :minutes) FROM auth_sessions WHERE id = :id"
)
REVOKE = text(
    "UPDATE auth_sessions SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL RETURNING user_id"
)
END = text(
    """
    UPDATE auth_sessions SET revoked_at = now()
    WHERE id = :id AND user_id = :user_id AND revoked_at IS NULL RETURNING id
    """
)
END_OTHERS = text(
    """
    UPDATE auth_sessions SET revoked_at = now()
    WHERE user_id = :user_id AND id IS DISTINCT FROM :keep AND revoked_at IS NULL RETURNING id
    """
)
SEEN_FROM = text(f"SELECT s.user_agent, {NETWORK} FROM auth_sessions s WHERE s.id = :id")  # noqa: S608
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


def add(
    user_id: int,
    organisation_id: int,
    user_agent: str,
    address: str | None,
    goes_on_from: uuid.UUID | None = None,
) -> uuid.UUID:
    """Begin a session and return its id; the caller commits.

    goes_on_from: the session that this one continues elsewhere, as proven as it was; None: it was proven just now.
    """
    session_id = uuid.uuid4()
    begun = {
        "id": session_id,
        "user_id": user_id,
        "organisation_id": organisation_id,
        "user_agent": user_agent,
        "address": address,
        "goes_on_from": goes_on_from,
    }
    with across_organisations():
        db.session.execute(ADD, begun)
    return session_id


def prove(session_id: uuid.UUID) -> None:
    """It was shown just now that this session is still its owner's. The caller commits."""
    db.session.execute(PROVE, {"id": session_id})


def is_proven(session_id: uuid.UUID, minutes: int) -> bool:
    """Was it shown within so many minutes, by the database's clock? Asked anew each time: such changes are rare."""
    return bool(db.session.execute(IS_PROVEN, {"id": session_id, "minutes": minutes}).scalar())


@across_organisations()
def revoke(session_id: uuid.UUID) -> None:
    """End a session for good; the caller commits."""
    user_id = db.session.execute(REVOKE, {"id": session_id}).scalar()
    if user_id is not None:
        standing.changed(user_id)


@across_organisations()
def of_user(user_id: int) -> list[Listed]:
    """This person's live sessions in all their organisations, the last used first."""
    return [Listed(*row) for row in db.session.execute(OF_USER, {"user_id": user_id})]


@across_organisations()
def end(user_id: int, session_id: uuid.UUID) -> bool:
    """End one of this person's sessions; False where they have no such live one. The caller commits."""
    ended = db.session.execute(END, {"user_id": user_id, "id": session_id}).one_or_none() is not None
    if ended:
        standing.changed(user_id)
    return ended


@across_organisations()
def end_others(user_id: int, keep: uuid.UUID | None = None) -> int:
    """End all sessions of this person but `keep`; returns how many. The caller commits."""
    ended = db.session.execute(END_OTHERS, {"user_id": user_id, "keep": keep}).all()
    if ended:
        standing.changed(user_id)
    return len(ended)


@across_organisations()
def seen_from(session_id: uuid.UUID) -> tuple[str, str | None] | None:
    """What a session's browser calls itself, and the network where it began."""
    found = db.session.execute(SEEN_FROM, {"id": session_id}).one_or_none()
    return (found[0], found[1]) if found else None


@across_organisations()
def prune(limit: int = 1000) -> None:
    """Forget sessions that ended long ago; the caller commits."""
    db.session.execute(PRUNE, {"limit": limit})
