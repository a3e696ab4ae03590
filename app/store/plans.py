"""Plans and their versions: what is published, and how a new version is added without a twin."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select, true

from app.extensions import db
from app.store.apps import AppRef
from app.store.tables import ApiKey, App, PlanEnforcement, PlanVersion, TrackingPlan, User

LARGEST_VERSION: Final = 2**31 - 1  # of the column


class By(NamedTuple):
    """Who does something to a plan: a person, or a program by its API key."""

    user_id: int | None = None
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """A plan that was locked for a change: what there is so far, and the number of its next version.

    current_version: the published one; None before the first. draft_revision: of its draft, or of none.
    """

    plan_id: int
    next_version: int
    current_version: int | None
    draft_revision: int


def content_of(plan_id: int, version: int) -> str | None:
    """A version's content. On a connection of its own, so that a sender's request holds none meanwhile."""
    asked = select(PlanVersion.content).where(PlanVersion.plan_id == plan_id, PlanVersion.version == version)
    with db.engine.connect() as connection:
        return connection.execute(asked).scalar_one_or_none()


def lock(app: AppRef) -> Base:
    """Lock the app's plan until the caller's transaction ends, making it where the app follows none yet.

    Two changes at once come one after the other, so that their versions have different numbers. Whoever holds the lock
    holds the live streams back, too (they show what is older than the oldest writer): read and compare before.
    """
    # populate_existing: another change may have ended while this one waited for the lock.
    row = db.session.execute(
        select(App)
        .where(App.id == app.id, App.organisation_id == app.organisation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()
    if row.plan_id is None:
        plan = TrackingPlan(organisation_id=app.organisation_id, name=app.name)
        db.session.add(plan)
        db.session.flush()
        row.plan_id = plan.id
        return Base(plan.id, 1, None, 0)
    plan = db.session.execute(
        select(TrackingPlan)
        .where(TrackingPlan.id == row.plan_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()
    newest = db.session.execute(
        select(func.max(PlanVersion.version)).where(PlanVersion.plan_id == plan.id)
    ).scalar_one()
    return Base(plan.id, (newest or 0) + 1, plan.current_version, plan.draft_revision)


def content_in_session(plan_id: int, version: int) -> str:
    """A version's content as the caller's own transaction sees it."""
    asked = select(PlanVersion.content).where(PlanVersion.plan_id == plan_id, PlanVersion.version == version)
    return db.session.execute(asked).scalar_one()


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a version is made of. changes: weight → how many, against the version before."""

    content: str
    source_format: str
    events: int
    rules: int
    changes: dict[str, int]
    note: str = ""
    by: By = By()


def add_version(app: AppRef, base: Base, new: NewVersion) -> int:
    """Publish the version that `lock` made room for: it is the current one from the commit on. The caller commits."""
    db.session.add(
        PlanVersion(
            organisation_id=app.organisation_id,
            plan_id=base.plan_id,
            version=base.next_version,
            status="published",
            content=new.content,
            source_format=new.source_format,
            events_count=new.events,
            rules_count=new.rules,
            changes=new.changes,
            note=new.note,
            created_by=new.by.user_id,
            created_by_key=new.by.key_id,
            # The moment, not the transaction's beginning: what is enforced is measured from it.
            published_at=func.clock_timestamp(),
        )
    )
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
    """The newest versions of the app's plan, newest first, without their contents.

    `processes` judge by a version, or did; the last of them since `milliseconds` after its publication.
    """
    enforced = (
        select(func.count().label("processes"), func.max(PlanEnforcement.milliseconds).label("milliseconds"))
        .where(PlanEnforcement.plan_id == PlanVersion.plan_id, PlanEnforcement.version == PlanVersion.version)
        .lateral()
    )
    asked = (
        select(
            PlanVersion.version,
            PlanVersion.status,
            PlanVersion.source_format,
            PlanVersion.events_count.label("events"),
            PlanVersion.rules_count.label("rules"),
            PlanVersion.created_at,
            PlanVersion.published_at,
            PlanVersion.note,
            PlanVersion.changes,
            func.coalesce(User.email, "API key " + ApiKey.prefix).label("author"),
            enforced.c.processes,
            enforced.c.milliseconds,
        )
        .join(App, App.plan_id == PlanVersion.plan_id)
        .outerjoin(User, User.id == PlanVersion.created_by)
        .outerjoin(ApiKey, ApiKey.id == PlanVersion.created_by_key)
        .join(enforced, true())
        .where(
            App.id == app.id,
            App.organisation_id == app.organisation_id,
            PlanVersion.organisation_id == app.organisation_id,
        )
        .order_by(PlanVersion.version.desc())
        .limit(limit)
    )
    return [dict(row) for row in db.session.execute(asked).mappings()]
