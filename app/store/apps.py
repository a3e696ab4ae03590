"""Apps: who sends, and by which plan it is judged."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select, text
from sqlalchemy.exc import IntegrityError

from app.errors import Refusal
from app.extensions import db
from app.store import green
from app.store.tables import App, TrackingPlan

LOOKUP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class AppRef:
    """What the corridor needs to know of an app. A plain value: it may be cached and crosses rooms."""

    id: int
    slug: str
    name: str
    organisation_id: int
    plan_id: int | None
    plan_version: int | None  # the published one; None before the first publish
    exempt_system_events: bool


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: a live write key, and the app that it sends for."""

    app: AppRef
    key_id: int
    answers: str  # `explain`, `strict` or `quiet`
    environment: str | None
    cors_origins: tuple[str, ...]
    is_disabled: bool
    is_closed: bool  # its organisation is
    quota_credits: int | None = None  # its organisation's, a month; None: as the operator set
    quota_refuses: bool = False


SENDER = text(
    """
    SELECT a.id, a.slug, a.name, a.organisation_id, a.plan_id, p.current_version, a.exempt_system_events,
        k.id AS key_id, k.answers, k.environment, a.cors_origins, a.disabled_at IS NOT NULL AS is_disabled,
        o.deletes_at IS NOT NULL AS is_closed, o.quota_credits, o.quota_refuses
    FROM write_keys k JOIN apps a ON a.id = k.app_id JOIN organisations o ON o.id = a.organisation_id
        LEFT JOIN tracking_plans p ON p.id = a.plan_id
    WHERE k.key_hash = :key_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
    """
)


def by_write_key_hash(key_hash: bytes) -> Sender | None:
    """The live write key with this hash and its app. Asked with the ingest role, which may read nothing else.

    Within seconds, also of a database that hangs: a sender's own deadline begins only after this.
    """
    with green.within(LOOKUP_SECONDS), db.engines["ingest"].connect() as connection:
        found = connection.execute(SENDER, {"key_hash": key_hash}).one_or_none()
    if found is None:
        return None
    *app, key_id, answers, environment, origins, is_disabled, is_closed, credits, refuses = found
    return Sender(
        AppRef(*app), key_id, answers, environment, tuple(origins), is_disabled, is_closed, credits, refuses
    )


def find(organisation_id: int, slug: str) -> AppRef | None:
    """One app of this organisation; another organisation's is not found."""
    if "\x00" in slug:  # no text of PostgreSQL's, and no driver's either
        return None
    row = db.session.execute(
        _refs().where(App.organisation_id == organisation_id, App.slug == slug)
    ).one_or_none()
    return _ref(row) if row else None


def of_organisation(organisation_id: int) -> list[AppRef]:
    """All apps of an organisation, by name."""
    rows = db.session.execute(
        _refs().where(App.organisation_id == organisation_id).order_by(App.name, App.id)
    )
    return [_ref(row) for row in rows]


def create(organisation_id: int, slug: str, name: str) -> AppRef:
    """Add an app; the caller commits. Raises Refusal `app_id_taken`, and rolls back, where the slug is in use."""
    app = App(organisation_id=organisation_id, slug=slug, name=name)
    db.session.add(app)
    try:
        db.session.flush()
    except IntegrityError as error:
        db.session.rollback()
        message = f"This organisation already has an app `{slug}`. Choose another app_id."
        raise Refusal("app_id_taken", message, 409) from error
    return AppRef(app.id, slug, name, organisation_id, None, None, False)


@dataclass(frozen=True, slots=True)
class AppSettings:
    """What an app's owner may choose. cors_origins: whose pages may send; `*`: any.

    retention_days: for how many days events are kept; None: as long as the operator set.
    """

    name: str
    cors_origins: tuple[str, ...]
    exempt_system_events: bool
    is_disabled: bool
    retention_days: int | None


SETTINGS = text(
    """
    SELECT name, cors_origins, exempt_system_events, disabled_at IS NOT NULL, retention_days
    FROM apps WHERE id = :id AND organisation_id = :organisation_id
    """
)
CHANGE = text(
    """
    UPDATE apps SET name = :name, cors_origins = :cors_origins, exempt_system_events = :exempt_system_events,
        retention_days = :retention_days,
        disabled_at = CASE WHEN :is_disabled THEN coalesce(disabled_at, now()) END
    WHERE id = :id AND organisation_id = :organisation_id
    """
)


def settings_of(app: AppRef) -> AppSettings:
    """The app's settings."""
    found = db.session.execute(SETTINGS, {"id": app.id, "organisation_id": app.organisation_id}).one()
    name, origins, *others = found
    return AppSettings(name, tuple(origins), *others)


def change(app: AppRef, chosen: AppSettings) -> None:
    """Keep these settings; the caller commits. They count everywhere within a second."""
    db.session.execute(
        CHANGE,
        {
            "id": app.id,
            "organisation_id": app.organisation_id,
            "name": chosen.name,
            "cors_origins": list(chosen.cors_origins),
            "exempt_system_events": chosen.exempt_system_events,
            "is_disabled": chosen.is_disabled,
            "retention_days": chosen.retention_days,
        },
    )


def _refs() -> Select[int, str, str, int, int | None, int | None, bool]:
    return select(
        App.id,
        App.slug,
        App.name,
        App.organisation_id,
        App.plan_id,
        TrackingPlan.current_version,
        App.exempt_system_events,
    ).outerjoin(TrackingPlan, TrackingPlan.id == App.plan_id)


def _ref(row: Any) -> AppRef:
    return AppRef(*row)
