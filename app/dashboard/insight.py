"""What the overview, the catalogue, coverage and violations show, as plain data: pages and JSON have the same."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.dashboard.scope import Asked
from app.plans.current import current
from app.store import catalogue, summary, violations
from app.store.apps import AppRef
from app.store.spans import floor
from app.store.summary import NO_EVENTS, Row
from app.store.violations import Group

MOST_BARS = 120
TREND_STEPS = 28
LONGEST_DRAWN_WHOLE = timedelta(days=400)
INSTANT = timedelta(microseconds=1)
MOST_PROPERTIES = 200
MOST_DEPTH = 6
TOP_VALUES = 5
MOST_VALUE_CHARACTERS = 80
BREAKDOWNS = ("event_name", "platform", "app_version")


def share(counts: dict[str, int]) -> float | None:
    """Valid of judged, 0 to 1; None where nothing was judged."""
    judged = counts["valid"] + counts["invalid"]
    return counts["valid"] / judged if judged else None


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of time on a chart."""

    start: datetime
    end: datetime
    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def limits(asked: Asked, moments: Iterable[datetime]) -> tuple[datetime, datetime]:
    """The first and last step to draw: of the time that was asked for, or, where that is endless, of the events."""
    end = asked.end or datetime.now(UTC)
    if asked.start and end - asked.start <= LONGEST_DRAWN_WHOLE:
        return floor(asked.start, asked.step_minutes), floor(end - INSTANT, asked.step_minutes)
    return min(moments), max(moments)


