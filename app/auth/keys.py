"""Keys: how they look, how they are made, and where a request may carry one."""

import base64
import binascii
import enum
import hashlib
import re
import secrets
import string
from typing import NamedTuple, NoReturn

from flask import request

from app.errors import Refusal

ALPHABET = string.digits + string.ascii_letters
LENGTH = 32  # base-62 characters: 190 bits
WRITTEN = re.compile(r"lv[wa]_[0-9A-Za-z]{32}")
# For scanners of logs and repositories, and for ours: a key, or a shortened one, anywhere in a text.
LOOKS_LIKE_A_KEY = re.compile(r"lv[wa]_[0-9A-Za-z]{6,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.")
NAMES_IN_A_URL = frozenset({"api_key", "write_key", "key"})
PREFIX_LENGTH = 10


class Kind(enum.StrEnum):
    """A key's first letters say what it may do."""

    WRITE = "lvw_"
    API = "lva_"


class Minted(NamedTuple):
    """A new key. `key` is shown once and kept nowhere; `prefix` is what its owner may recognise it by."""

    key: str
    hash: bytes
    prefix: str


def mint(kind: Kind) -> Minted:
    """A new random key."""
    key = kind.value + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return Minted(key, hashed(key), key[:PREFIX_LENGTH])


def hashed(key: str) -> bytes:
    """SHA-256: a key is random enough that nothing slower is needed."""
    return hashlib.sha256(key.encode()).digest()


def is_written(key: str, kind: Kind) -> bool:
    """Can this be a key of that kind at all? What cannot is refused without asking anyone."""
    return key.startswith(kind.value) and WRITTEN.fullmatch(key) is not None


def presented() -> str | None:
    """The key in this request's headers, as it came, or None.

    Raises Refusal `two_credentials` where both headers carry one and they differ.
    """
    environ = request.environ  # on every event's way: each look through the `request` proxy costs
    authorization = environ.get("HTTP_AUTHORIZATION")
    plain = environ.get("HTTP_X_API_KEY") or None
    authorized = _authorized(authorization) if authorization else None
    if plain and authorized and plain != authorized:
        raise Refusal("two_credentials", "Send one key, in one header.", 400)
    return plain or authorized


def refuse_closed() -> NoReturn:
    """Raise Refusal `organisation_closed`: the key is good, and its organisation is to be deleted."""
    message = "This organisation is to be deleted and takes no keys. An owner can undo that on its page."
    raise Refusal("organisation_closed", message, 403)


def refuse_in_url() -> None:
    """Raise Refusal `key_in_url` where the URL carries a key: URLs end up in logs and histories."""
    if not request.query_string and "lv" not in request.path:
        return
    texts = [request.path, *(text for pair in request.args.items(multi=True) for text in pair)]
    is_named = any(name.lower() in NAMES_IN_A_URL for name in request.args)
    if is_named or any(map(LOOKS_LIKE_A_KEY.search, texts)):
        message = "Logs and histories keep URLs: revoke this key, and send its successor in a header."
        raise Refusal("key_in_url", message, 400)


def _authorized(header: str) -> str | None:
    """The key of `Bearer key` or `Basic base64(key:)`; other schemes are not for us."""
    scheme, _, value = header.partition(" ")
    scheme = scheme.lower()
    if scheme == "bearer":
        return value.strip(" ") or None
    if scheme == "basic":
        return _user_of(value.strip(" "))
    return None


def _user_of(encoded: str) -> str | None:
    try:
        user, _, _ = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user or None
