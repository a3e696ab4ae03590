"""API keys: whose they are and what they may do. Write keys are asked for in app/store/apps.py."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import text

from app.extensions import db
from app.store.tables import ApiKey
from app.store.tenancy import across_organisations


@dataclass(frozen=True, slots=True)
class ApiKeyRef:
    """A live API key: its organisation and its scopes (`read`, `manage`)."""

    id: int
    organisation_id: int
    scopes: frozenset[str]


FIND = text(
    """
    SELECT id, organisation_id, scopes FROM api_keys
    WHERE key_hash = :key_hash AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    """
)
REVOKE_API_KEY = text(
    "UPDATE api_keys SET revoked_at = now()"
    " WHERE id = :id AND organisation_id = :organisation_id AND revoked_at IS NULL"
)
REVOKE_WRITE_KEY = text(
    "UPDATE write_keys SET revoked_at = now()"
    " WHERE id = :id AND organisation_id = :organisation_id AND revoked_at IS NULL"
)


@across_organisations()
def by_api_key_hash(key_hash: bytes) -> ApiKeyRef | None:
    """The live API key with this hash. On a connection of its own, as sessions.alive explains."""
    with db.engine.connect() as connection:
        found = connection.execute(FIND, {"key_hash": key_hash}).one_or_none()
    return ApiKeyRef(found.id, found.organisation_id, frozenset(found.scopes)) if found else None


def add_api_key(organisation_id: int, key_hash: bytes, prefix: str, scopes: Iterable[str]) -> int:
    """Keep a new API key's hash and return its id; the caller commits."""
    key = ApiKey(organisation_id=organisation_id, key_hash=key_hash, prefix=prefix, scopes=sorted(scopes))
    db.session.add(key)
    db.session.flush()
    return key.id


def revoke_api_key(organisation_id: int, key_id: int) -> None:
    """End an API key of this organisation; the caller commits."""
    db.session.execute(REVOKE_API_KEY, {"id": key_id, "organisation_id": organisation_id})


def revoke_write_key(organisation_id: int, key_id: int) -> None:
    """End a write key of this organisation; the caller commits."""
    db.session.execute(REVOKE_WRITE_KEY, {"id": key_id, "organisation_id": organisation_id})
