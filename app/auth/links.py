"""Secrets that go out in a mailed link: letters only, since a run of digits in a mail is a code's alone."""

import hashlib
import re
import secrets
import string
from urllib.parse import urljoin

from app.extensions import settings

LENGTH = 32  # of 52 letters: 182 bits
WRITTEN = re.compile(r"[A-Za-z]{32}")
LONGEST_PASTED = 512


def new() -> str:
    """A new random token."""
    return "".join(secrets.choice(string.ascii_letters) for _ in range(LENGTH))


def hashed(token: str) -> bytes:
    """SHA-256: the token is random enough that nothing slower is needed."""
    return hashlib.sha256(token.encode()).digest()


def cleaned(typed: object) -> str | None:
    """The token as it came or was pasted, with or without the address around it; None where it cannot be one."""
    if not isinstance(typed, str) or len(typed) > LONGEST_PASTED:
        return None
    token = typed.strip().rpartition("#")[2]
    return token if WRITTEN.fullmatch(token) else None


def reset_url(token: str) -> str:
    """Where a new password is chosen."""
    return _url("/auth/reset", token)


def invitation_url(token: str) -> str:
    """Where an invitation is opened."""
    return _url("/invitation", token)


def _url(path: str, token: str) -> str:
    """In the fragment, which browsers send to nobody: no log and no Referer has it.

    From PUBLIC_URL alone: the Host of a request would let a stranger choose where the link leads.
    """
    return urljoin(settings().public_url, f"{path}#{token}")
