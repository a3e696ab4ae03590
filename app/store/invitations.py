"""Invitations: open until accepted, revoked or seven days old, by the database's clock. Each link works once."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.extensions import db
from app.store.tables import Role
from app.store.tenancy import across_organisations


@dataclass(frozen=True, slots=True)
class Invitation:
    """An open invitation, as its organisation sees it."""

    id: int
    email: str
    role: Role
    expires_at: datetime
    has_expired: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """The same, as the invited person sees it."""

    id: int
    organisation_id: int
    organisation: str
    email: str
    role: Role


IS_OPEN = "accepted_at IS NULL AND revoked_at IS NULL"
ADD = text(
    f"""
    INSERT INTO invitations (organisation_id, email, role, invited_by)
    VALUES (:organisation_id, :email, :role, :invited_by)
    ON CONFLICT (organisation_id, email) WHERE {IS_OPEN} DO NOTHING RETURNING id
    """  # noqa: S608  (made of constants of this file)
)
OPEN = text(
    f"""
    SELECT id, email, role, expires_at, expires_at <= now() FROM invitations
    WHERE organisation_id = :organisation_id AND {IS_OPEN} ORDER BY email
    """  # noqa: S608
)
REVOKE = text(
    f"""
    UPDATE invitations SET revoked_at = now()
    WHERE id = :id AND organisation_id = :organisation_id AND {IS_OPEN} RETURNING email
    """  # noqa: S608
)
# The old link dies at once; the job that mails the new one sets its hash.
RENEW = text(
    f"""
    UPDATE invitations SET token_hash = NULL, expires_at = now() + interval '7 days'
    WHERE id = :id AND organisation_id = :organisation_id AND {IS_OPEN} RETURNING email
    """  # noqa: S608
)
SET_TOKEN = text(
    f"""
    UPDATE invitations SET token_hash = :token_hash, expires_at = now() + interval '7 days'
    WHERE id = :id AND organisation_id = :organisation_id AND {IS_OPEN} RETURNING email, role
    """  # noqa: S608
)
OFFER = text(
    f"""
    SELECT i.id, i.organisation_id, o.name, i.email, i.role FROM invitations i
    JOIN organisations o ON o.id = i.organisation_id
    WHERE token_hash = :token_hash AND {IS_OPEN} AND expires_at > now() AND o.deletes_at IS NULL
    """  # noqa: S608
)
ACCEPT = text(
    f"""
    UPDATE invitations SET accepted_at = now()
    WHERE token_hash = :token_hash AND email = :email AND {IS_OPEN} AND expires_at > now() RETURNING id
    """  # noqa: S608
)


def add(organisation_id: int, email: str, role: Role, invited_by: int) -> int | None:
    """Invite an address; None where it is invited already. The caller commits."""
    values = {"organisation_id": organisation_id, "email": email, "role": role, "invited_by": invited_by}
    return db.session.execute(ADD, values).scalar()


def of(organisation_id: int) -> list[Invitation]:
    """The open ones, also those whose link is too old: they can be sent again."""
    rows = db.session.execute(OPEN, {"organisation_id": organisation_id})
    return [Invitation(row[0], row[1], Role(row[2]), row[3], row[4]) for row in rows]


def revoke(organisation_id: int, invitation_id: int) -> str | None:
    """Take one back; its address, or None where there is no open one of that id. The caller commits."""
    values = {"id": invitation_id, "organisation_id": organisation_id}
    return db.session.execute(REVOKE, values).scalar()


def renew(organisation_id: int, invitation_id: int) -> str | None:
    """Make its link useless and give it another week; as `revoke`."""
    values = {"id": invitation_id, "organisation_id": organisation_id}
    return db.session.execute(RENEW, values).scalar()


def set_token(organisation_id: int, invitation_id: int, token_hash: bytes) -> tuple[str, Role] | None:
    """Keep the hash of the link about to be mailed; whom to mail, and as what. None: it is not open any more."""
    values = {"id": invitation_id, "organisation_id": organisation_id, "token_hash": token_hash}
    found = db.session.execute(SET_TOKEN, values).one_or_none()
    return (found[0], Role(found[1])) if found else None


@across_organisations()
def offer(token_hash: bytes) -> Offer | None:
    """What a link offers; None where it was used, revoked, replaced or is too old."""
    found = db.session.execute(OFFER, {"token_hash": token_hash}).one_or_none()
    return Offer(found[0], found[1], found[2], found[3], Role(found[4])) if found else None


@across_organisations()
def accept(token_hash: bytes, email: str) -> bool:
    """Use it up, for the address that it was sent to; of many at once exactly one gets True. The caller commits."""
    values = {"token_hash": token_hash, "email": email}
    return db.session.execute(ACCEPT, values).one_or_none() is not None
