"""Browsers in which people signed in before, and for how long the password is enough there."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.extensions import db

MOST_PER_USER = 50


@dataclass(frozen=True, slots=True)
class Device:
    """A known browser, as its owner sees it. `remembered_until`: None where a code is asked for."""

    id: int
    user_agent: str
    network: str | None
    last_used_at: datetime
    remembered_until: datetime | None


KNOWN = "d.last_used_at > now() - interval '1 year'"
OF_ACCOUNT = text(
    f"""
    SELECT d.id FROM known_devices d JOIN users u ON u.id = d.user_id
    WHERE d.token_hash = :token_hash AND u.email = :email AND {KNOWN}
    """  # noqa: S608  (made of constants of this file)
)
# Held until the caller's transaction ends: a new password that forgets this device comes before it or after it.
IS_REMEMBERED = text(
    """
    SELECT id FROM known_devices
    WHERE token_hash = :token_hash AND user_id = :user_id AND remembered_until > now() FOR UPDATE
    """
)
# A new token at every sign-in: a copy of the cookie works until its owner comes next, and then no more.
RENEW = text(
    f"""
    UPDATE known_devices d
    SET token_hash = :new, last_used_at = now(), user_agent = :user_agent, address = :address
    WHERE d.token_hash = :old AND d.user_id = :user_id AND {KNOWN} RETURNING d.id
    """  # noqa: S608
)
ADD = text(
    """
    INSERT INTO known_devices (user_id, token_hash, user_agent, address)
    VALUES (:user_id, :new, :user_agent, :address) RETURNING id
    """
)
CROP = text(
    """
    DELETE FROM known_devices WHERE id IN (
        SELECT id FROM known_devices WHERE user_id = :user_id ORDER BY last_used_at DESC, id DESC OFFSET :most
    )
    """
)
REMEMBER = text("UPDATE known_devices SET remembered_until = now() + interval '30 days' WHERE id = :id")
OF_USER = text(
    f"""
    SELECT d.id, d.user_agent,
        text(network(set_masklen(d.address, CASE family(d.address) WHEN 4 THEN 24 ELSE 48 END))),
        d.last_used_at, CASE WHEN d.remembered_until > now() THEN d.remembered_until END
    FROM known_devices d WHERE d.user_id = :user_id AND {KNOWN} ORDER BY d.last_used_at DESC
    """  # noqa: S608
)
FORGET = text("DELETE FROM known_devices WHERE id = :id AND user_id = :user_id RETURNING id")
FORGET_ALL = text("DELETE FROM known_devices WHERE user_id = :user_id")
PRUNE = text(
    """
    DELETE FROM known_devices WHERE id IN (
        SELECT id FROM known_devices WHERE last_used_at < now() - interval '1 year' LIMIT :limit
    )
    """
)


def of_account(token_hash: bytes, email: str) -> int | None:
    """The id of this account's own device with this token; None where it is nobody's or another account's."""
    return db.session.execute(OF_ACCOUNT, {"token_hash": token_hash, "email": email}).scalar()


def is_remembered(token_hash: bytes, user_id: int) -> bool:
    """Is the password enough there? The answer holds until the caller's transaction ends."""
    found = db.session.execute(IS_REMEMBERED, {"token_hash": token_hash, "user_id": user_id}).one_or_none()
    return found is not None


def renew(user_id: int, old: bytes, new: bytes, user_agent: str, address: str | None) -> int | None:
    """Give this person's device a new token; its id, or None where there is no such one. The caller commits."""
    values = {"user_id": user_id, "old": old, "new": new, "user_agent": user_agent, "address": address}
    return db.session.execute(RENEW, values).scalar()


def add(user_id: int, new: bytes, user_agent: str, address: str | None) -> int:
    """Know one more browser and return its id; of too many the longest unused go. The caller commits."""
    values = {"user_id": user_id, "new": new, "user_agent": user_agent, "address": address}
    device_id = db.session.execute(ADD, values).scalar_one()
    db.session.execute(CROP, {"user_id": user_id, "most": MOST_PER_USER})
    return device_id


def remember(device_id: int) -> None:
    """From now on, for 30 days, the password is enough there; the caller commits."""
    db.session.execute(REMEMBER, {"id": device_id})


def of_user(user_id: int) -> list[Device]:
    """A person's devices, the last used first."""
    return [Device(*row) for row in db.session.execute(OF_USER, {"user_id": user_id})]


def forget(user_id: int, device_id: int) -> bool:
    """Forget one device of this person; False where they have no such one. The caller commits."""
    return db.session.execute(FORGET, {"id": device_id, "user_id": user_id}).one_or_none() is not None


def forget_all(user_id: int) -> None:
    """Forget all devices of this person; the caller commits."""
    db.session.execute(FORGET_ALL, {"user_id": user_id})


def prune(limit: int = 1000) -> None:
    """Forget devices that nobody used for a year; the caller commits."""
    db.session.execute(PRUNE, {"limit": limit})
