"""Plans and their versions: what is published, and how a new version is added without a twin."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select

from app.extensions import db
from app.store.apps import AppRef
from app.store.tables import App, PlanVersion, TrackingPlan, User

LARGEST_VERSION: Final = 2**31 - 1  # of the column


@dataclass(frozen=True, slots=True)
class Base:
    """A plan that was locked for a new version: the number it gets, and the content that it follows on."""

    plan_id: int
    next_version: int
    content: str | None  # of the published version, else of the newest; None before the first


def content_of(plan_id: int, version: int) -> str | None:
    """A version's content. On a connection of its own, so that a sender's request holds none meanwhile."""
    asked = select(PlanVersion.content).where(PlanVersion.plan_id == plan_id, PlanVersion.version == version)
    with db.engine.connect() as connection:
        return connection.execute(asked).scalar_one_or_none()


def lock(app: AppRef) -> Base:
    """Lock the app's plan until the caller's transaction ends, making it where the app follows none yet.

    Two imports at once come one after the other, so that their versions have different numbers.
    """
    row = db.session.execute(select(App).where(App.id == app.id).with_for_update()).scalar_one()
    if row.plan_id is None:
        plan = TrackingPlan(organisation_id=app.organisation_id, name=app.name)
        db.session.add(plan)
        db.session.flush()
        row.plan_id = plan.id
        return Base(plan.id, 1, None)
    plan = db.session.execute(
        # populate_existing: another import may have ended while this one waited for the lock.
        select(TrackingPlan)
        .where(TrackingPlan.id == row.plan_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()
    newest = db.session.execute(
        select(func.max(PlanVersion.version)).where(PlanVersion.plan_id == plan.id)
    ).scalar_one()
    followed = plan.current_version or newest
    return Base(plan.id, (newest or 0) + 1, content_in_session(plan.id, followed) if followed else None)


def content_in_session(plan_id: int, version: int) -> str:
    """A version's content as the caller's own transaction sees it."""
    asked = select(PlanVersion.content).where(PlanVersion.plan_id == plan_id, PlanVersion.version == version)
    return db.session.execute(asked).scalar_one()


def add_version(
    app: AppRef,
    base: Base,
    content: str,
    *,
    source_format: str,
    events: int,
    rules: int,
    is_published: bool,
    user_id: int | None,
) -> int:
    """Add the version that `lock` made room for; published, it is the current one from the commit on.

    The caller commits.
    """
    db.session.add(
        PlanVersion(
            organisation_id=app.organisation_id,
            plan_id=base.plan_id,
            version=base.next_version,
            status="published" if is_published else "draft",
            content=content,
            source_format=source_format,
            events_count=events,
            rules_count=rules,
            created_by=user_id,
            published_at=func.now() if is_published else None,
        )
    )
    if is_published:
        plan = db.session.get_one(TrackingPlan, base.plan_id)
        plan.current_version = base.next_version
    db.session.flush()
    return base.next_version


def find_content(app: AppRef, version: int) -> str | None:
    """The content of a version of the app's own plan; None where it has no such version."""
    asked = (
        select(PlanVersion.content)
        .join(App, App.plan_id == PlanVersion.plan_id)
        .where(
            App.id == app.id,
            App.organisation_id == app.organisation_id,
            PlanVersion.organisation_id == app.organisation_id,
            PlanVersion.version == version,
        )
    )
    return db.session.execute(asked).scalar_one_or_none() if version <= LARGEST_VERSION else None


def versions(app: AppRef, limit: int) -> list[dict[str, Any]]:
    """The newest versions of the app's plan, newest first, without their contents."""
    asked = (
        select(
            PlanVersion.version,
            PlanVersion.status,
            PlanVersion.source_format,
            PlanVersion.events_count.label("events"),
            PlanVersion.rules_count.label("rules"),
            PlanVersion.created_at,
            PlanVersion.published_at,
            User.email.label("author"),
        )
        .join(App, App.plan_id == PlanVersion.plan_id)
        .outerjoin(User, User.id == PlanVersion.created_by)
        .where(
            App.id == app.id,
            App.organisation_id == app.organisation_id,
            PlanVersion.organisation_id == app.organisation_id,
        )
        .order_by(PlanVersion.version.desc())
        .limit(limit)
    )
    return [dict(row) for row in db.session.execute(asked).mappings()]
