"""Mailed links to a new password: asked for by anybody, made for people, each good once and for half an hour."""

from dataclasses import dataclass

from sqlalchemy import text

from app.extensions import db

MOST_PER_HOUR = 5  # as for codes: nobody's mailbox is flooded


@dataclass(frozen=True, slots=True)
class Opened:
    """A living link, and whose password it sets."""

    id: int
    user_id: int
    email: str


# Two requests for one address take turns, so that both cannot find room for the last one.
TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended('reset ' || :email, 0))")
RECENT = text(
    "SELECT count(*) FROM reset_links WHERE email = :email AND created_at > now() - interval '1 hour'"
)
ADD = text(
    "INSERT INTO reset_links (email, expires_at) VALUES (:email, now() + interval '30 minutes') RETURNING id"
)
ADDRESS = text(
    "SELECT email FROM reset_links WHERE id = :id AND used_at IS NULL AND created_at > now() - interval '1 hour'"
)
# The half hour begins when the link is made: a mail server's bad quarter of an hour must not eat it.
SET_TOKEN = text(
    """
    UPDATE reset_links SET user_id = :user_id, token_hash = :token_hash, expires_at = now() + interval '30 minutes'
    WHERE id = :id AND used_at IS NULL
    """
)
FIND = text(
    """
    SELECT r.id, u.id, u.email FROM reset_links r JOIN users u ON u.id = r.user_id AND u.disabled_at IS NULL
    WHERE r.token_hash = :token_hash AND r.used_at IS NULL AND r.expires_at > now()
    """
)
USE = text(
    "UPDATE reset_links SET used_at = now() WHERE id = :id AND used_at IS NULL AND expires_at > now() RETURNING id"
)
KILL = text(
    """
    UPDATE reset_links SET used_at = now()
    WHERE email = :email AND created_at > now() - interval '1 day' AND used_at IS NULL
      AND token_hash IS NOT NULL AND id <> :but
    """
)
PRUNE = text(
    """
    DELETE FROM reset_links WHERE id IN (
        SELECT id FROM reset_links WHERE created_at < now() - interval '1 day' LIMIT :limit
    )
    """
)


def ask(email: str) -> int | None:
    """Note that a link to this address was asked for; None where it was too often. The caller commits.

    Known and unknown addresses cost the same: only the job that mails looks who is one of ours.
    """
    db.session.execute(TAKE_TURNS, {"email": email})
    if db.session.execute(RECENT, {"email": email}).scalar_one() >= MOST_PER_HOUR:
        return None
    return db.session.execute(ADD, {"email": email}).scalar_one()


def address_of(link_id: int) -> str | None:
    """Whom to mail; None where the link was used or replaced, or nobody waits for it any more."""
    return db.session.execute(ADDRESS, {"id": link_id}).scalar()


def set_token(link_id: int, user_id: int, email: str, token_hash: bytes) -> None:
    """Keep the hash of the link about to be mailed; older ones of this person die. The caller commits."""
    kill(email, but=link_id)
    db.session.execute(SET_TOKEN, {"id": link_id, "user_id": user_id, "token_hash": token_hash})


def find(token_hash: bytes) -> Opened | None:
    """The living link with this token. Looking does not use it up."""
    found = db.session.execute(FIND, {"token_hash": token_hash}).one_or_none()
    return Opened(*found) if found else None


def use(link_id: int) -> bool:
    """Use the link up; of many at once exactly one gets True. The caller commits."""
    return db.session.execute(USE, {"id": link_id}).one_or_none() is not None


def kill(email: str, but: int = 0) -> None:
    """End all mailed links of this address but one; the caller commits."""
    db.session.execute(KILL, {"email": email, "but": but})


def prune(limit: int = 1000) -> None:
    """Forget yesterday's links, and with them the addresses of people who never were here."""
    db.session.execute(PRUNE, {"limit": limit})
