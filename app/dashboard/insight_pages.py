"""Overview, events, coverage and violations: the pages, and the same as JSON."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth.require import Permission, require
from app.dashboard import insight, pages, scope
from app.dashboard.api import MOST_FILTER_CHARACTERS, the_app
from app.dashboard.json import json_body, json_response
from app.dashboard.scope import Asked
from app.errors import Refusal
from app.extensions import db
from app.live import clock
from app.plans.current import current
from app.store import audit, catalogue, plans, summary, violations
from app.store.apps import AppRef
from app.store.audit import Action
from app.store.replica import from_replica
from app.store.violations import Decision

blueprint = Blueprint("insight", __name__)

MOST_NOTE_CHARACTERS = 1_000
STATES = ("open", "known", "muted", "resolved")


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────


@blueprint.get("/overview")
@require(Permission.READ)
@from_replica
def organisation() -> ResponseReturnValue:
    """All apps of the organisation together."""
    frame = pages.shell()
    asked = scope.asked(frame.apps)
    found = insight.overview(asked, None)
    per_app = {str(app.id): app for app in frame.apps}
    rows = [
        (per_app[row.name], row) for row in summary.by(asked.scope, "app_id::text") if row.name in per_app
    ]
    names = {app.id: app for app in frame.apps}
    return render_template(
        "dashboard/organisation_overview.html",
        shell=frame,
        per_app=rows,
        names=names,
        to_screen=clock.to_screen(asked.scope.apps),
        **view(asked),
        **found,
    )


@blueprint.get("/apps/<app_id>/overview")
@require(Permission.READ)
@from_replica
def overview(app_id: str) -> ResponseReturnValue:
    """One app: over time, by event, platform and version, its top violations, its coverage."""
    frame, app = pages.shell_of(app_id)
    asked = scope.asked([app])
    return render_template(
        "dashboard/overview.html",
        shell=frame,
        to_screen=clock.to_screen([app.id]),
        published=next(iter(plans.versions(app, 1)), None),
        **view(asked),
        **insight.overview(asked, app),
    )


@blueprint.get("/apps/<app_id>/events")
@require(Permission.READ)
@from_replica
def events(app_id: str) -> ResponseReturnValue:
    """The catalogue, and what of the plan is missing."""
    frame, app = pages.shell_of(app_id)
    asked = scope.asked([app])
    return render_template("dashboard/events.html", shell=frame, **view(asked), **insight.events(asked, app))


@blueprint.get("/apps/<app_id>/events/named")
@require(Permission.READ)
@from_replica
def event(app_id: str) -> ResponseReturnValue:
    """One event by its name."""
    frame, app = pages.shell_of(app_id)
    return render_template("dashboard/event_name.html", shell=frame, **the_event(app, asked_name()))


@blueprint.get("/apps/<app_id>/violations")
@require(Permission.READ)
@from_replica
def violations_(app_id: str) -> ResponseReturnValue:
    """The groups, most frequent first, and what was decided about them."""
    frame, app = pages.shell_of(app_id)
    asked = scope.asked([app])
    issues = the_issues(asked)
    return render_template(
        "dashboard/violations.html",
        shell=frame,
        issues=issues,
        members=violations.members(app.organisation_id),
        chosen=request.args.get("state", ""),
        **view(asked),
    )


@blueprint.post("/apps/<app_id>/violations/<uuid:fingerprint>")
@require(Permission.EDIT_PLAN)
def decide(app_id: str, fingerprint: UUID) -> ResponseReturnValue:
    """The form under a violation."""
    keep_decision(the_app(app_id), fingerprint, {k: v for k, v in request.form.items() if v})
    return redirect(url_for("insight.violations_", app_id=app_id, **kept()) + f"#v-{fingerprint}", 303)


@blueprint.post("/apps/<app_id>/coverage/exclusions")
@require(Permission.EDIT_PLAN)
def exclude(app_id: str) -> ResponseReturnValue:
    """The form beside a missing event: leave it out with a reason; without one, ask for it again."""
    keep_exclusion(the_app(app_id), request.form.get("event"), request.form.get("reason", ""))
    return redirect(url_for("insight.events", app_id=app_id, **kept()) + "#coverage", 303)


def kept() -> dict[str, Any]:
    return dict(scope.kept())


def view(asked: Asked) -> dict[str, Any]:
    return {
        "asked": asked,
        "ranges": scope.RANGES,
        "kept": scope.kept(),
        "rate": pages.pass_rate,
        "say": explain,
    }


def explain(issue: insight.Issue) -> str:
    """What the group says, without one event's values."""
    group = issue.group
    words = {
        "missing_property": "is missing",
        "empty_value": "is empty",
        "type_mismatch": "has the wrong type",
        "constraint_broken": f"breaks {group.constraint or 'a constraint'}",
        "unplanned_property": "is not in the plan",
        "unplanned_event": "is not in the plan",
        "condition_broken": "breaks a condition",
    }
    return words.get(group.kind, group.kind)


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@blueprint.get("/api/apps/<app_id>/overview")
@require(Permission.READ)
def show_overview(app_id: str) -> Response:
    """Counts over time, by event, platform and version, and coverage."""
    app = the_app(app_id)
    asked = scope.asked([app])
    found = insight.overview(asked, app)
    return json_response(
        {
            "from": asked.start,
            "to": asked.end,
            "verdicts": found["counts"],
            "pass_rate": insight.share(found["counts"]),
            "series": [{"from": bar.start, "to": bar.end, **bar.counts} for bar in found["bars"]],
            **{
                {"event_name": "events", "platform": "platforms", "app_version": "versions"}[name]: [
                    insight.row_json(row) for row in rows
                ]
                for name, rows in found["parts"].items()
            },
            "violations": [insight.issue_json(issue) for issue in found["violations"]],
            "coverage": insight.coverage_json(found["coverage"]),
        }
    )


