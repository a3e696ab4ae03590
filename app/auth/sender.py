"""Who sends: a write key names its app. On every event's way, so a known key costs microseconds, no I/O."""

from flask import Flask, current_app, g, request

from app import metrics
from app.auth import keys, used
from app.auth.memory import Memory
from app.errors import Refusal
from app.store import apps, tenancy
from app.store.apps import Sender

# Half of the second within which a published plan or a revoked key counts everywhere.
FRESH_SECONDS = 0.5
# While PostgreSQL is away a known sender is still told "busy, try again" rather than "who are you?".
STALE_SECONDS = 60.0
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="live-validation"'}


def init_app(flask_app: Flask) -> None:
    flask_app.extensions["senders"] = Memory("senders", _look_up, FRESH_SECONDS, stale_seconds=STALE_SECONDS)


def admit() -> None:
    """Set `g.sender` to the app whose write key came with the request, and `g.write_key` to the key.

    Raises Refusal `key_in_url`, `two_credentials`, `missing_key`, `bad_key`, `unknown_app`, `organisation_closed`,
    `app_disabled`.
    """
    keys.refuse_in_url()
    key = keys.presented()
    if key is None:
        message = "Send the app's write key: Authorization: Bearer <write key>, or X-API-Key: <write key>."
        raise Refusal("missing_key", message, 401, headers=CHALLENGE)
    found = _sender_of(key)
    if found is None:
        message = "No app has this write key. It may be revoked or mistyped; write keys begin with lvw_."
        raise Refusal("bad_key", message, 401, headers=CHALLENGE)
    app = found.app
    slug = request.view_args.get("app_id") if request.view_args else None
    if slug is not None and slug != app.slug:
        raise Refusal("unknown_app", "This write key sends for no app with that app_id.", 404)
    g.sender = app
    g.write_key = found
    g.organisation_id = app.organisation_id
    g.app_id = app.id
    used.note_write_key(found.key_id)
    if found.is_closed:
        keys.refuse_closed()
    if found.is_disabled:
        message = "This app takes no events at the moment. Whoever manages it can enable it in its settings."
        raise Refusal("app_disabled", message, 403)
    tenancy.enter(app.organisation_id)


def _sender_of(key: str) -> Sender | None:
    if not keys.is_written(key, keys.Kind.WRITE):
        return None
    return current_app.extensions["senders"].recall(keys.hashed(key))


def _look_up(key_hash: bytes) -> Sender | None:
    found = apps.by_write_key_hash(key_hash)
    metrics.KEY_LOOKUPS.labels("database" if found else "nowhere").inc()
    return found
