"""Secrets at rest that we must read again (an authenticator's, say): encrypted under keys that may be changed.

What is only compared (passwords, codes, keys, links) is hashed instead and does not belong here.
"""

import base64
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.extensions import settings


def seal(plain: bytes) -> bytes:
    """The secret encrypted and signed, under the newest key (Fernet: AES-128-CBC, HMAC-SHA256)."""
    return _keys().encrypt(plain)


def unseal(sealed: bytes) -> bytes | None:
    """The secret; None where no key of ours fits, or somebody changed it."""
    try:
        return _keys().decrypt(sealed)
    except InvalidToken:
        return None


def sealed_anew(sealed: bytes) -> bytes:
    """The same secret under the newest key. Raises InvalidToken where no key fits."""
    return _keys().rotate(sealed)


def _keys() -> MultiFernet:
    chosen = settings()
    words = chosen.encryption_keys or (chosen.secret_key,)
    return MultiFernet([Fernet(_key(word)) for word in words])


def _key(word: str) -> bytes:
    """A key of its own even where the word is SECRET_KEY. The words are random: no slow derivation is needed."""
    return base64.urlsafe_b64encode(hmac.digest(word.encode(), b"live validation: secrets at rest", "sha256"))
