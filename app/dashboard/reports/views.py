"""Reports over HTTP: those that are small enough are the answer, the others are asked for and taken when written."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, Response, g, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from app.auth.require import Permission, require
from app.dashboard import api, pages, scope
from app.dashboard.api import one_of, the_app
from app.dashboard.json import json_response
from app.dashboard.plan_api import by
from app.dashboard.reports import results, sign_off, signing, summary, writing
from app.dashboard.reports.digest import CHOICES
from app.dashboard.reports.files import FORMATS, Item, Shape, file_name, whole
from app.dashboard.reports.results import RESULTS
from app.dashboard.reports.summary import SUMMARY
from app.errors import Refusal
from app.extensions import db
from app.plans.aside import aside
from app.store import audit, digests, events, snapshot, written
from app.store.apps import AppRef
from app.store.audit import Action
from app.store.written import ReportRef

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
        written=written.of_app(app),
        days=written.KEPT_DAYS,
        digest=digests.chosen(app, g.actor.user_id),
        digest_choices=CHOICES,
    )


@blueprint.get("/apps/<app_id>/reports/results")
@require(Permission.READ)
def take_or_ask(app_id: str) -> ResponseReturnValue:
    """The results at once, or where they are many the page that has them written."""
    app, format_ = the_app(app_id), asked_format()
    found = few_results(app)
    if found is not None:
        return as_file(app, format_, RESULTS, found)
    frame, _ = pages.shell_of(app_id)
    formats = {name: FORMATS[name] for name in writing.FORMATS}
    chosen = format_ if format_ in formats else "csv"
    return render_template(
        "dashboard/report_large.html", shell=frame, formats=formats, chosen=chosen, most_at_once=MOST_AT_ONCE
    )


@blueprint.post("/apps/<app_id>/reports")
@require(Permission.READ)
def ask_by_form(app_id: str) -> ResponseReturnValue:
    """Have the results written, and show how far that is. The address carries the filters."""
    report_id = writing.begin(the_app(app_id), request.form.get("format", ""), api.asked_filters(), by())
    db.session.commit()
    return redirect(url_for("reports.show_written", app_id=app_id, report_id=report_id), 303)


@blueprint.get("/apps/<app_id>/reports/<uuid:report_id>")
@require(Permission.READ)
def show_written(app_id: str, report_id: UUID) -> ResponseReturnValue:
    """One report: how far it is, or where to take it."""
    frame, app = pages.shell_of(app_id)
    report = the_report(app, report_id)
    return render_template("dashboard/report.html", shell=frame, study=report, days=written.KEPT_DAYS)


@blueprint.get("/reports/<word>")
@require(Permission.READ)
def open_mailed(word: str) -> ResponseReturnValue:
    """Where a mail leads: to the page of the report, for members alone."""
    report_id = writing.id_of(word)
    found = written.find(g.actor.organisation_id, report_id) if report_id else None
    if found is None:
        raise unknown_report()
    return redirect(url_for("reports.show_written", app_id=found.app_slug, report_id=found.id))


@blueprint.post("/api/apps/<app_id>/reports")
@require(Permission.READ)
def ask(app_id: str) -> Response:
    """Have results written by a job, however many: `format` csv or ndjson, filters in the query as for the list.

    202 with where to ask how far it is. The report is of the events that were stored when it was asked for.
    """
    app = the_app(app_id)
    report_id = writing.begin(app, asked_format(), api.asked_filters(), by())
    db.session.commit()
    status_url = url_for("reports.show_report", app_id=app_id, report_id=report_id)
    answer = json_response({"report_id": str(report_id), "status_url": status_url}, 202)
    answer.headers["Location"] = status_url
    return answer


@blueprint.get("/api/apps/<app_id>/reports")
@require(Permission.READ)
def list_reports(app_id: str) -> Response:
    """The reports of the last days that were written by a job, newest first."""
    return json_response({"reports": [as_json(report) for report in written.of_app(the_app(app_id))]})


@blueprint.get("/api/apps/<app_id>/reports/<uuid:report_id>")
@require(Permission.READ)
def show_report(app_id: str, report_id: UUID) -> Response:
    """How far a report is."""
    return json_response(as_json(the_report(the_app(app_id), report_id)))


@blueprint.get("/api/apps/<app_id>/reports/<uuid:report_id>/file")
@require(Permission.READ)
def take_report(app_id: str, report_id: UUID) -> Response:
    """A report that is written. 409 `not_written` before that."""
    app = the_app(app_id)
    report = the_report(app, report_id)
    if report.finished_at is None:
        raise Refusal("not_written", "The report is not written yet. Ask for its state first.", 409)
    format_ = FORMATS[report.format]
    body = stream_with_context(written.content(report))
    answer = taken(app, RESULTS.name, format_.extension, format_.media_type, body)
    answer.content_length = report.bytes_total
    return answer


def the_report(app: AppRef, report_id: UUID) -> ReportRef:
    """The app's report of that id. Raises Refusal `unknown_report`."""
    found = written.find(app.organisation_id, report_id)
    if found is None or found.app_id != app.id:
        raise unknown_report()
    return found


def unknown_report() -> Refusal:
    return Refusal("unknown_report", "There is no such report here, or it is forgotten already.", 404)


def as_json(report: ReportRef) -> dict[str, Any]:
    """A report as the API tells it."""
    told = {
        "report_id": str(report.id),
        "state": report.state,
        "format": report.format,
        "filters": report.filters,
        "asked_at": report.created_at,
        "finished_at": report.finished_at,
        "by": report.author,
        "events_done": report.done,
        "events": report.total,
        "progress": report.progress,
        "written": report.written,
        "bytes": report.bytes_total,
    }
    if report.finished_at:
        told["file_url"] = url_for("reports.take_report", app_id=report.app_slug, report_id=report.id)
    return told | ({"error": report.job_error or "unknown"} if report.state == "failed" else {})


@blueprint.get("/api/apps/<app_id>/reports/results")
@require(Permission.READ)
def take_results(app_id: str) -> Response:
    """Stored events with what is wrong with each, as a file: CSV, Excel or JSON lines. Filters as in the list.

    At most 1,000 events are answered at once; 422 `too_large` where more pass the filters.
    """
    app, format_ = the_app(app_id), asked_format()
    found = few_results(app)
    if found is None:
        message = (
            f"More than {MOST_AT_ONCE:,} events pass, or must be looked through. POST to …/reports instead."
        )
        raise Refusal("too_large", message, 422)
    return as_file(app, format_, RESULTS, found)


def few_results(app: AppRef) -> list[Item] | None:
    """The events that pass the filters, of one moment; None where they are more than are answered at once."""
    snapshot.begin()
    found = events.page(app.id, api.asked_filters(), MOST_AT_ONCE)
    return results.items(found.events) if found.looked_to is None else None


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
