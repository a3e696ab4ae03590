"""What an organisation used, day by day, and its quota: a page, and the same as JSON."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth import quota
from app.auth.require import Permission, require
from app.dashboard import api, paging
from app.dashboard.json import json_response
from app.dashboard.pages import shell
from app.errors import Refusal
from app.extensions import db, settings
from app.store import audit, usage
from app.store.audit import Action
from app.store.usage import Asked, Quota, Used

blueprint = Blueprint("usage", __name__)

CHART_DAYS = 30
MOST_CREDITS = 10**15


@blueprint.get("/organisation/usage")
@require(Permission.READ)
def show() -> ResponseReturnValue:
    """The month against its quota, the last days as a chart, and every day by app."""
    organisation_id, today = g.actor.organisation_id, datetime.now(UTC).date()
    asked, page = _asked(), paging.asked(usage.SORTS, "desc")
    total = usage.how_many(organisation_id, asked)
    return render_template(
        "dashboard/usage.html",
        shell=shell(),
        month=_month(organisation_id, today),
        bars=_bars(organisation_id, asked, today),
        rows=_rows(organisation_id, asked, page),
        asked=asked,
        page=page,
        pagination=page.told(total),
        price=settings().credits_per_event,
        choice=usage.quota_of(organisation_id),
        default=settings().quota_credits,
    )


@blueprint.get("/api/usage")
@require(Permission.READ)
def list_usage() -> Response:
    """Events, requests, bytes and credits by app and day (UTC), of `from` to `to`, and the month against its quota.

    Events are exact to the moment. Requests and bytes are a second late; bytes are those of the events stored.
    """
    organisation_id = g.actor.organisation_id
    asked, page = _asked(), paging.asked(usage.SORTS, "desc")
    rows = _rows(organisation_id, asked, page)
    return json_response(
        {
            "usage": [_as_json(row) for row in rows],
            "month": _month(organisation_id, datetime.now(UTC).date()),
            "pagination": page.told(usage.how_many(organisation_id, asked)),
        }
    )


@blueprint.post("/organisation/usage/quota")
@require(Permission.OWN)
def choose() -> ResponseReturnValue:
    """Keep the owner's quota; empty: as the operator set, 0: none. Raises Refusal `bad_quota` (422)."""
    given = request.form.get("credits", "").strip().replace(",", "")
    if given and not (given.isascii() and given.isdigit() and int(given[:20]) <= MOST_CREDITS):
        raise Refusal("bad_quota", "A quota is a whole number of credits, 0 for none, or empty.", 422)
    chosen = Quota(int(given) if given else None, request.form.get("refuses") == "yes")
    usage.set_quota(g.actor.organisation_id, chosen)
    told = "as set" if chosen.credits is None else chosen.credits
    audit.record(Action.QUOTA_CHANGED, "organisation", credits=told, refuses=chosen.refuses)
    db.session.commit()
    return redirect(url_for("usage.show"), 303)


def _asked() -> Asked:
    """Raises Refusal `bad_filter`."""
    start, end = _day("from"), _day("to")
    if start and end and start > end:
        raise Refusal("bad_filter", "`from` must not lie after `to`.")
    return Asked(api.short_text("app_id"), start, end)


def _day(name: str) -> date | None:
    raw = request.args.get(name)
    try:
        return date.fromisoformat(raw) if raw else None
    except ValueError as error:
        raise Refusal("bad_filter", f"`{name}` is a day such as 2026-01-31.") from error


def _rows(organisation_id: int, asked: Asked, page: paging.Paging) -> list[Used]:
    return usage.days(organisation_id, asked, page.sort_by, page.sort_order, page.page_size, page.offset)


def _as_json(row: Used) -> dict[str, Any]:
    return {**row._asdict(), "credits": row.events * settings().credits_per_event}


def _month(organisation_id: int, today: date) -> dict[str, Any]:
    """This calendar month of all apps, and its quota; `quota` None: there is none."""
    start = today.replace(day=1)
    found = usage.by_day(organisation_id, Asked(start=start))
    sums = {name: sum(getattr(row, name) for row in found) for name in ("events", "requests", "bytes")}
    chosen = usage.quota_of(organisation_id)
    most = quota.credits_of(chosen.credits, settings().quota_credits)
    return {
        "from": start,
        "to": quota.next_month(today),
        **sums,
        "credits": sums["events"] * settings().credits_per_event,
        "quota": most or None,
        "refuses": chosen.refuses,
    }


def _bars(organisation_id: int, asked: Asked, today: date) -> list[Used]:
    """The last days one by one, those without any too; up to the end that was asked for."""
    end = min(asked.end or today, today)
    start = max(end - timedelta(days=CHART_DAYS - 1), asked.start or date.min)
    found = {row.day: row for row in usage.by_day(organisation_id, Asked(asked.app, start, end))}
    return [
        found.get(day, Used(day, "", 0, 0, 0))
        for day in (start + timedelta(days=n) for n in range((end - start).days + 1))
    ]