@blueprint.get("/api/apps/<app_id>/catalogue")
@require(Permission.READ)
def show_catalogue(app_id: str) -> Response:
    """Every event's name that was seen, with its counts and times."""
    app = the_app(app_id)
    found = insight.events(scope.asked([app]), app)
    return json_response(
        {
            "events": [
                {
                    "name": named.name,
                    "planned": named.planned,
                    **named.counts,
                    "pass_rate": insight.share(named.counts),
                    "fully_valid": named.is_fully_valid,
                    "first_seen": named.seen.first_at if named.seen else None,
                    "last_seen": named.seen.last_at if named.seen else None,
                    "versions": sorted(named.seen.versions, key=violations.version_key) if named.seen else [],
                    "platforms": sorted(named.seen.platforms) if named.seen else [],
                }
                for named in found["events"]
            ]
        }
    )


@blueprint.get("/api/apps/<app_id>/coverage")
@require(Permission.READ)
def show_coverage(app_id: str) -> Response:
    """Planned events seen, missing and excluded in the scope."""
    app = the_app(app_id)
    names = summary.by(scope.asked([app]).scope, "event_name")
    return json_response(insight.coverage_json(insight.coverage(app, names)))


@blueprint.post("/api/apps/<app_id>/coverage/exclusions")
@require(Permission.EDIT_PLAN)
def change_exclusion(app_id: str) -> Response:
    """`{"event", "reason"}`: leave a planned event out; with an empty reason, ask for it again."""
    app, body = the_app(app_id), json_body()
    keep_exclusion(app, body.get("event"), body.get("reason", ""))
    return json_response({"excluded": catalogue.excluded(app)})


@blueprint.get("/api/apps/<app_id>/violations")
@require(Permission.READ)
def show_violations(app_id: str) -> Response:
    """The groups in the scope, most frequent first."""
    issues = the_issues(scope.asked([the_app(app_id)]))
    return json_response({"violations": [insight.issue_json(issue) for issue in issues]})


@blueprint.post("/api/apps/<app_id>/violations/<uuid:fingerprint>/decision")
@require(Permission.EDIT_PLAN)
def change_decision(app_id: str, fingerprint: UUID) -> Response:
    """`{"state": "open|known|muted|resolved", "muted_until"?, "until_version"?, "note"?, "assignee_id"?}`."""
    decision = keep_decision(the_app(app_id), fingerprint, json_body())
    return json_response({"id": str(fingerprint), "state": decision.state})


# ── what both do ─────────────────────────────────────────────────────────────────────────────────────────────────


def asked_name() -> str:
    name = request.args.get("name", "")
    if not 0 < len(name) <= MOST_FILTER_CHARACTERS or "\x00" in name:
        raise Refusal("bad_filter", f"`name` is an event's name of 1 to {MOST_FILTER_CHARACTERS} characters.")
    return name


