"""The pages: each view asks the store a fixed number of questions, then renders."""

import time
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from flask_wtf.csrf import generate_csrf
from wtforms import StringField

from app import extensions, metrics
from app.auth.require import Permission, open_door, require
from app.dashboard import api, keys_api, plan_table, settings_api
from app.dashboard.assets import asset, embedded
from app.dashboard.snippets import EXAMPLE_EVENT, snippets
from app.errors import Refusal
from app.live import stream
from app.plans.content import from_text
from app.store import apps, drafts, events, organisations, plans, summary
from app.store import keys as kept
from app.store.apps import AppRef
from app.store.organisations import Place
from app.validation.model import ViolationKind

blueprint = Blueprint("pages", __name__)
blueprint.app_template_global("asset")(asset)

# Which field of the form a refusal is about; any other stands above the form.
FIELD_OF = {"bad_name": "name", "bad_app_id": "app_id", "app_id_taken": "app_id"}


@dataclass(frozen=True, slots=True)
class Shell:
    """What the frame of every signed-in page shows."""

    organisation: str
    email: str | None
    apps: list[AppRef]
    app: AppRef | None
    may: frozenset[Permission]
    others: dict[int, str]  # the person's other organisations, by id
    deletes_at: datetime | None = None  # the organisation is closed, and deleted then


@dataclass(frozen=True, slots=True)
class Card:
    """One app on the dashboard."""

    app: AppRef
    counts: dict[str, int]
    last_seen: datetime | None

    @property
    def received(self) -> int:
        return sum(self.counts.values())

    @property
    def pass_rate(self) -> str:
        return pass_rate(self.counts)


class NewAppForm(FlaskForm):
    """A name for people, and optionally the id that stands in addresses."""

    name = StringField("Name")
    app_id = StringField("App id")


def shell(app: AppRef | None = None, mine: list[AppRef] | None = None) -> Shell:
    """The frame's content, in two queries."""
    mine = apps.of_organisation(g.actor.organisation_id) if mine is None else mine
    places = organisations.of_user(g.actor.user_id)
    here = places.pop(g.actor.organisation_id, Place("", None))
    others = {id_: place.name for id_, place in places.items()}
    return Shell(here.name, g.actor.email, mine, app, g.actor.permissions, others, here.deletes_at)


def shell_of(app_id: str) -> tuple[Shell, AppRef]:
    """The frame around one of the organisation's apps, in the same two. Raises Refusal `unknown_app`."""
    mine = apps.of_organisation(g.actor.organisation_id)
    app = next((app for app in mine if app.slug == app_id), None)
    if app is None:
        raise Refusal("unknown_app", "There is no such app in this organisation.", 404)
    g.app_id = app.id
    return shell(app, mine), app


def pass_rate(counts: dict[str, int]) -> str:
    """Valid of judged, rounded down: only a perfect score shows 100 %. A dash where nothing was judged."""
    judged = counts["valid"] + counts["invalid"]
    if not judged:
        return "–"
    tenths = counts["valid"] * 1000 // judged
    return f"{tenths // 10}.{tenths % 10}%" if tenths % 10 else f"{tenths // 10}%"


def ingest_url(app_id: str) -> str:
    """Where this app's events go, on the host that the viewer used."""
    return f"{request.host_url}api/logs/{app_id}"


def curl_line(app_id: str, write_key: str = "<write key>") -> str:
    """A line to paste into a terminal that sends one event. Nothing in it needs quoting for the shell."""
    return (
        f"curl -X POST '{ingest_url(app_id)}' \\\n"
        f"  -H 'Authorization: Bearer {write_key}' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{EXAMPLE_EVENT}'"
    )


@blueprint.get("/")
@open_door
def home() -> ResponseReturnValue:
    return redirect(url_for("pages.dashboard"))


@blueprint.get("/dashboard")
@require(Permission.READ)
def dashboard() -> ResponseReturnValue:
    """The organisation's apps, how each is doing, and what to do where there is none."""
    frame = shell()
    totals = summary.totals(g.actor.organisation_id)
    seen = events.newest_at(g.actor.organisation_id)
    cards = [card(app, totals.get(app.id, summary.NO_EVENTS), seen.get(app.id)) for app in frame.apps]
    return render_template(
        "dashboard/dashboard.html", shell=frame, cards=cards, example_curl=curl_line("my-app")
    )


def card(app: AppRef, totals: dict[str, int], last_seen: datetime | None) -> Card:
    return Card(app, totals, last_seen)


@blueprint.get("/dashboard/apps/new")
@require(Permission.MANAGE)
def new_app() -> ResponseReturnValue:
    return render_template(
        "dashboard/new_app.html", shell=shell(), form=NewAppForm(formdata=None), error=None
    )


@blueprint.post("/dashboard/apps")
@require(Permission.MANAGE)
def create_app() -> ResponseReturnValue:
    """Make an app; its write key is in this answer and nowhere else, so there is no redirect."""
    form = NewAppForm()
    try:
        app, write_key = api.make_app(form.name.data or "", (form.app_id.data or "").strip())
    except Refusal as refusal:
        return _form_again(refusal, form)
    return _show_key(app, write_key, f"{app.name} is ready"), 201


def _form_again(refusal: Refusal, form: NewAppForm) -> ResponseReturnValue:
    """The form with what was typed, and the reason beside its field."""
    g.reason = refusal.code
    metrics.REFUSALS.labels(refusal.code).inc()
    field = FIELD_OF.get(refusal.code)
    if field:
        form[field].errors = [refusal.message]
    error = None if field else refusal.message
    page = render_template("dashboard/new_app.html", shell=shell(), form=form, error=error)
    return page, refusal.status


