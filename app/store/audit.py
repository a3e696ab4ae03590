"""The audit log: who did what to what, when and from where, in the transaction that did it. Rows are only ever added.

    audit.record(Action.KEY_MADE, "write_key", key_id, prefix=prefix)

Who it was is taken from the request: its actor, else the system. The caller commits; what is rolled back was not done.
"""

import enum
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from flask import g, has_request_context, request
from sqlalchemy import text

from app.extensions import db
from app.store import tenancy

MOST_DETAIL_CHARACTERS = 200
EXPORT_ROWS = 500


class Action(enum.StrEnum):
    """What can be done that is worth a line. The word stays for ever: it stands in exports."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    SWITCHED = "organisation_switched"
    ACCOUNT_CHANGED = "account_changed"
    KEY_MADE = "key_made"
    KEY_REVOKED = "key_revoked"
    INVITED = "invited"
    INVITE_SENT_AGAIN = "invite_sent_again"
    INVITE_REVOKED = "invite_revoked"
    JOINED = "joined"
    LEFT = "left"
    MEMBER_REMOVED = "member_removed"
    ROLE_CHANGED = "role_changed"
    OWNERSHIP_MOVED = "ownership_moved"
    ORGANISATION_MADE = "organisation_made"
    RENAMED = "renamed"
    DELETION_BEGUN = "deletion_begun"
    DELETION_UNDONE = "deletion_undone"
    APP_MADE = "app_made"
    APP_CHANGED = "app_changed"
    PLAN_PUBLISHED = "plan_published"
    PLAN_CHANGED = "plan_changed"
    VIOLATION_TRIAGED = "violation_triaged"
    COVERAGE_CHANGED = "coverage_changed"
    JOB_RETRIED = "job_retried"
    EXPORTED = "exported"
    DELETED = "deleted"
    QUOTA_CHANGED = "quota_changed"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log, as it is shown and exported."""

    id: int
    at: datetime
    who: str
    actor: str
    action: str
    kind: str
    object: str
    details: dict[str, Any]
    address: str | None
    request_id: str


ADD = text(
    """
    INSERT INTO audit_log (organisation_id, actor, user_id, key_id, who, action, kind, object, details, address,
        request_id)
    VALUES (:organisation_id, :actor, :user_id, :key_id,
        coalesce(:who, (SELECT email FROM users WHERE id = :user_id),
            (SELECT prefix FROM api_keys WHERE id = :key_id), ''),
        :action, :kind, :object, CAST(:details AS jsonb), :address, :request_id)
    """
)
COLUMNS = "id, created_at, who, actor, action, kind, object, details, host(address), request_id"
PAGE = text(
    f"""
    SELECT {COLUMNS} FROM audit_log
    WHERE organisation_id = :organisation_id AND id < coalesce(CAST(:before AS bigint), 9223372036854775807)
      AND (CAST(:action AS text) IS NULL OR action = :action)
      AND (CAST(:who AS text) IS NULL OR strpos(lower(who), lower(:who)) > 0)
      AND created_at >= coalesce(CAST(:from_ AS timestamptz), '-infinity')
      AND created_at < coalesce(CAST(:to_ AS timestamptz), 'infinity')
    ORDER BY id DESC LIMIT :limit
    """  # noqa: S608  (made of constants of this file)
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which lines to show; None: any. `who` is a part of an address or a key's prefix."""

    action: str | None = None
    who: str | None = None
    from_: datetime | None = None
    to_: datetime | None = None


def record(
    action: Action,
    kind: str,
    object_: object = "",
    *,
    organisation_id: int | None = None,
    user_id: int | None = None,
    key_id: int | None = None,
    **details: object,
) -> None:
    """Add a line to the caller's transaction, who commits.

    kind and object_: what it was done to, as `app`, `shop`. organisation_id, user_id, key_id: given where the request
    has no actor yet, or another one; without any nobody's line is written (a sign-in that failed, address unknown).
    details: short values that help to understand it; never a secret, a code, or a password.
    """
    actor = None if user_id is not None or key_id is not None else g.get("actor")
    if organisation_id is None and actor is not None:
        organisation_id = actor.organisation_id
    user_id = actor.user_id if actor is not None else user_id
    key_id = actor.key_id if actor is not None else key_id
    line = {
        "organisation_id": organisation_id,
        "actor": "user" if user_id is not None else "key" if key_id is not None else "system",
        "user_id": user_id,
        "key_id": key_id,
        "who": actor.email if actor is not None else None,
        "action": action.value,
        "kind": kind,
        "object": str(object_)[:MOST_DETAIL_CHARACTERS],
        "details": json.dumps({name: _short(value) for name, value in details.items()}),
        "address": _address(),
        "request_id": g.get("request_id") or "",
    }
    with tenancy.inside(organisation_id):
        db.session.execute(ADD, line)


def page(organisation_id: int, asked: Asked, limit: int, before: int | None = None) -> list[Line]:
    """Lines of the organisation, newest first, older than `before` (the last line's id)."""
    values = {f.name: getattr(asked, f.name) for f in fields(asked)}
    rows = db.session.execute(
        PAGE, values | {"organisation_id": organisation_id, "limit": limit, "before": before}
    )
    return [Line(*row) for row in rows]


def every(organisation_id: int, asked: Asked) -> Iterator[Line]:
    """All lines, newest first, some hundreds at a time; each time in a transaction of its own."""
    before = None
    while True:
        with tenancy.inside(organisation_id):
            lines = page(organisation_id, asked, EXPORT_ROWS, before)
            db.session.rollback()
        yield from lines
        if len(lines) < EXPORT_ROWS:
            return
        before = lines[-1].id


def _short(value: object) -> object:
    return value if isinstance(value, (bool, int, type(None))) else str(value)[:MOST_DETAIL_CHARACTERS]


def _address() -> str | None:
    """Whom the request came from; nginx says so, and nobody else is believed."""
    if not has_request_context():
        return None
    try:
        return str(ip_address(request.remote_addr or ""))
    except ValueError:  # a unix socket has none
        return None
