"""Reports over HTTP: those that are small enough are the answer."""

from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from app.auth.require import Permission, require
from app.dashboard import api, pages, scope
from app.dashboard.api import one_of, the_app
from app.dashboard.reports import results, sign_off, signing, summary
from app.dashboard.reports.files import FORMATS, Item, Shape, file_name, whole
from app.dashboard.reports.results import RESULTS
from app.dashboard.reports.summary import SUMMARY
from app.errors import Refusal
from app.extensions import db
from app.plans.aside import aside
from app.store import audit, events, snapshot
from app.store.apps import AppRef
from app.store.audit import Action

blueprint = Blueprint("reports", __name__)

MOST_AT_ONCE: Final = 1_000  # as many as a page of the list


@blueprint.get("/apps/<app_id>/reports")
@require(Permission.READ)
def show(app_id: str) -> ResponseReturnValue:
    """What can be taken away, and of which events. Raises Refusal `bad_filter`."""
    frame, app = pages.shell_of(app_id)
    return render_template(
        "dashboard/reports.html",
        shell=frame,
        asked=scope.asked([app]),
        ranges=scope.RANGES,
        kept=scope.kept(),
        formats=FORMATS,
        most_at_once=MOST_AT_ONCE,
    )


@blueprint.get("/api/apps/<app_id>/reports/results")
@require(Permission.READ)
def take_results(app_id: str) -> Response:
    """Stored events with what is wrong with each, as a file: CSV, Excel or JSON lines. Filters as in the list.

    At most 1,000 events are answered at once; 422 `too_large` where more pass the filters.
    """
    app, format_ = the_app(app_id), asked_format()
    snapshot.begin()
    found = events.page(app.id, api.asked_filters(), MOST_AT_ONCE)
    if found.looked_to is not None:
        message = f"More than {MOST_AT_ONCE:,} events pass, or must be looked through. Choose a shorter time."
        raise Refusal("too_large", message, 422)
    return as_file(app, format_, RESULTS, results.items(found.events))


@blueprint.get("/api/apps/<app_id>/reports/summary")
@require(Permission.READ)
def take_summary(app_id: str) -> Response:
    """The validation summary as a file: each event with its counts, and the groups of what was wrong with it."""
    app, format_ = the_app(app_id), asked_format()
    snapshot.begin()
    return as_file(app, format_, SUMMARY, summary.items(scope.asked([app]), app))


@blueprint.get("/api/apps/<app_id>/reports/sign-off")
@require(Permission.READ)
def take_sign_off(app_id: str) -> Response:
    """One page to sign, as PDF: the plan's version, coverage, pass rate, open violations, and who asked for it."""
    app = the_app(app_id)
    snapshot.begin()
    told = signing.told(scope.asked([app]), app)
    return taken(app, "sign-off", "pdf", "application/pdf", aside(sign_off.page, told))


def asked_format() -> str:
    """CSV where none is named. Raises Refusal `unknown_format`."""
    try:
        return one_of("format", FORMATS) or "csv"
    except Refusal as refusal:
        raise Refusal("unknown_format", refusal.message) from refusal


def as_file(app: AppRef, format_: str, shape: Shape, items: list[Item]) -> Response:
    """The file, written down in the audit log; commits."""
    body = aside(lambda: whole(format_, shape, items))
    return taken(app, shape.name, FORMATS[format_].extension, FORMATS[format_].media_type, body)


def taken(app: AppRef, name: str, extension: str, media_type: str, body: Any) -> Response:
    """An answer that browsers keep as a file and nobody else keeps; commits."""
    audit.record(Action.EXPORTED, name, app.slug, format=extension)
    db.session.commit()
    headers = {
        "Content-Disposition": f'attachment; filename="{file_name(app.slug, name, extension, datetime.now(UTC))}"',
        "Cache-Control": "private, no-store",
    }
    return Response(body, content_type=media_type, headers=headers)
