"""Passkeys: public keys of people's devices, and the challenges that are being answered."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from app.extensions import db


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey, as signing in needs to know it. `handle`: its owner's, which the device tells, too."""

    id: int
    user_id: int
    handle: UUID
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A passkey as its owner sees it."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


FIND = text(
    """
    SELECT p.id, p.user_id, u.handle, p.public_key, p.sign_count
    FROM passkeys p JOIN users u ON u.id = p.user_id
    WHERE p.credential_id = :credential_id AND u.disabled_at IS NULL
    """
)
OF_USER = text(
    "SELECT id, name, created_at, last_used_at FROM passkeys WHERE user_id = :user_id ORDER BY created_at, id"
)
CREDENTIALS = text("SELECT credential_id FROM passkeys WHERE user_id = :user_id ORDER BY id")
HANDLE = text("SELECT handle FROM users WHERE id = :user_id")
ADD = text(
    """
    INSERT INTO passkeys (user_id, credential_id, public_key, sign_count, name)
    VALUES (:user_id, :credential_id, :public_key, :sign_count, :name)
    ON CONFLICT (credential_id) DO NOTHING RETURNING id
    """
)
# A counter that does not rise belongs to a copy; devices that do not count always say 0 (WebAuthn 2, 7.2 step 21).
USED = text(
    """
    UPDATE passkeys SET sign_count = :sign_count, last_used_at = now()
    WHERE id = :id AND (sign_count < :sign_count OR (sign_count = 0 AND :sign_count = 0)) RETURNING id
    """
)
RENAME = text("UPDATE passkeys SET name = :name WHERE id = :id AND user_id = :user_id RETURNING id")
REMOVE = text("DELETE FROM passkeys WHERE id = :id AND user_id = :user_id RETURNING name")
# One per browser and purpose: the newest is the one that counts.
ASK = text(
    """
    INSERT INTO passkey_challenges (browser_hash, purpose, challenge) VALUES (:browser_hash, :purpose, :challenge)
    ON CONFLICT (browser_hash, purpose) DO UPDATE SET challenge = excluded.challenge, created_at = now()
    """
)
TAKE = text(
    """
    DELETE FROM passkey_challenges WHERE browser_hash = :browser_hash AND purpose = :purpose
    RETURNING challenge, created_at > now() - interval '5 minutes'
    """
)
PRUNE = text("DELETE FROM passkey_challenges WHERE created_at < now() - interval '1 hour'")


def find(credential_id: bytes) -> Passkey | None:
    """The passkey with this id, whosever it is."""
    found = db.session.execute(FIND, {"credential_id": credential_id}).one_or_none()
    return Passkey(found[0], found[1], found[2], bytes(found[3]), found[4]) if found else None


def of_user(user_id: int) -> list[Listed]:
    """This person's passkeys, the oldest first."""
    return [Listed(*row) for row in db.session.execute(OF_USER, {"user_id": user_id})]


def credentials(user_id: int) -> list[bytes]:
    """The ids by which this person's devices know them."""
    return [bytes(each) for each in db.session.execute(CREDENTIALS, {"user_id": user_id}).scalars()]


def handle(user_id: int) -> bytes:
    """What this person's devices know the person by: random, so it says nothing about anyone."""
    found: UUID = db.session.execute(HANDLE, {"user_id": user_id}).scalar_one()
    return found.bytes


def add(user_id: int, credential_id: bytes, public_key: bytes, sign_count: int, name: str) -> bool:
    """Keep a passkey; False where it is known already. The caller commits."""
    values = {
        "credential_id": credential_id,
        "public_key": public_key,
        "sign_count": sign_count,
        "name": name,
    }
    return db.session.execute(ADD, {"user_id": user_id, **values}).one_or_none() is not None


def used(passkey_id: int, sign_count: int) -> bool:
    """It signed just now; False where its counter did not rise. The caller commits."""
    values = {"id": passkey_id, "sign_count": sign_count}
    return db.session.execute(USED, values).one_or_none() is not None


def rename(user_id: int, passkey_id: int, name: str) -> bool:
    """False where this person has no such passkey. The caller commits."""
    values = {"id": passkey_id, "user_id": user_id, "name": name}
    return db.session.execute(RENAME, values).one_or_none() is not None


def remove(user_id: int, passkey_id: int) -> str | None:
    """The name of what was removed; None where this person has no such passkey. The caller commits."""
    return db.session.execute(REMOVE, {"id": passkey_id, "user_id": user_id}).scalar()


def ask(browser_hash: bytes, purpose: str, challenge: bytes) -> None:
    """Keep a challenge that this browser is to answer, in place of an older one. The caller commits."""
    db.session.execute(ASK, {"browser_hash": browser_hash, "purpose": purpose, "challenge": challenge})


def take(browser_hash: bytes, purpose: str) -> bytes | None:
    """Use up this browser's challenge; None where there is none, or it is too old. The caller commits."""
    found = db.session.execute(TAKE, {"browser_hash": browser_hash, "purpose": purpose}).one_or_none()
    return bytes(found[0]) if found and found[1] else None


def prune() -> None:
    """Forget challenges that nobody answered; the caller commits."""
    db.session.execute(PRUNE)
