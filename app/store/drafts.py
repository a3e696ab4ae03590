"""The draft of a plan: one for all its editors, with a revision by which nobody overwrites what they have not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.extensions import db
from app.store.apps import AppRef
from app.store.plans import Base, By

# Steps that can be taken back, and told to whoever missed them.
MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """The draft of the plan that an app follows, or that there is none: then `content` is None.

    revision: changes with whatever is done to the draft, its end included. base_version: in force when it was begun.
    author, changed_at: of the last change; where there is no draft, of the version in force.
    """

    plan_id: int | None = None
    revision: int = 0
    current_version: int | None = None
    base_version: int | None = None
    content: str | None = None
    source_format: str | None = None
    events: int | None = None
    rules: int | None = None
    author: str | None = None
    changed_at: datetime | None = None

    @property
    def exists(self) -> bool:
        return self.content is not None


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a draft: the revision that it led to, what takes it back, and which step it took back itself."""

    revision: int
    undo: str
    undoes: int | None


COLUMNS = """p.id, p.draft_revision, p.current_version, d.base_version, {content}, d.source_format, d.events_count,
        d.rules_count, coalesce(u.email, 'API key ' || k.prefix), coalesce(d.changed_at, v.published_at)"""
FIND = """
    SELECT {columns}
    FROM apps a JOIN tracking_plans p ON p.id = a.plan_id
    LEFT JOIN plan_drafts d ON d.plan_id = p.id
    LEFT JOIN plan_versions v ON v.plan_id = p.id AND v.version = p.current_version
    LEFT JOIN users u ON u.id = CASE WHEN d.plan_id IS NULL THEN v.created_by ELSE d.changed_by END
    LEFT JOIN api_keys k ON k.id = CASE WHEN d.plan_id IS NULL THEN v.created_by_key ELSE d.changed_by_key END
    WHERE a.organisation_id = :organisation_id AND a.id = :app_id
    """
WHOLE = text(FIND.format(columns=COLUMNS.format(content="d.content")))
# For who only wants to know whether there is one: a content can be megabytes.
ABOUT = text(FIND.format(columns=COLUMNS.format(content="CASE WHEN d.plan_id IS NOT NULL THEN '' END")))


def find(app: AppRef) -> Draft:
    """The draft with its content, as the caller's transaction sees it."""
    return _found(WHOLE, app)


def about(app: AppRef) -> Draft:
    """The same without the content: an empty text stands for it."""
    return _found(ABOUT, app)


def _found(asked, app: AppRef) -> Draft:  # type: ignore[no-untyped-def]  # a text clause
    values = {"organisation_id": app.organisation_id, "app_id": app.id}
    found = db.session.execute(asked, values).one_or_none()
    return Draft(*found) if found else Draft()


@dataclass(frozen=True, slots=True)
class NewDraft:
    """What becomes the draft. undo: what takes this step back; undoes: the step that it takes back itself."""

    content: str
    source_format: str
    events: int
    rules: int
    undo: str
    undoes: int | None = None
    by: By = By()


KEEP = text(
    """
    INSERT INTO plan_drafts (plan_id, organisation_id, base_version, content, source_format, events_count, rules_count,
        changed_by, changed_by_key, changed_at)
    VALUES (:plan_id, :organisation_id, :base_version, :content, :source_format, :events, :rules, :user_id, :key_id,
        clock_timestamp())
    ON CONFLICT (plan_id) DO UPDATE SET content = excluded.content, source_format = excluded.source_format,
        events_count = excluded.events_count, rules_count = excluded.rules_count, changed_by = excluded.changed_by,
        changed_by_key = excluded.changed_by_key, changed_at = excluded.changed_at
    """
)
ADD_STEP = text(
    """
    INSERT INTO plan_draft_steps (plan_id, organisation_id, revision, undo, undoes)
    VALUES (:plan_id, :organisation_id, :revision, :undo, :undoes)
    """
)
FORGET_STEPS = text("DELETE FROM plan_draft_steps WHERE plan_id = :plan_id AND revision <= :revision")
TURN = text("UPDATE tracking_plans SET draft_revision = :revision WHERE id = :plan_id")
DISCARD = text("DELETE FROM plan_drafts WHERE plan_id = :plan_id")
STEPS = text(
    """
    SELECT s.revision, s.undo, s.undoes FROM plan_draft_steps s JOIN apps a ON a.plan_id = s.plan_id
    WHERE a.organisation_id = :organisation_id AND a.id = :app_id AND s.organisation_id = a.organisation_id
        AND s.revision > :since
    ORDER BY s.revision DESC
    """
)


def keep(app: AppRef, base: Base, new: NewDraft) -> int:
    """Make this the draft of the locked plan; its revision. A draft keeps the version that it was begun on.

    The caller commits.
    """
    revision = _turn(base)
    plan = {"plan_id": base.plan_id, "organisation_id": app.organisation_id}
    db.session.execute(
        KEEP,
        plan
        | {
            "base_version": base.current_version,
            "content": new.content,
            "source_format": new.source_format,
            "events": new.events,
            "rules": new.rules,
            "user_id": new.by.user_id,
            "key_id": new.by.key_id,
        },
    )
    db.session.execute(ADD_STEP, plan | {"revision": revision, "undo": new.undo, "undoes": new.undoes})
    db.session.execute(FORGET_STEPS, plan | {"revision": revision - MOST_STEPS})
    return revision


def discard(base: Base) -> int:
    """Forget the locked plan's draft, where it has one; the revision after that. The caller commits."""
    db.session.execute(DISCARD, {"plan_id": base.plan_id})
    return _turn(base)


def steps(app: AppRef, since: int = 0) -> Sequence[Step]:
    """What was done to the draft after this revision, newest first, as far as it is remembered."""
    values = {"organisation_id": app.organisation_id, "app_id": app.id, "since": since}
    return [Step(*row) for row in db.session.execute(STEPS, values)]


def _turn(base: Base) -> int:
    revision = base.draft_revision + 1
    db.session.execute(TURN, {"plan_id": base.plan_id, "revision": revision})
    return revision
