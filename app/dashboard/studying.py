"""Studies in a worker: a draft judged back against stored events, or a plan inferred from them.

A back-test works in turns, each slice written down with where the next begins: killed, it goes on there; cancelled, it
ends with the slice at hand. A plan is inferred in one go, of a bounded sample.
"""

import time
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import uuid_utils
from flask import Flask, g

from app.dashboard import inferences
from app.errors import Refusal
from app.extensions import db
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job, JobUnfinished
from app.plans import backtesting, drafting
from app.plans import content as contents
from app.plans.backtesting import Judges
from app.plans.current import version_of
from app.store import apps, audit, past, studies
from app.store.apps import AppRef
from app.store.audit import Action
from app.store.events import Place
from app.store.outbox import Claim
from app.store.plans import By
from app.store.studies import BACKTEST, INFER, StudyRef
from app.validation.compile import compile_plan

MOST_EVENTS: Final = 100_000
# Then another study has its turn, and the worker hears whether it is to stop.
TURN_SECONDS: Final = 5.0
MOST_UNFINISHED: Final = 2


# ── at the door ──────────────────────────────────────────────────────────────────────────────────────────────────────


def begin_backtest(app: AppRef, events: int, by: By) -> UUID:
    """Have the draft as it is now judged back. The caller commits. Raises Refusal `no_draft`, `too_many_studies`."""
    draft, content = drafting.needed(app)
    asked = {"events": events, "draft_revision": draft.revision, "plan_version": app.plan_version}
    return _begin(app, BACKTEST, JUDGE_BACK, asked, by, contents.as_text(content))


def begin_inference(app: AppRef, by: By, *, with_planned: bool) -> UUID:
    """Have a plan inferred from the app's newest events. The caller commits. Raises Refusal `too_many_studies`."""
    return _begin(app, INFER, INFER_PLAN, {"event": None, "with_planned": with_planned}, by)


def infer_event(app: AppRef, name: str, by: By) -> UUID:
    """Put one event, as it was seen, into the draft. The caller commits.

    Raises Refusal `never_seen`, `plan_changed`.
    """
    inferred = inferences.of_event(app, name)
    study_id = _add(app, INFER, {"event": name, "with_planned": True}, by)
    studies.finish(study_id, _adopted(app, [inferred], 0, by))
    return study_id


def _begin(
    app: AppRef, kind: str, job: Job, asked: dict[str, Any], by: By, content: str | None = None
) -> UUID:
    if studies.unfinished(app, kind) >= MOST_UNFINISHED:
        message = "This app's events are looked at already. Wait for that, or cancel it."
        raise Refusal("too_many_studies", message, 429, headers={"Retry-After": "10"})
    study_id = _add(app, kind, asked, by, content)
    studies.give_to(study_id, outbox.add(db.session, job, {"study_id": str(study_id)}, app.organisation_id))
    return study_id


def _add(app: AppRef, kind: str, asked: dict[str, Any], by: By, content: str | None = None) -> UUID:
    study_id = UUID(str(uuid_utils.uuid7()))
    studies.add(study_id, app, kind, asked, content=content, user_id=by.user_id, key_id=by.key_id)
    return study_id


# ── in the worker ────────────────────────────────────────────────────────────────────────────────────────────────────


def judge_back(claim: Claim) -> None:
    """Judge one draft back for one turn. Raises JobUnfinished where more is left."""
    ends_at = time.monotonic() + TURN_SECONDS
    study, app = _asked_for(claim)
    if (
        study is None or app is None or study.content is None
    ):  # cancelled, finished, or forgotten with its app
        return
    state = dict(study.progress_state or {**backtesting.begun(), "place": None})
    most, done = study.asked["events"], study.done
    total = study.total or past.count(app, most)
    draft = compile_plan(contents.from_text(study.content), 0, is_checked=True)
    judges = Judges(version_of(app, study.asked["plan_version"]), draft, app.exempt_system_events)
    db.session.commit()
    for found in past.newest_first(app, most - done, _place(state["place"])):
        backtesting.take(state, judges, found)
        at, event_id = found[-1].place
        state["place"] = [at.isoformat(), event_id]
        if not studies.go_on(study.id, done, done + len(found), total, state):
            return  # cancelled, or another worker did this slice
        db.session.commit()
        done += len(found)
        if time.monotonic() > ends_at and done < most:
            raise JobUnfinished
    studies.finish(study.id, {**backtesting.told(state), **study.asked})


def infer_plan(claim: Claim) -> None:
    """Infer a plan from the app's newest events, and put what is new of it into the draft."""
    study, app = _asked_for(claim)
    if study is None or app is None or study.state in ("done", "cancelled"):
        return
    total = past.count(app, inferences.MOST_LOOKED_AT)
    told = study.done

    def tell(looked_at: int) -> bool:
        nonlocal told
        goes_on = studies.go_on(study.id, told, looked_at, total)
        db.session.commit()
        told = looked_at
        return goes_on

    inferred, left_out = inferences.of_app(app, with_planned=study.asked["with_planned"], tell=tell)
    result = _adopted(app, inferred, left_out, By(study.user_id, study.key_id))
    if not studies.finish(study.id, result):
        db.session.rollback()  # cancelled meanwhile: the draft stays as it was


def _adopted(app: AppRef, inferred: list[inferences.Inferred], left_out: int, by: By) -> dict[str, Any]:
    """Put it into the draft; what to tell of it."""
    result: dict[str, Any] = {"events": [inferences.as_json(one) for one in inferred], "left_out": left_out}
    if not inferred:
        return result | {"draft_revision": None}
    revision = inferences.adopt(app, inferred, by)
    audit.record(
        Action.PLAN_CHANGED,
        "plan",
        app.slug,
        organisation_id=app.organisation_id,
        user_id=by.user_id,
        key_id=by.key_id,
        draft_revision=revision,
        inferred_events=len(inferred),
    )
    return result | {"draft_revision": revision}


def _asked_for(claim: Claim) -> tuple[StudyRef | None, AppRef | None]:
    assert claim.organisation_id is not None, "a study has an owner"
    study = studies.find(claim.organisation_id, UUID(claim.arguments["study_id"]))
    app = apps.find(claim.organisation_id, study.app_slug) if study else None
    g.app_id = app.id if app else None
    return study, app


def _place(kept: list[str] | None) -> Place | None:
    return (datetime.fromisoformat(kept[0]), kept[1]) if kept else None


JUDGE_BACK: Final = Job("judge_back", Queue.LOW, judge_back, timeout_seconds=60, longest_pause_seconds=60)
INFER_PLAN: Final = Job("infer_plan", Queue.LOW, infer_plan, timeout_seconds=120, longest_pause_seconds=60)


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, JUDGE_BACK, INFER_PLAN)
