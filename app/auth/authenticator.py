"""The authenticator app as a second factor: its secret, its codes (RFC 6238), and recovery codes for its loss."""

import hmac
import re
import secrets
import time
from dataclasses import dataclass
from datetime import datetime

import pyotp
import segno
from flask import g

from app.auth import alerts
from app.auth.codes import SPACES
from app.errors import Refusal
from app.extensions import settings
from app.store import audit, authenticators
from app.store.audit import Action
from app.store.sealed import seal, unseal

ISSUER = "Live Validation"
STEP_SECONDS = 30  # what every authenticator app expects, as it does SHA-1 and six digits
STEPS_OFF = (0, -1, 1)  # a phone's clock may be half a minute off (RFC 6238, 5.2)
CODE = re.compile(r"[0-9]{6}")
RECOVERY_CODES = 10
RECOVERY_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
RECOVERY_LENGTH = 12  # 59 bits
RECOVERY = re.compile(f"[{RECOVERY_ALPHABET}]{{{RECOVERY_LENGTH}}}")


def cleaned(typed: object) -> str | None:
    """A code of the app or a recovery code as typed, without spaces and hyphens; None where it is neither."""
    if not isinstance(typed, str) or len(typed) > 64:
        return None
    code = SPACES.sub("", typed).lower()
    return code if CODE.fullmatch(code) or RECOVERY.fullmatch(code) else None


@dataclass(frozen=True, slots=True)
class State:
    """What the account's page shows. `since`: None where it is off."""

    since: datetime | None
    codes_left: int


def state() -> State:
    """The state of whoever asks."""
    kept = authenticators.kept(g.actor.user_id)
    return State(kept.confirmed_at if kept else None, authenticators.codes_left(g.actor.user_id))


def begin(user_id: int) -> None:
    """A new secret, not asked for until it is confirmed; the caller commits."""
    authenticators.begin(user_id, seal(pyotp.random_base32(32).encode()))


def secret_to_confirm(user_id: int) -> str | None:
    """The secret to bring into the app (base32); None where there is none, or it is in use already."""
    kept = authenticators.kept(user_id)
    return _opened(kept.sealed_secret) if kept and not kept.confirmed_at else None


def as_picture(secret: str, email: str) -> str:
    """The secret as a QR code: an SVG in a data: URL, for an image."""
    address = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)
    return segno.make(address, error="m").svg_data_uri(scale=5, border=3, dark="#111", light="#fff")


def confirm(user_id: int, typed: object) -> list[str]:
    """Switch it on, where the code is the app's; returns the recovery codes, to be shown once. The caller commits.

    Raises Refusal `bad_code` (422).
    """
    code = cleaned(typed)
    if not code or not CODE.fullmatch(code) or not _is_the_apps(user_id, code):
        message = (
            "This is not the app's code of this moment. Wait for its next one, and look at the phone's clock."
        )
        raise Refusal("bad_code", message, 422)
    if not authenticators.confirm(user_id):
        raise Refusal("bad_code", "An authenticator app is in use already.", 422)
    alerts.tell(user_id, "authenticator_on")
    audit.record(Action.ACCOUNT_CHANGED, "user", user_id, change="authenticator_on")
    return _new_recovery_codes(user_id)


def remove(user_id: int) -> None:
    """From now on codes are mailed again; the caller commits."""
    if authenticators.end(user_id):
        alerts.tell(user_id, "authenticator_off")
        audit.record(Action.ACCOUNT_CHANGED, "user", user_id, change="authenticator_off")


def fits(user_id: int, code: str) -> bool:
    """Is this the app's code now, or an unused recovery code? Either is used up by it. The caller commits.

    Count the try, and commit that, before asking: see `store.challenges.attempt`.
    """
    if CODE.fullmatch(code):
        return authenticators.is_on(user_id) and _is_the_apps(user_id, code)
    if not authenticators.use_code(user_id, _hashed(user_id, code)):
        return False
    alerts.tell(user_id, "recovery_code_used")
    return True


def renew_recovery_codes(user_id: int) -> list[str]:
    """New recovery codes in place of the old; the caller commits. Raises Refusal `no_authenticator` (409)."""
    if not authenticators.is_on(user_id):
        raise Refusal(
            "no_authenticator", "Recovery codes stand in for an authenticator app: set one up first.", 409
        )
    alerts.tell(user_id, "recovery_codes_renewed")
    audit.record(Action.ACCOUNT_CHANGED, "user", user_id, change="recovery_codes_renewed")
    return _new_recovery_codes(user_id)


def _new_recovery_codes(user_id: int) -> list[str]:
    """In groups of four, for people to copy."""
    made = [
        "".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(RECOVERY_LENGTH))
        for _ in range(RECOVERY_CODES)
    ]
    authenticators.set_codes(user_id, [_hashed(user_id, code) for code in made])
    return [f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in made]


def _is_the_apps(user_id: int, code: str) -> bool:
    kept = authenticators.kept(user_id)
    secret = _opened(kept.sealed_secret) if kept else None
    if secret is None:
        return False
    now = int(time.time()) // STEP_SECONDS
    app = pyotp.TOTP(secret, interval=STEP_SECONDS)
    steps = [now + off for off in STEPS_OFF if hmac.compare_digest(app.generate_otp(now + off), code)]
    return any(authenticators.use_step(user_id, step) for step in steps)


def _opened(sealed: bytes) -> str | None:
    plain = unseal(sealed)
    return plain.decode() if plain else None


def _hashed(user_id: int, code: str) -> bytes:
    """Under a key that is not in the database, as app/auth/codes.py explains."""
    key = hmac.digest(settings().secret_key.encode(), b"live validation: recovery codes", "sha256")
    return hmac.digest(key, f"{user_id} {code}".encode(), "sha256")
