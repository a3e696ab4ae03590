"""Short-lived tokens for programs that should hold no lasting secret: a JWT that speaks for an API key for minutes.

HS256 with keys derived from SECRET_KEY, a new one every day: whoever checks a token also makes them, so nobody
needs a public key. A token names its API key, and lives no longer than it: the key is asked for at every use, from
memory. The algorithm is ours, never the token's (RFC 8725, 3.1).
"""

import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OctKey

from app.errors import Refusal

ALGORITHM = "HS256"
ISSUER = "live-validation"
LONGEST_SECONDS = 900
DAY_SECONDS = 86_400
LONGEST_TOKEN = 2048
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="live-validation", error="invalid_token"'}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. expires_at: Unix seconds."""

    organisation_id: int
    key_id: int
    scopes: frozenset[str]
    expires_at: int


def is_written(presented: str) -> bool:
    """Can this be a token at all?"""
    return presented.count(".") == 2 and presented.startswith("eyJ") and len(presented) <= LONGEST_TOKEN


def mint(secret_key: str, organisation_id: int, key_id: int, scopes: Iterable[str], seconds: int) -> str:
    """A token that speaks for this key from now on, for so long."""
    now = int(time.time())
    kid = str(now // DAY_SECONDS)
    claims = {
        "iss": ISSUER,
        "sub": str(key_id),
        "org": organisation_id,
        "scope": " ".join(sorted(scopes)),
        "iat": now,
        "exp": now + seconds,
    }
    return jwt.encode({"alg": ALGORITHM, "kid": kid}, claims, _key(secret_key, kid))


def read(secret_key: str, token: str) -> Claims:
    """What the token says. Raises Refusal `token_expired`, `bad_token` (401)."""
    try:
        claims = _verified(secret_key, token)
    except (JoseError, ValueError, KeyError, TypeError):
        message = "This token is none of ours, or was changed. Get a new one from POST /api/token."
        raise Refusal("bad_token", message, 401, headers=CHALLENGE) from None
    if claims.expires_at <= time.time():
        message = "This token has expired. Get a new one from POST /api/token."
        raise Refusal("token_expired", message, 401, headers=CHALLENGE)
    return claims


@lru_cache(maxsize=10_000)
def _verified(secret_key: str, token: str) -> Claims:
    """Checked once; the second use of a token costs a look into a table. Failures are not remembered."""

    def key_of(header: GuestProtocol) -> OctKey:
        kid, today = header.headers()["kid"], int(time.time()) // DAY_SECONDS
        if kid not in (str(today), str(today - 1)):  # a token lives for minutes, so at most across midnight
            raise KeyError(kid)
        return _key(secret_key, kid)

    found = jwt.decode(token, key_of, algorithms=[ALGORITHM]).claims
    if found["iss"] != ISSUER:
        raise ValueError("iss")
    return Claims(int(found["org"]), int(found["sub"]), frozenset(found["scope"].split()), int(found["exp"]))


def _key(secret_key: str, kid: str) -> OctKey:
    return OctKey.import_key(
        hmac.digest(secret_key.encode(), f"live validation: tokens {kid}".encode(), "sha256")
    )
