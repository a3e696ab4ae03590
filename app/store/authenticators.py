"""Authenticator apps and the recovery codes that stand in for them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.extensions import db


@dataclass(frozen=True, slots=True)
class Kept:
    """An authenticator's secret, still sealed. `confirmed_at`: in use since then; None: not in use yet."""

    sealed_secret: bytes
    confirmed_at: datetime | None


FIND = text("SELECT sealed_secret, confirmed_at FROM authenticators WHERE user_id = :user_id")
# One that is confirmed stays until it is switched off: enrolling never replaces it unnoticed.
BEGIN = text(
    """
    INSERT INTO authenticators AS a (user_id, sealed_secret) VALUES (:user_id, :sealed_secret)
    ON CONFLICT (user_id) DO UPDATE SET sealed_secret = :sealed_secret, last_step = 0, created_at = now()
    WHERE a.confirmed_at IS NULL
    """
)
CONFIRM = text(
    "UPDATE authenticators SET confirmed_at = now() WHERE user_id = :user_id AND confirmed_at IS NULL RETURNING 1"
)
# RFC 6238, 5.2: a code that was accepted is not accepted again, whoever else has seen it.
USE_STEP = text(
    "UPDATE authenticators SET last_step = :step WHERE user_id = :user_id AND last_step < :step RETURNING 1"
)
END = text("DELETE FROM authenticators WHERE user_id = :user_id RETURNING 1")
FORGET_CODES = text("DELETE FROM recovery_codes WHERE user_id = :user_id")
ADD_CODE = text("INSERT INTO recovery_codes (user_id, code_hash) VALUES (:user_id, :code_hash)")
USE_CODE = text(
    """
    UPDATE recovery_codes SET used_at = now()
    WHERE user_id = :user_id AND code_hash = :code_hash AND used_at IS NULL RETURNING 1
    """
)
EVERY = text("SELECT user_id, sealed_secret FROM authenticators ORDER BY user_id FOR UPDATE")
RESEAL = text("UPDATE authenticators SET sealed_secret = :sealed_secret WHERE user_id = :user_id")
CODES_LEFT = text("SELECT count(*) FROM recovery_codes WHERE user_id = :user_id AND used_at IS NULL")


def kept(user_id: int) -> Kept | None:
    """This person's authenticator, confirmed or not."""
    found = db.session.execute(FIND, {"user_id": user_id}).one_or_none()
    return Kept(bytes(found[0]), found[1]) if found else None


def is_on(user_id: int) -> bool:
    """Is this person asked for an authenticator's code?"""
    found = kept(user_id)
    return found is not None and found.confirmed_at is not None


def begin(user_id: int, sealed_secret: bytes) -> None:
    """Keep a secret that is not confirmed yet, unless one is; the caller commits."""
    db.session.execute(BEGIN, {"user_id": user_id, "sealed_secret": sealed_secret})


def confirm(user_id: int) -> bool:
    """From now on it is asked for; False where it was already. The caller commits."""
    return db.session.execute(CONFIRM, {"user_id": user_id}).one_or_none() is not None


def use_step(user_id: int, step: int) -> bool:
    """Use up a time step and all before it; False where it was used. The caller commits."""
    return db.session.execute(USE_STEP, {"user_id": user_id, "step": step}).one_or_none() is not None


def end(user_id: int) -> bool:
    """Forget the authenticator and its recovery codes; False where there was none. The caller commits."""
    db.session.execute(FORGET_CODES, {"user_id": user_id})
    return db.session.execute(END, {"user_id": user_id}).one_or_none() is not None


def set_codes(user_id: int, code_hashes: Iterable[bytes]) -> None:
    """New recovery codes in place of the old; the caller commits."""
    db.session.execute(FORGET_CODES, {"user_id": user_id})
    db.session.execute(ADD_CODE, [{"user_id": user_id, "code_hash": each} for each in code_hashes])


def use_code(user_id: int, code_hash: bytes) -> bool:
    """Use a recovery code up; of many at once exactly one gets True. The caller commits."""
    return (
        db.session.execute(USE_CODE, {"user_id": user_id, "code_hash": code_hash}).one_or_none() is not None
    )


def codes_left(user_id: int) -> int:
    """How many recovery codes are unused."""
    return db.session.execute(CODES_LEFT, {"user_id": user_id}).scalar_one()


def reseal(sealed_anew: Callable[[bytes], bytes]) -> int:
    """Replace every sealed secret by what `sealed_anew` makes of it; returns how many. The caller commits."""
    found = db.session.execute(EVERY).all()
    for user_id, sealed_secret in found:
        db.session.execute(RESEAL, {"user_id": user_id, "sealed_secret": sealed_anew(bytes(sealed_secret))})
    return len(found)
