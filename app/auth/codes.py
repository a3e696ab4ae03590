"""One-time codes: eight random digits, of which only a keyed hash is kept.

Eight digits, five tries, ten minutes, five codes an hour: a guesser's chance is about 6 in a million per day.
"""

import hashlib
import hmac
import re
import secrets
import uuid

DIGITS = 8
WRITTEN = re.compile(r"[0-9]{8}")  # not \d, which also takes other scripts' digits
SPACES = re.compile(r"[\s-]+")


def new() -> str:
    """A code, each of the hundred million as likely as the others."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


def cleaned(typed: object) -> str | None:
    """The code as typed or pasted, without spaces and hyphens; None where it cannot be one."""
    if not isinstance(typed, str) or len(typed) > 64:
        return None
    code = SPACES.sub("", typed)
    return code if WRITTEN.fullmatch(code) else None


def hashed(secret_key: str, challenge_id: uuid.UUID, code: str) -> bytes:
    """HMAC-SHA256 of the code, under a key of its own and bound to its challenge.

    Road not taken: a password hash. Eight digits fall to any hash once the rows are stolen; with a key that
    is not in the database the rows alone are worth nothing (NIST SP 800-63B 5.1.3.2).
    """
    key = hmac.digest(secret_key.encode(), b"live validation: one-time codes", "sha256")
    return hmac.digest(key, challenge_id.bytes + code.encode(), hashlib.sha256)


def fits(secret_key: str, challenge_id: uuid.UUID, code: str, code_hash: bytes | None) -> bool:
    """Is this the challenge's code? In constant time; False before a code was mailed."""
    return hmac.compare_digest(hashed(secret_key, challenge_id, code), code_hash or b"\0" * 32)
