"""Drafts judged back and plans inferred, over JSON: begin, ask how far it is, cancel, read what was found."""

from typing import Any, Final
from uuid import UUID

from flask import Blueprint, Response, url_for

from app.auth.require import Permission, require
from app.dashboard import studying
from app.dashboard.api import one_of, the_app
from app.dashboard.import_api import IMPORT_ID
from app.dashboard.json import json_body, json_response
from app.dashboard.plan_api import by
from app.errors import Refusal
from app.extensions import db
from app.plans.content import LONGEST_NAME
from app.store import studies
from app.store.apps import AppRef
from app.store.studies import BACKTEST, INFER, StudyRef

blueprint = Blueprint("study_api", __name__, url_prefix="/api/apps/<app_id>/plan")

DEFAULT_EVENTS: Final = 10_000
KINDS: Final = (BACKTEST, INFER)


@blueprint.post("/backtest")
@require(Permission.EDIT_PLAN)
def begin_backtest(app_id: str) -> Response:
    """Judge the newest stored events by the draft: `{"events"?}`, at most 100,000. 202 with where to ask."""
    app = the_app(app_id)
    study_id = studying.begin_backtest(app, events_of(json_body().get("events", DEFAULT_EVENTS)), by())
    db.session.commit()
    return _begun(app, study_id)


@blueprint.post("/infer")
@require(Permission.EDIT_PLAN)
def infer(app_id: str) -> Response:
    """Put what was seen into the draft: one `{"event"}` at once, else all that the plan does not know, by a worker.

    `{"with_planned": true}` infers the planned events anew, too.
    """
    app = the_app(app_id)
    body = json_body()
    name, with_planned = body.get("event"), body.get("with_planned", False)
    if not isinstance(with_planned, bool):
        raise Refusal("bad_field", "`with_planned` is true or false.", 422)
    if name is None:
        study_id = studying.begin_inference(app, by(), with_planned=with_planned)
        db.session.commit()
        return _begun(app, study_id)
    study_id = studying.infer_event(app, name_of(name), by())
    db.session.commit()
    return json_response(as_json(the_study(app, str(study_id))))


@blueprint.get("/studies")
@require(Permission.READ)
def list_studies(app_id: str) -> Response:
    """The newest studies, newest first, without what they found. `kind`: `backtest` (default) or `infer`."""
    app = the_app(app_id)
    found = studies.newest(app, one_of("kind", KINDS) or BACKTEST, studies.MOST_KEPT)
    return json_response({"studies": [as_json(study, with_result=False) for study in found]})


@blueprint.get("/studies/<study_id>")
@require(Permission.READ)
def show_study(app_id: str, study_id: str) -> Response:
    """How far a study is, and what it found."""
    return json_response(as_json(the_study(the_app(app_id), study_id)))


@blueprint.post("/studies/<study_id>/cancel")
@require(Permission.EDIT_PLAN)
def cancel_study(app_id: str, study_id: str) -> Response:
    """End a study before it is done. One that is over stays as it is."""
    app = the_app(app_id)
    cancel(the_study(app, study_id))
    return json_response(as_json(the_study(app, study_id)))


def cancel(study: StudyRef) -> None:
    """End it; commits."""
    studies.cancel(study.organisation_id, study.id)
    db.session.commit()


def events_of(given: Any) -> int:
    """How many events to judge. Raises Refusal `bad_field`."""
    if isinstance(given, bool) or not isinstance(given, int) or not 0 < given <= studying.MOST_EVENTS:
        raise Refusal("bad_field", f"`events` is a whole number from 1 to {studying.MOST_EVENTS:,}.", 422)
    return given


def name_of(given: Any) -> str:
    """An event's name. Raises Refusal `bad_field`."""
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_NAME or "\x00" in given:
        raise Refusal("bad_field", f"`event` is a name of 1 to {LONGEST_NAME} characters.", 422)
    return given


def the_study(app: AppRef, study_id: str) -> StudyRef:
    """The app's study of that id. Raises Refusal `unknown_study`."""
    found = studies.find(app.organisation_id, UUID(study_id)) if IMPORT_ID.fullmatch(study_id) else None
    if found is None or found.app_id != app.id:
        raise Refusal("unknown_study", "There is no such study in this app.", 404)
    return found


def _begun(app: AppRef, study_id: UUID) -> Response:
    status_url = url_for("study_api.show_study", app_id=app.slug, study_id=study_id)
    answer = json_response({"study_id": str(study_id), "status_url": status_url}, 202)
    answer.headers["Location"] = status_url
    return answer


def as_json(study: StudyRef, *, with_result: bool = True) -> dict[str, Any]:
    """A study as the API tells it."""
    told: dict[str, Any] = {
        "study_id": str(study.id),
        "kind": study.kind,
        "state": study.state,
        "asked": study.asked,
        "begun_at": study.created_at,
        "finished_at": study.finished_at,
        "by": study.author,
        "events_done": study.done,
        "events": study.total,
        "progress": study.progress,
    }
    if study.state == "failed":
        told["error"] = study.job_error or "unknown"
    return told | ({"result": study.result} if with_result and study.result is not None else {})
