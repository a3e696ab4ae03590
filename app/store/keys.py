"""Keys as rows: API keys and write keys, whose they are, what they may do, and when they were last used."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, text

from app.extensions import db
from app.store.apps import AppRef
from app.store.tables import ApiKey, WriteKey
from app.store.tenancy import across_organisations, inside

ANSWERS = ("explain", "strict", "quiet")


@dataclass(frozen=True, slots=True)
class ApiKeyRef:
    """A live API key: its organisation, whether that is closed, and its scopes (`read`, `manage`)."""

    id: int
    organisation_id: int
    scopes: frozenset[str]
    is_closed: bool


@dataclass(frozen=True, slots=True)
class KeyShown:
    """A key as its owner may recognise it. `answers` and `environment` are a write key's, `scopes` an API key's."""

    id: int
    prefix: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    environment: str | None = None
    answers: str | None = None
    scopes: tuple[str, ...] = ()


FOUND = """
SELECT k.id, k.organisation_id, k.scopes, o.deletes_at IS NOT NULL AS is_closed
FROM api_keys k JOIN organisations o ON o.id = k.organisation_id
WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
"""
FIND = text(f"{FOUND} AND k.key_hash = :key_hash")  # noqa: S608  (a constant of this file)
FIND_BY_ID = text(f"{FOUND} AND k.id = :id AND k.organisation_id = :organisation_id")  # noqa: S608
LABELS = {
    "write_key": text(
        "SELECT k.name, a.name FROM write_keys k JOIN apps a ON a.id = k.app_id"
        " WHERE k.id = :id AND k.organisation_id = :organisation_id"
    ),
    "api_key": text("SELECT name, '' FROM api_keys WHERE id = :id AND organisation_id = :organisation_id"),
}
REVOKE_API_KEY = text(
    "UPDATE api_keys SET revoked_at = now()"
    " WHERE id = :id AND organisation_id = :organisation_id AND revoked_at IS NULL RETURNING prefix"
)
REVOKE_WRITE_KEY = text(
    "UPDATE write_keys SET revoked_at = now()"
    " WHERE id = :id AND app_id = :app_id AND organisation_id = :organisation_id AND revoked_at IS NULL"
    " RETURNING prefix"
)
# A row that another process touched within the minute is left alone.
USED = (
    "UPDATE {} SET last_used_at = now()"
    " WHERE id = ANY(:ids) AND (last_used_at < now() - interval '50 s') IS NOT FALSE"
)
WRITE_KEYS_USED, API_KEYS_USED = text(USED.format("write_keys")), text(USED.format("api_keys"))


@across_organisations()
def by_api_key_hash(key_hash: bytes) -> ApiKeyRef | None:
    """The live API key with this hash. On a connection of its own, as sessions.alive explains."""
    with db.engine.connect() as connection:
        found = connection.execute(FIND, {"key_hash": key_hash}).one_or_none()
    return _ref(found)


def by_api_key_id(owner_and_id: tuple[int, int]) -> ApiKeyRef | None:
    """The live API key of this organisation with this id. On a connection of its own, as by_api_key_hash."""
    organisation_id, key_id = owner_and_id
    with inside(organisation_id), db.engine.connect() as connection:
        asked = {"id": key_id, "organisation_id": organisation_id}
        found = connection.execute(FIND_BY_ID, asked).one_or_none()
    return _ref(found)


def _ref(found: Row[Any] | None) -> ApiKeyRef | None:
    if found is None:
        return None
    return ApiKeyRef(found.id, found.organisation_id, frozenset(found.scopes), found.is_closed)


def add_api_key(
    organisation_id: int,
    key_hash: bytes,
    prefix: str,
    scopes: Iterable[str],
    name: str = "",
    days: int | None = None,
) -> int:
    """Keep a new API key's hash and return its id; the caller commits. days: until it expires."""
    key = ApiKey(
        organisation_id=organisation_id,
        key_hash=key_hash,
        prefix=prefix,
        scopes=sorted(scopes),
        name=name,
        expires_at=_in(days),
    )
    db.session.add(key)
    db.session.flush()
    return key.id


def add_write_key(
    app: AppRef,
    key_hash: bytes,
    prefix: str,
    name: str = "",
    environment: str | None = None,
    answers: str = "explain",
    days: int | None = None,
) -> int:
    """Keep a new write key's hash and return its id; the caller commits. days: until it expires."""
    key = WriteKey(
        organisation_id=app.organisation_id,
        app_id=app.id,
        key_hash=key_hash,
        prefix=prefix,
        name=name,
        environment=environment,
        answers=answers,
        expires_at=_in(days),
    )
    db.session.add(key)
    db.session.flush()
    return key.id


def _in(days: int | None) -> object:
    """That many days from now, by the database's clock."""
    return None if days is None else func.now() + timedelta(days=days)


def write_keys(app: AppRef) -> list[KeyShown]:
    """The app's live write keys, oldest first; an expired one too, so that its owner sees why it is refused."""
    rows = db.session.scalars(
        select(WriteKey)
        .where(
            WriteKey.organisation_id == app.organisation_id,
            WriteKey.app_id == app.id,
            WriteKey.revoked_at.is_(None),
        )
        .order_by(WriteKey.id)
    )
    return [
        KeyShown(k.id, k.prefix, k.name, k.created_at, k.expires_at, k.last_used_at, k.environment, k.answers)
        for k in rows
    ]


def api_keys(organisation_id: int) -> list[KeyShown]:
    """The organisation's live API keys, oldest first, the expired ones included."""
    rows = db.session.scalars(
        select(ApiKey)
        .where(ApiKey.organisation_id == organisation_id, ApiKey.revoked_at.is_(None))
        .order_by(ApiKey.id)
    )
    return [
        KeyShown(k.id, k.prefix, k.name, k.created_at, k.expires_at, k.last_used_at, scopes=tuple(k.scopes))
        for k in rows
    ]


def revoke_api_key(organisation_id: int, key_id: int) -> str | None:
    """End an API key of this organisation and return its prefix, None where it has none; the caller commits."""
    return db.session.scalar(REVOKE_API_KEY, {"id": key_id, "organisation_id": organisation_id})


def revoke_write_key(app: AppRef, key_id: int) -> str | None:
    """End a write key of this app and return its prefix, None where it has none; the caller commits."""
    asked = {"id": key_id, "app_id": app.id, "organisation_id": app.organisation_id}
    return db.session.scalar(REVOKE_WRITE_KEY, asked)


def label_of(organisation_id: int, kind: str, key_id: int) -> tuple[str, str]:
    """What people call a key, and its app (`write_key`; '' for an `api_key`), also of one that was revoked."""
    row = db.session.execute(LABELS[kind], {"id": key_id, "organisation_id": organisation_id}).one_or_none()
    return (row[0], row[1]) if row else ("", "")


@across_organisations()
def touch(write_key_ids: Iterable[int], api_key_ids: Iterable[int]) -> None:
    """These were used just now; commits."""
    with db.engine.begin() as connection:
        connection.execute(WRITE_KEYS_USED, {"ids": sorted(write_key_ids)})
        connection.execute(API_KEYS_USED, {"ids": sorted(api_key_ids)})
