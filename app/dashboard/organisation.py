"""The organisation's pages: its members and invitations, its name, and what was done in it."""

import csv
import io
from collections.abc import Callable, Iterator

import orjson
from flask import Blueprint, Response, g, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from app import metrics
from app.auth import closing
from app.auth import members as journeys
from app.auth.proof import recently_proven, recently_proven_if
from app.auth.require import Permission, require
from app.dashboard import api
from app.dashboard.pages import shell
from app.errors import Refusal
from app.extensions import db, settings
from app.store import audit, invitations, members
from app.store.audit import Action, Asked, Line
from app.store.tables import Role

blueprint = Blueprint("organisation", __name__)

LINES_PER_PAGE = 50
# A spreadsheet takes a cell that begins like this for a formula (OWASP, CSV Injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")
CSV_HEAD = ("at", "who", "actor", "action", "kind", "object", "details", "address", "request_id")


@blueprint.get("/organisation")
@require(Permission.READ)
def show() -> ResponseReturnValue:
    return _page()


def _page(error: str | None = None, status: int = 200) -> ResponseReturnValue:
    organisation_id = g.actor.organisation_id
    page = render_template(
        "dashboard/organisation.html",
        shell=shell(),
        members=members.of(organisation_id),
        invitations=invitations.of(organisation_id),
        roles=list(Role),
        me=g.actor.user_id,
        grace_days=settings().deletion_grace_days,
        error=error,
    )
    return page, status


def _done(change: Callable[[], object], then: str = "organisation.show") -> ResponseReturnValue:
    """Make the change and go on; or show the page with the reason why not."""
    try:
        change()
    except Refusal as refusal:
        db.session.rollback()
        g.reason = refusal.code
        metrics.REFUSALS.labels(refusal.code).inc()
        return _page(refusal.message, refusal.status)
    return redirect(url_for(then), 303)


@blueprint.post("/organisation/rename")
@require(Permission.MANAGE_MEMBERS)
def rename() -> ResponseReturnValue:
    return _done(lambda: journeys.rename(request.form.get("name", "")))


@blueprint.post("/organisation/invitations")
@require(Permission.MANAGE_MEMBERS)
def invite() -> ResponseReturnValue:
    return _done(lambda: journeys.invite(request.form.get("email", ""), request.form.get("role", "")))


@blueprint.post("/organisation/invitations/<int:invitation_id>/revoke")
@require(Permission.MANAGE_MEMBERS)
def revoke_invitation(invitation_id: int) -> ResponseReturnValue:
    return _done(lambda: journeys.revoke_invitation(invitation_id))


@blueprint.post("/organisation/invitations/<int:invitation_id>/again")
@require(Permission.MANAGE_MEMBERS)
def send_again(invitation_id: int) -> ResponseReturnValue:
    return _done(lambda: journeys.send_again(invitation_id))


@blueprint.post("/organisation/members/<int:user_id>/role")
@require(Permission.MANAGE_MEMBERS)
@recently_proven_if(lambda: request.form.get("role") == Role.OWNER)
def change_role(user_id: int) -> ResponseReturnValue:
    return _done(lambda: journeys.change_role(user_id, request.form.get("role", "")))


@blueprint.post("/organisation/members/<int:user_id>/remove")
@require(Permission.MANAGE_MEMBERS)
def remove(user_id: int) -> ResponseReturnValue:
    return _done(lambda: journeys.remove(user_id))


@blueprint.post("/organisation/members/<int:user_id>/owner")
@require(Permission.OWN)
@recently_proven
def hand_over(user_id: int) -> ResponseReturnValue:
    return _done(lambda: journeys.hand_over(user_id))


@blueprint.post("/organisation/close")
@require(Permission.OWN)
@recently_proven
def close() -> ResponseReturnValue:
    return _done(lambda: closing.close(request.form.get("name", "")))


@blueprint.post("/organisation/reopen")
@require(Permission.OWN)
def reopen() -> ResponseReturnValue:
    return _done(closing.reopen)


@blueprint.post("/organisation/leave")
@require(Permission.READ)
def leave() -> ResponseReturnValue:
    return _done(journeys.leave, "pages.dashboard")


@blueprint.post("/organisation/switch")
@require(Permission.READ)
def switch() -> ResponseReturnValue:
    wanted = request.form.get("organisation_id", "")
    organisation_id = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 18 else 0
    return _done(lambda: journeys.switch(organisation_id), "pages.dashboard")


@blueprint.get("/organisation/audit")
@require(Permission.MANAGE_MEMBERS)
def show_audit() -> ResponseReturnValue:
    """Who did what, newest first, by keyset."""
    before = api.whole_number("before", default=0, least=0, most=2**62) or None
    lines = audit.page(g.actor.organisation_id, _asked(), LINES_PER_PAGE + 1, before)
    shown = lines[:LINES_PER_PAGE]
    older = shown[-1].id if len(lines) > LINES_PER_PAGE else None
    given = {name: value for name, value in request.args.items() if name != "before" and value}
    return render_template(
        "dashboard/audit.html", shell=shell(), lines=shown, older=older, given=given, actions=list(Action)
    )


@blueprint.post("/organisation/audit/export")
@require(Permission.MANAGE_MEMBERS)
def export_audit() -> Response:
    """All lines that the filters admit, as CSV or NDJSON. A POST, because the export is a line itself."""
    format_ = request.args.get("format", "csv")
    if format_ not in ("csv", "ndjson"):
        raise Refusal("unknown_format", "`format` is csv or ndjson.")
    asked = _asked()
    audit.record(Action.EXPORTED, "audit_log", format=format_)
    db.session.commit()
    lines = audit.every(g.actor.organisation_id, asked)
    content_type = "text/csv; charset=utf-8" if format_ == "csv" else "application/x-ndjson"
    body = _as_csv(lines) if format_ == "csv" else (orjson.dumps(line) + b"\n" for line in lines)
    return Response(
        stream_with_context(body),
        content_type=content_type,
        headers={"Content-Disposition": f"attachment; filename=audit.{format_}"},
    )


def _asked() -> Asked:
    """The filters in the query string. Raises Refusal `bad_filter`."""
    action = api.one_of("action", Action)
    return Asked(action, api.short_text("who"), api.moment("from"), api.moment("to"))


def _as_csv(lines: Iterator[Line]) -> Iterator[bytes]:
    yield _row(CSV_HEAD)
    for line in lines:
        details = orjson.dumps(line.details).decode()
        facts = (line.at.isoformat(), line.who, line.actor, line.action, line.kind, line.object, details)
        yield _row((*facts, line.address or "", line.request_id))


def _row(cells: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow(f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell for cell in cells)
    return out.getvalue().encode()
