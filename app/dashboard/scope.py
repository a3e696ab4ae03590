"""Which events a page is about, as its address says: time, platform, version; and how finely time is drawn."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import g, request

from app.dashboard import api
from app.errors import Refusal
from app.store.apps import AppRef
from app.store.spans import QUARTER, Range, floor
from app.store.summary import Scope

RANGES = {
    "hour": ("Last hour", timedelta(hours=1)),
    "day": ("Last 24 hours", timedelta(days=1)),
    "week": ("Last 7 days", timedelta(days=7)),
    "month": ("Last 30 days", timedelta(days=30)),
    "all": ("All time", None),
    "custom": ("From … to", None),
}
DEFAULT = "week"
# How long a time may be to be drawn in such steps (minutes): about a hundred bars at most.
STEPS = ((timedelta(hours=25), 15), (timedelta(days=7, hours=1), 120), (timedelta(days=31), 720))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asked for. `none` stands for a platform or version that was not said."""

    scope: Scope
    name: str
    step_minutes: int
    start: datetime | None
    end: datetime | None


def asked(apps: list[AppRef], event: str | None = None) -> Asked:
    """Read the address. Raises Refusal `bad_filter`."""
    start, end = api.moment("from"), api.moment("to")
    name = "custom" if start or end else api.one_of("range", RANGES) or DEFAULT
    length = RANGES[name][1]
    if length:
        # The quarter in which it began, whole: what is counted by quarters is shown by quarters.
        start = floor(datetime.now(UTC) - length, QUARTER)
    if start and end and start >= end:
        raise Refusal("bad_filter", "`from` must lie before `to`.")
    facts = {fact: api.short_text(fact) for fact in ("platform", "app_version")}
    given = {fact: "" if value == "none" else value for fact, value in facts.items()}
    ids = tuple(app.id for app in apps)
    scope = Scope(g.actor.organisation_id, ids, Range(start, end), event, **given)
    return Asked(scope, name, step_of(start, end), start, end)


def step_of(start: datetime | None, end: datetime | None) -> int:
    if start is None:
        return 1440
    length = (end or datetime.now(UTC)) - start
    return next((minutes for most, minutes in STEPS if length <= most), 1440)


def kept() -> dict[str, str]:
    """What a link to another page of the same scope carries along."""
    names = ("range", "from", "to", "platform", "app_version")
    return {name: request.args[name] for name in names if request.args.get(name)}
