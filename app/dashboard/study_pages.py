"""Pages on what was found out for the sake of a plan: a draft judged back, events inferred, and how far each is."""

from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth.require import Permission, require
from app.dashboard import study_api, studying
from app.dashboard.api import the_app
from app.dashboard.pages import shell_of
from app.dashboard.plan_api import by
from app.extensions import db
from app.store import drafts, past, studies
from app.store.studies import BACKTEST, INFER, StudyRef

blueprint = Blueprint("study_pages", __name__, url_prefix="/apps/<app_id>/plan/studies")

# How many events a back-test may look at, to choose from.
CHOICES: Final = (1_000, 10_000, 50_000, studying.MOST_EVENTS)
PAGES: Final = {BACKTEST: "dashboard/backtest.html", INFER: "dashboard/inferred.html"}


@blueprint.get("")
@require(Permission.READ)
def show_studies(app_id: str) -> ResponseReturnValue:
    """What can be begun, and what was found lately."""
    frame, app = shell_of(app_id)
    return render_template(
        "dashboard/studies.html",
        shell=frame,
        draft=drafts.about(app),
        stored=past.count(app, studying.MOST_EVENTS),
        choices=CHOICES,
        backtests=studies.newest(app, BACKTEST, studies.MOST_KEPT),
        inferences=studies.newest(app, INFER, studies.MOST_KEPT),
    )


@blueprint.get("/<study_id>")
@require(Permission.READ)
def show_study(app_id: str, study_id: str) -> ResponseReturnValue:
    """One study: how far it is, or what it found."""
    frame, app = shell_of(app_id)
    study = study_api.the_study(app, study_id)
    return render_template(PAGES[study.kind], shell=frame, study=study, draft=drafts.about(app))


@blueprint.post("/backtest")
@require(Permission.EDIT_PLAN)
def begin_backtest(app_id: str) -> ResponseReturnValue:
    """Judge the draft back, and show how far that is."""
    app = the_app(app_id)
    given = request.form.get("events", "")
    events = study_api.events_of(int(given) if given.isascii() and given.isdecimal() else 0)
    study_id = studying.begin_backtest(app, events, by())
    db.session.commit()
    return _to(app_id, str(study_id))


@blueprint.post("/infer")
@require(Permission.EDIT_PLAN)
def infer(app_id: str) -> ResponseReturnValue:
    """Put one event, or all that the plan does not know, into the draft, and show what was seen of it."""
    app = the_app(app_id)
    name = request.form.get("event")
    if name is None:
        study_id = studying.begin_inference(app, by(), with_planned="with_planned" in request.form)
    else:
        study_id = studying.infer_event(app, study_api.name_of(name), by())
    db.session.commit()
    return _to(app_id, str(study_id))


@blueprint.post("/<study_id>/cancel")
@require(Permission.EDIT_PLAN)
def cancel(app_id: str, study_id: str) -> ResponseReturnValue:
    """End a study before it is done."""
    study: StudyRef = study_api.the_study(the_app(app_id), study_id)
    study_api.cancel(study)
    return _to(app_id, study_id)


def _to(app_id: str, study_id: str) -> ResponseReturnValue:
    return redirect(url_for("study_pages.show_study", app_id=app_id, study_id=study_id), 303)