def the_event(app: AppRef, name: str) -> dict[str, Any]:
    """What the page of one name shows. Raises Refusal `unknown_event`."""
    asked = scope.asked([app], name)
    seen = catalogue.seen(app).get(name)
    plan = current(app)
    planned = plan.find(name) if plan is not None else None
    if seen is None and planned is None:
        raise Refusal("unknown_event", "No event of this name was seen, and no plan has it.", 404)
    payloads = catalogue.sample(app, name, seen.last_at) if seen else []
    parts = summary.breakdowns(asked.scope, ("platform", "app_version"))
    counts = summary.added(row.counts for row in parts["platform"])
    names = [summary.Row(name, counts)]
    return {
        "name": name,
        "planned": planned,
        "seen": seen,
        "counts": counts,
        "bars": insight.bars(asked),
        "parts": parts,
        "sampled": len(payloads),
        "properties": insight.properties(payloads),
        "issues": insight.with_shares(asked, violations.groups(asked.scope, asked.step_minutes), names),
        **view(asked),
    }


def the_issues(asked: Asked) -> list[insight.Issue]:
    groups = violations.groups(asked.scope, asked.step_minutes)
    issues = insight.with_shares(asked, groups, summary.by(asked.scope, "event_name"))
    wanted = request.args.get("state") or None
    if wanted is not None and wanted not in (*STATES, "regressed"):
        raise Refusal("bad_filter", f"`state` is one of {', '.join((*STATES, 'regressed'))}.")
    return [issue for issue in issues if wanted in (None, issue.group.state)]


def keep_decision(app: AppRef, fingerprint: UUID, given: dict[str, Any]) -> Decision:
    """Check and keep what was decided. Raises Refusal `unknown_violation`, `bad_decision`."""
    if not violations.is_known(app.organisation_id, app.id, fingerprint):
        raise Refusal("unknown_violation", "There is no such violation in this app.", 404)
    state = given.get("state", "open")
    if state not in STATES:
        raise Refusal("bad_decision", f"`state` is one of {', '.join(STATES)}.", 422)
    decision = Decision(
        state,
        _until(given.get("muted_until")) if state == "muted" else None,
        _short(given.get("until_version"), "until_version", MOST_FILTER_CHARACTERS) or None,
        None,
        _short(given.get("note"), "note", MOST_NOTE_CHARACTERS),
        _member(app, given.get("assignee_id")),
    )
    violations.decide(app.organisation_id, app.id, fingerprint, decision, g.actor.user_id)
    audit.record(Action.VIOLATION_TRIAGED, "violation", fingerprint, app=app.slug, state=state)
    db.session.commit()
    return decision


def _until(given: Any) -> datetime | None:
    if not given:
        return None
    try:
        until = datetime.fromisoformat(given)
        return (until if until.tzinfo else until.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        message = "`muted_until` is a moment such as 2026-01-31T12:00:00Z."
        raise Refusal("bad_decision", message, 422) from error


def _short(given: Any, name: str, most: int) -> str:
    value = "" if given is None else given
    if not isinstance(value, str) or len(value) > most or "\x00" in value:
        raise Refusal("bad_decision", f"`{name}` is text of at most {most} characters.", 422)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Refusal("bad_decision", f"`{name}` holds characters that are none.", 422) from error
    return value.strip()


def _member(app: AppRef, given: Any) -> int | None:
    if given in (None, ""):
        return None
    ids = {str(user_id): user_id for user_id, _ in violations.members(app.organisation_id)}
    if str(given) not in ids:
        raise Refusal("bad_decision", "`assignee_id` is a member of this organisation.", 422)
    return ids[str(given)]


def keep_exclusion(app: AppRef, name: Any, reason: Any) -> None:
    """Leave a planned event out of coverage, or ask for it again. Raises Refusal `unknown_event`, `bad_decision`."""
    plan = current(app)
    if plan is None or not isinstance(name, str) or name not in plan.events:
        raise Refusal("unknown_event", "The app's plan has no such event.", 404)
    reason = _short(reason, "reason", MOST_NOTE_CHARACTERS)
    if reason:
        catalogue.exclude(app, name, reason, g.actor.user_id)
    else:
        catalogue.include(app, name)
    audit.record(Action.COVERAGE_CHANGED, "app", app.slug, event=name, excluded=bool(reason))
    db.session.commit()
