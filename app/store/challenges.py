"""One-time codes that were asked for. Every limit is enforced here, in SQL, by the database's clock."""

import uuid
from dataclasses import dataclass

from sqlalchemy import text

from app.extensions import db

MOST_PER_HOUR = (
    5  # OWASP ASVS 5.0 6.6.3, per address and purpose: a stranger's sign-ups never block a sign-in
)
MOST_TRIES = 5


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge at which somebody tries a code. `code_hash` is None until the code was mailed."""

    id: uuid.UUID
    purpose: str
    email: str
    user_id: int | None
    password_hash: str | None
    code_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a challenge's mail goes to."""

    email: str
    purpose: str
    has_account: bool


# Two requests for one address take turns, so that both cannot find room for the last one.
TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended(:purpose || ' ' || :email, 0))")
RECENT = text(
    """
    SELECT count(*) FROM challenges
    WHERE email = :email AND purpose = :purpose AND created_at > now() - interval '1 hour'
    """
)
ASKED = text(
    """
    SELECT purpose, email, user_id, password_hash FROM challenges
    WHERE id = :id AND browser_hash = :browser_hash AND used_at IS NULL
      AND created_at > now() - interval '1 hour'
    """
)
SUPERSEDE = text(
    """
    UPDATE challenges SET used_at = now(), password_hash = NULL
    WHERE browser_hash = :browser_hash AND purpose = :purpose AND used_at IS NULL
    """
)
ADD = text(
    """
    INSERT INTO challenges (id, purpose, email, user_id, browser_hash, password_hash, expires_at)
    VALUES (:id, :purpose, :email, :user_id, :browser_hash, :password_hash, now() + interval '10 minutes')
    """
)
# The statement that finds the challenge counts the try: of a thousand parallel guesses five are looked at.
TRY = text(
    """
    UPDATE challenges SET attempts = attempts + 1
    WHERE id = :id AND browser_hash = :browser_hash AND email = :email
      AND used_at IS NULL AND expires_at > now() AND attempts < :most
    RETURNING id, purpose, email, user_id, password_hash, code_hash
    """
)
USE = text(
    """
    UPDATE challenges SET used_at = now(), password_hash = NULL
    WHERE id = :id AND used_at IS NULL RETURNING id
    """
)
ADDRESSEE = text(
    """
    SELECT c.email, c.purpose, EXISTS (SELECT FROM users u WHERE u.email = c.email) FROM challenges c
    WHERE c.id = :id AND c.used_at IS NULL AND c.created_at > now() - interval '1 hour'
    """
)
# The ten minutes begin when the code is made: a mail server's bad quarter of an hour must not eat them.
SET_CODE = text(
    """
    UPDATE challenges SET code_hash = :code_hash, expires_at = now() + interval '10 minutes'
    WHERE id = :id AND used_at IS NULL
    """
)
KILL = text(
    """
    UPDATE challenges SET used_at = now(), password_hash = NULL
    WHERE email = :email AND created_at > now() - interval '1 day' AND user_id = :user_id AND used_at IS NULL
    """
)
PRUNE = text(
    """
    DELETE FROM challenges WHERE id IN (
        SELECT id FROM challenges WHERE created_at < now() - interval '1 day' LIMIT :limit
    )
    """
)


def add(
    purpose: str,
    email: str,
    browser_hash: bytes,
    *,
    user_id: int | None = None,
    password_hash: str | None = None,
    most_per_hour: int = MOST_PER_HOUR,
) -> uuid.UUID | None:
    """Ask for a code; older ones of this browser and purpose die. The caller commits.

    Returns None, and changes nothing, where this address asked too often within the hour.
    """
    who = {"purpose": purpose, "email": email}
    db.session.execute(TAKE_TURNS, who)
    if db.session.execute(RECENT, who).scalar_one() >= most_per_hour:
        return None
    db.session.execute(SUPERSEDE, {"browser_hash": browser_hash, "purpose": purpose})
    challenge_id = uuid.uuid4()
    secrets = {"browser_hash": browser_hash, "password_hash": password_hash}
    db.session.execute(ADD, {"id": challenge_id, "user_id": user_id, **who, **secrets})
    return challenge_id


def repeat(challenge_id: uuid.UUID, browser_hash: bytes) -> uuid.UUID | None:
    """Ask the same again; the first code dies. None, and no change, where there is none or it is too often.

    The caller commits.
    """
    found = db.session.execute(ASKED, {"id": challenge_id, "browser_hash": browser_hash}).one_or_none()
    if found is None:
        return None
    return add(
        found.purpose, found.email, browser_hash, user_id=found.user_id, password_hash=found.password_hash
    )


def attempt(challenge_id: uuid.UUID, browser_hash: bytes, email: str) -> Challenge | None:
    """Count one try and return the challenge to compare with, or None where no try is left or right.

    The caller commits before comparing, so that no rollback gives the try back.
    """
    who = {"id": challenge_id, "browser_hash": browser_hash, "email": email}
    found = db.session.execute(TRY, {**who, "most": MOST_TRIES}).one_or_none()
    return Challenge(*found) if found else None


def use(challenge_id: uuid.UUID) -> bool:
    """Use the challenge up; of many at once exactly one gets True. The caller commits."""
    return db.session.execute(USE, {"id": challenge_id}).one_or_none() is not None


def addressee(challenge_id: uuid.UUID) -> Addressee | None:
    """Whom to mail, or None where the challenge was used, superseded or is an hour old."""
    found = db.session.execute(ADDRESSEE, {"id": challenge_id}).one_or_none()
    return Addressee(*found) if found else None


def set_code(challenge_id: uuid.UUID, code_hash: bytes) -> None:
    """Keep the hash of the code that is about to be mailed; the caller commits."""
    db.session.execute(SET_CODE, {"id": challenge_id, "code_hash": code_hash})


def kill(user_id: int, email: str) -> None:
    """End this person's codes, because the password that earned them is no more; the caller commits."""
    db.session.execute(KILL, {"user_id": user_id, "email": email})


def prune(limit: int = 1000) -> None:
    """Forget yesterday's challenges, and with them the addresses of people who never came back."""
    db.session.execute(PRUNE, {"limit": limit})