def _show_key(app: AppRef, write_key: str, title: str) -> str:
    return render_template(
        "dashboard/key_shown.html",
        shell=shell(app),
        title=title,
        write_key=write_key,
        curl=curl_line(app.slug, write_key),
        snippets=snippets(ingest_url(app.slug), write_key),
    )


@blueprint.get("/apps/<app_id>")
@require(Permission.READ)
def live(app_id: str) -> ResponseReturnValue:
    """The live page. Its cursor is taken before its counts: an event in between is shown, never skipped."""
    frame, app = shell_of(app_id)
    cursor = stream.newest_cursor()
    counted = summary.counts(app)
    counts = counted["verdicts"]
    names = [{"name": event["name"]} for event in counted["events"]]
    started = {
        "csrfToken": generate_csrf(),
        "cursor": cursor,
        "serverNow": int(time.time() * 1000),
        "counts": counts,
        "events": names,
    }
    return render_template(
        "dashboard/live.html",
        shell=frame,
        counts=counts,
        received=sum(counts.values()),
        pass_rate=pass_rate(counts),
        curl=curl_line(app_id),
        snippets=snippets(ingest_url(app_id), "<write key>"),
        kinds=list(ViolationKind),
        page_data=embedded(addresses(app_id) | started),
    )


@blueprint.get("/apps/<app_id>/events/<event_id>")
@require(Permission.READ)
def event(app_id: str, event_id: str) -> ResponseReturnValue:
    """One event at an address that can be passed on."""
    frame, app = shell_of(app_id)
    entry = api.explained_event(app, event_id)
    return render_template(
        "dashboard/event.html",
        shell=frame,
        event_id=event_id,
        page_data=embedded(addresses(app_id) | {"entry": entry}),
    )


def addresses(app_id: str) -> dict[str, str]:
    """What the pages' scripts ask and link to."""
    return {
        "eventsUrl": url_for("api.list_events", app_id=app_id),
        "summaryUrl": url_for("api.show_summary", app_id=app_id),
        "liveUrl": url_for("api.live", app_id=app_id),
        "expectedUrl": url_for("plan_api.show_expected", app_id=app_id),
        "livePageUrl": url_for("pages.live", app_id=app_id),
        "clockUrl": url_for("clocks.keep", app_id=app_id),
        "qrUrl": url_for("sharing.show_code", app_id=app_id),
        "eventUrl": url_for("pages.event", app_id=app_id, event_id="EVENT_ID"),
        "ingestUrl": ingest_url(app_id),
    }


@blueprint.get("/apps/<app_id>/plan")
@require(Permission.READ)
def plan(app_id: str) -> ResponseReturnValue:
    """The plan that judges this app's events, and the way to publish another version."""
    frame, app = shell_of(app_id)
    content = None
    if app.plan_id is not None and app.plan_version is not None:
        content = plans.content_of(app.plan_id, app.plan_version)
    planned = plan_table.events_of(from_text(content)) if content else None
    newest = plans.versions(app, 1)
    return render_template(
        "dashboard/plan.html",
        shell=frame,
        events=planned,
        draft=drafts.about(app),
        version=newest[0] if newest else None,
    )


@blueprint.get("/apps/<app_id>/settings")
@require(Permission.MANAGE)
def settings(app_id: str) -> ResponseReturnValue:
    return _settings_page(app_id)


def _settings_page(app_id: str, error: str | None = None) -> str:
    frame, app = shell_of(app_id)
    return render_template(
        "dashboard/settings.html",
        shell=frame,
        error=error,
        ingest_url=ingest_url(app_id),
        write_keys=kept.write_keys(app),
        settings=apps.settings_of(app),
        default_retention_days=extensions.settings().retention_days,
    )


def _settings_again(app_id: str, refusal: Refusal) -> ResponseReturnValue:
    """The page with what was wrong on top; what was typed stands in its fields."""
    g.reason = refusal.code
    metrics.REFUSALS.labels(refusal.code).inc()
    return _settings_page(app_id, refusal.message), refusal.status


@blueprint.post("/apps/<app_id>/keys")
@require(Permission.MANAGE)
def new_write_key(app_id: str) -> ResponseReturnValue:
    """A further write key, shown in this answer and nowhere else."""
    app = api.the_app(app_id)
    form = request.form
    try:
        key, _ = keys_api.make_write_key(
            app,
            form.get("name", ""),
            form.get("environment", ""),
            form.get("answers", "explain"),
            keys_api.days_of(form.get("expires_in_days", "")),
        )
    except Refusal as refusal:
        return _settings_again(app_id, refusal)
    return _show_key(app, key, f"New write key for {app.name}"), 201


@blueprint.post("/apps/<app_id>/keys/<int:key_id>/revoke")
@require(Permission.MANAGE)
def revoke_write_key(app_id: str, key_id: int) -> ResponseReturnValue:
    """End a write key, and back to the others."""
    keys_api.revoke_write_key(api.the_app(app_id), key_id)
    return redirect(url_for("pages.settings", app_id=app_id), 303)


@blueprint.post("/apps/<app_id>/settings")
@require(Permission.MANAGE)
def change_settings(app_id: str) -> ResponseReturnValue:
    """Keep the app's settings as the form says, and show them."""
    form = request.form
    chosen = {
        "name": form.get("name", ""),
        "cors_origins": form.get("cors_origins", "").split(),
        "exempt_system_events": "exempt_system_events" in form,
        "is_disabled": "is_disabled" in form,
    }
    if (days := form.get("retention_days")) is not None:
        chosen["retention_days"] = keys_api.days_of(days)
    try:
        settings_api.choose(api.the_app(app_id), chosen)
    except Refusal as refusal:
        return _settings_again(app_id, refusal)
    return redirect(url_for("pages.settings", app_id=app_id), 303)