def bars(asked: Asked) -> list[Bar]:
    """The series without gaps; at most about a hundred bars. Empty where there was no event."""
    found = summary.series(asked.scope, asked.step_minutes)
    if not found:
        return []
    step = timedelta(minutes=asked.step_minutes)
    first, last = limits(asked, found)
    width = step * math.ceil(((last - first) / step + 1) / MOST_BARS)
    steps: dict[int, dict[str, int]] = defaultdict(lambda: dict(NO_EVENTS))
    for at, counts in found.items():
        number = (at - first) // width
        steps[number] = summary.added((steps[number], counts))
    return [
        Bar(first + width * n, first + width * (n + 1), steps.get(n, dict(NO_EVENTS)))
        for n in range((last - first) // width + 1)
    ]


def trend(asked: Asked, group: Group) -> list[int]:
    """The group's counts over the time that is drawn, in a fixed number of steps."""
    if not group.trend:
        return []
    first, last = limits(asked, group.trend)
    width = (last - first) / TREND_STEPS or timedelta(minutes=asked.step_minutes)
    steps = [0] * TREND_STEPS
    for at, count in group.trend.items():
        steps[min((at - first) // width, TREND_STEPS - 1)] += count
    return steps


@dataclass(frozen=True, slots=True)
class Coverage:
    """Planned events seen in the scope; excluded ones are in neither number."""

    planned: list[str]
    seen: list[str]
    missing: list[str]
    excluded: dict[str, str]

    @property
    def share(self) -> float | None:
        return len(self.seen) / (len(self.seen) + len(self.missing)) if self.seen or self.missing else None


def coverage(app: AppRef, names: list[Row]) -> Coverage:
    """How much of the app's plan these events cover. An exempt event was not judged, so it covers nothing."""
    plan = current(app)
    if plan is None:
        return Coverage([], [], [], {})
    excluded = {name: why for name, why in catalogue.excluded(app).items() if name in plan.events}
    seen = {
        planned.name
        for row in names
        if any(count for verdict, count in row.counts.items() if verdict != "exempt")
        and (planned := plan.find(row.name)) is not None
    }
    asked = [name for name in plan.events if name not in excluded]
    return Coverage(
        list(plan.events), [n for n in asked if n in seen], [n for n in asked if n not in seen], excluded
    )


def overview(asked: Asked, app: AppRef | None) -> dict[str, Any]:
    """Of one app, or (None) of all apps of the scope."""
    parts = summary.breakdowns(asked.scope, BREAKDOWNS)
    counts = summary.added(row.counts for row in parts["event_name"])
    found = violations.groups(asked.scope, asked.step_minutes, 10)
    return {
        "counts": counts,
        "bars": bars(asked),
        "parts": parts,
        "violations": with_shares(asked, found, parts["event_name"]),
        "coverage": coverage(app, parts["event_name"]) if app else None,
    }


@dataclass(frozen=True, slots=True)
class Issue:
    """A violation group with its share of its event's volume."""

    group: Group
    share: float | None
    trend: list[int]


def with_shares(asked: Asked, groups: list[Group], names: list[Row]) -> list[Issue]:
    volume = {row.name: sum(row.counts.values()) for row in names}
    return [Issue(group, _of_volume(group, volume), trend(asked, group)) for group in groups]


def _of_volume(group: Group, volume: dict[str, int]) -> float | None:
    return group.count / volume[group.event_name] if volume.get(group.event_name) else None


@dataclass(frozen=True, slots=True)
class Named:
    """One event's name in the catalogue."""

    name: str
    planned: bool
    counts: dict[str, int]
    seen: catalogue.Seen | None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def is_fully_valid(self) -> bool:
        return self.counts["valid"] > 0 and self.counts["invalid"] == 0


def events(asked: Asked, app: AppRef) -> dict[str, Any]:
    """The catalogue: what was seen in the scope, and how much of the plan that is."""
    names = summary.by(asked.scope, "event_name")
    seen = catalogue.seen(app)
    plan = current(app)
    listed = [
        Named(row.name, plan is not None and plan.find(row.name) is not None, row.counts, seen.get(row.name))
        for row in names
    ]
    return {"events": listed, "coverage": coverage(app, names)}


@dataclass(frozen=True, slots=True)
class Property:
    """What the sampled payloads hold at one path."""

    path: str
    filled: int
    types: list[tuple[str, int]]
    top: list[tuple[str, int]]


def properties(payloads: list[dict[str, Any]]) -> list[Property]:
    """Types, fill and top values per path, `[]` for every element of an array; of the sample alone."""
    filled: Counter[str] = Counter()
    types: dict[str, Counter[str]] = defaultdict(Counter)
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for payload in payloads:
        places = set()
        for path, value in _places(payload, "", 0):
            if len(types) >= MOST_PROPERTIES and path not in types:
                continue
            types[path][_type(value)] += 1
            if value not in (None, ""):
                places.add(path)
            if not isinstance(value, (dict, list)):
                values[path][str(value)[:MOST_VALUE_CHARACTERS]] += 1
        filled.update(places)
    return [
        Property(path, filled[path], types[path].most_common(), values[path].most_common(TOP_VALUES))
        for path in sorted(types)
    ]


def _places(value: dict[str, Any], path: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, child in value.items():
        yield from _place(child, f"{path}.{key[:200]}" if path else key[:200], depth)


def _place(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    yield path, value
    if depth >= MOST_DEPTH:
        return
    if isinstance(value, dict):
        yield from _places(value, path, depth + 1)
    elif isinstance(value, list):
        for item in value[:20]:
            yield from _place(item, f"{path}[]", depth + 1)


def _type(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "text", list: "array", dict: "object"}
    return names.get(type(value), "null")


def row_json(row: Row) -> dict[str, Any]:
    return {"name": row.name, **row.counts, "pass_rate": share(row.counts)}


def issue_json(issue: Issue) -> dict[str, Any]:
    """A group as the API shows it."""
    group = issue.group
    return {
        "id": str(group.fingerprint),
        "event": group.event_name,
        "path": group.path,
        "kind": group.kind,
        "constraint": group.constraint or None,
        "severity": group.severity,
        "count": group.count,
        "share": issue.share,
        "first_seen": group.first_at,
        "last_seen": group.last_at,
        "platforms": sorted(group.platforms),
        "versions": sorted(group.versions, key=violations.version_key),
        "trend": [{"at": at, "count": group.trend[at]} for at in sorted(group.trend)],
        "samples": [str(sample) for sample in group.samples],
        "state": group.state,
        "decision": asdict(group.decision),
    }


def coverage_json(found: Coverage) -> dict[str, Any]:
    return {
        "coverage": found.share,
        "planned": len(found.planned),
        "seen": found.seen,
        "missing": found.missing,
        "excluded": [{"event": name, "reason": reason} for name, reason in found.excluded.items()],
    }
