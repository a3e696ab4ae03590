"""The validation summary: each event with its counts, and under it the groups of what was wrong with it."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from app.dashboard import insight
from app.dashboard.reports.files import Cell, Item, Shape
from app.dashboard.scope import Asked
from app.errors import Refusal
from app.store import catalogue, violations
from app.store import summary as counted
from app.store.apps import AppRef
from app.store.summary import NO_EVENTS
from app.store.violations import Group

MOST_GROUPS: Final = 10_000
TITLES: Final = (
    "event",
    "status",
    *NO_EVENTS,
    "pass_rate",
    "first_seen",
    "last_seen",
    "path",
    "kind",
    "constraint",
    "severity",
    "violations",
    "share",
    "violation_first_seen",
    "violation_last_seen",
    "versions",
    "platforms",
    "state",
    "note",
)


def items(asked: Asked, app: AppRef) -> list[Item]:
    """Every event of the scope by name, and what of the plan is missing or left out.

    Raises Refusal `too_large` where there are more groups than a report holds.
    """
    names = counted.by(asked.scope, "event_name")
    seen, coverage = catalogue.seen(app), insight.coverage(app, names)
    issues = _by_event(asked, names)
    told = []
    for row in sorted(names, key=lambda row: row.name):
        times = seen.get(row.name)
        told.append(
            {
                "event": row.name,
                "status": _status(row.counts),
                **row.counts,
                "pass_rate": insight.share(row.counts),
                "first_seen": times.first_at if times else None,
                "last_seen": times.last_at if times else None,
                "violations": issues.get(row.name, []),
            }
        )
    unseen = dict.fromkeys(coverage.missing, "missing") | dict.fromkeys(coverage.excluded, "excluded")
    known = {item["event"] for item in told}
    nothing: Item = {"pass_rate": None, "first_seen": None, "last_seen": None, "violations": []}
    return told + [
        {"event": name, "status": unseen[name], **NO_EVENTS, **nothing}
        for name in sorted(unseen.keys() - known)
    ]


def groups_of(asked: Asked) -> list[Group]:
    """All groups of violations in the scope, most frequent first. Raises Refusal `too_large`."""
    groups = violations.groups(asked.scope, asked.step_minutes, MOST_GROUPS + 1)
    if len(groups) > MOST_GROUPS:
        message = f"There are more than {MOST_GROUPS:,} groups of violations. Choose a shorter time."
        raise Refusal("too_large", message, 422)
    return groups


def _by_event(asked: Asked, names: list[counted.Row]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for issue in insight.with_shares(asked, groups_of(asked), names):
        found[issue.group.event_name].append(insight.issue_json(issue))
    return found


def _status(counts: dict[str, int]) -> str:
    """The worst that was said of one of them."""
    return next(verdict for verdict in ("invalid", "unplanned", "valid", "exempt") if counts[verdict])


def _rows(item: Item) -> Iterator[list[Cell]]:
    """The event's own facts in its first row alone, so that a column of them can be added up."""
    own: list[Cell] = [item[fact] for fact in TITLES[2:9]]
    for issue in item["violations"] or [None]:
        yield [item["event"], item["status"], *own, *(_of_violation(issue) if issue else [None] * 12)]
        own = [None] * len(own)


def _of_violation(issue: dict[str, Any]) -> list[Cell]:
    return [
        issue["path"],
        issue["kind"],
        issue["constraint"],
        issue["severity"],
        issue["count"],
        issue["share"],
        issue["first_seen"],
        issue["last_seen"],
        ", ".join(version or "not said" for version in issue["versions"]),
        ", ".join(platform or "not said" for platform in issue["platforms"]),
        issue["state"],
        issue["decision"]["note"],
    ]


SUMMARY: Final = Shape("summary", TITLES, _rows)
