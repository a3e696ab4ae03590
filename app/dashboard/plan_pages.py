"""A plan's pages beside the one that shows it: its history, what changed in words, the draft, and the editor."""

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import metrics
from app.auth.require import Permission, require
from app.dashboard import api, draft_api, pages, version_api
from app.dashboard.assets import embedded
from app.dashboard.plan_api import by
from app.dashboard.plan_taking import number
from app.errors import Refusal
from app.extensions import db
from app.plans import diff, drafting, publishing
from app.plans.aside import aside
from app.store import audit, drafts, plans, studies
from app.store.audit import Action
from app.validation import options
from app.validation.constraints import CONSTRAINTS
from app.validation.formats import FORMATS
from app.validation.model import Severity
from app.validation.problems import PlanInvalid
from app.validation.types import Type

blueprint = Blueprint("plan_pages", __name__, url_prefix="/apps/<app_id>/plan")

MOST_VERSIONS = 100


@blueprint.get("/history")
@require(Permission.READ)
def history(app_id: str) -> ResponseReturnValue:
    """Every version: who made it, when, why, what it changed, and since when it was enforced everywhere."""
    return _history(app_id)


def _history(app_id: str, error: Refusal | None = None) -> str:
    frame, app = pages.shell_of(app_id)
    return render_template(
        "dashboard/plan_history.html",
        shell=frame,
        versions=plans.versions(app, MOST_VERSIONS),
        draft=drafts.about(app),
        error=error,
    )


@blueprint.get("/changes")
@require(Permission.READ)
def changes(app_id: str) -> ResponseReturnValue:
    """What changed in words between any two versions, `?since=` and `?version=`; 0 is an empty plan."""
    frame, app = pages.shell_of(app_id)
    versions = plans.versions(app, MOST_VERSIONS)
    newest = versions[0]["version"] if versions else 0
    version = number(request.args, "version")
    version = newest if version is None else version
    since = number(request.args, "since")
    since = max(0, version - 1) if since is None else since
    new = version_api.needed(app, version) if version else None
    old = version_api.needed(app, since) if since else None
    found = aside(diff.changes, old, new) if new is not None else []
    return render_template(
        "dashboard/plan_changes.html",
        shell=frame,
        versions=versions,
        draft=drafts.about(app),
        since=since,
        version=version,
        told=publishing.told(found),
    )


@blueprint.post("/versions/<int:version>/revert")
@require(Permission.EDIT_PLAN)
def revert(app_id: str, version: int) -> ResponseReturnValue:
    """Publish what a version holds as the next one, and back to the history."""
    app = api.the_app(app_id)
    try:
        note = publishing.checked_note(request.form.get("note", ""))
        made = publishing.revert(app, version, by(), note, number(request.form, "version"))
    except Refusal as refusal:
        if refusal.status == 404:  # noqa: PLR2004
            raise
        return _history(app_id, counted(refusal)), refusal.status
    audit.record(Action.PLAN_PUBLISHED, "plan", app.slug, version=made, reverted_to=version)
    db.session.commit()
    return redirect(url_for("plan_pages.history", app_id=app_id), 303)


# ── the draft ────────────────────────────────────────────────────────────────────────────────────────────────────────


@blueprint.get("/draft")
@require(Permission.READ)
def draft(app_id: str) -> ResponseReturnValue:
    """What publishing the draft would change, what would be refused, and the way to publish or discard it."""
    return _draft(app_id)


def _draft(app_id: str, error: Refusal | None = None) -> str:
    frame, app = pages.shell_of(app_id)
    about = drafts.about(app)
    return render_template(
        "dashboard/plan_draft.html",
        shell=frame,
        draft=about,
        told=drafting.preview(app) if about.exists else None,
        tried=studies.newest(app, studies.BACKTEST, 1),
        error=error,
        note=request.form.get("note", ""),
    )


@blueprint.post("/draft/publish")
@require(Permission.EDIT_PLAN)
def publish(app_id: str) -> ResponseReturnValue:
    """Make the draft that was looked at the next version, and show the plan."""
    app = api.the_app(app_id)
    form = request.form
    try:
        note = publishing.checked_note(form.get("note", ""))
        version = drafting.publish(app, draft_api.seen(form), by(), note, overwrite="overwrite" in form)
    except PlanInvalid:
        message = "The draft has problems and was not published. Mend what is listed below."
        return _draft(app_id, counted(Refusal("plan_invalid", message, 422))), 422
    except Refusal as refusal:
        return _draft(app_id, counted(refusal)), refusal.status
    audit.record(Action.PLAN_PUBLISHED, "plan", app.slug, version=version, note=note)
    db.session.commit()
    return redirect(url_for("pages.plan", app_id=app_id), 303)


@blueprint.post("/draft/discard")
@require(Permission.EDIT_PLAN)
def discard(app_id: str) -> ResponseReturnValue:
    """Forget the draft that was looked at, and show the plan."""
    app = api.the_app(app_id)
    try:
        drafting.discard(app, draft_api.seen(request.form))
    except Refusal as refusal:
        return _draft(app_id, counted(refusal)), refusal.status
    audit.record(Action.PLAN_CHANGED, "plan", app.slug, draft="discarded")
    db.session.commit()
    return redirect(url_for("pages.plan", app_id=app_id), 303)


@blueprint.get("/edit")
@require(Permission.EDIT_PLAN)
def edit(app_id: str) -> ResponseReturnValue:
    """The editor; its script asks for the draft."""
    frame, app = pages.shell_of(app_id)
    return render_template(
        "dashboard/plan_edit.html",
        shell=frame,
        draft=drafts.about(app),
        page_data=embedded(editor_facts(app_id)),
    )


def editor_facts(app_id: str) -> dict[str, Any]:
    """Where the editor's script asks, and the words that rules are made of."""
    return {
        "draftUrl": url_for("draft_api.show_draft", app_id=app_id),
        "undoUrl": url_for("draft_api.undo", app_id=app_id),
        "tryUrl": url_for("draft_api.try_event", app_id=app_id),
        "types": list(Type),
        "severities": list(Severity),
        "constraints": {name: sorted(known.types) for name, known in CONSTRAINTS.items()},
        "formats": sorted(FORMATS),
        "options": options.WORDS,
    }


def counted(refusal: Refusal) -> Refusal:
    """The refusal, counted as every one is, and about to be shown on the page that caused it."""
    g.reason = refusal.code
    metrics.REFUSALS.labels(refusal.code).inc()
    return refusal
