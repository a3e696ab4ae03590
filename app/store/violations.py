"""Violation groups: how often, since when and where each was seen, and what people decided about it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.extensions import db
from app.store.folding import FINGERPRINT, OTHER, SAMPLES
from app.store.summary import Scope

MOST_GROUPS = 500
OWN = "organisation_id = :organisation_id AND app_id = ANY(:apps)"
FACTS = text(
    f"""
    SELECT app_id, fingerprint, event_name, path, kind, constraint_name, severity, samples FROM violation_groups
    WHERE {OWN} AND fingerprint = ANY(:found)
    UNION ALL
    SELECT app_id, fingerprint, event_name, path, kind, constraint_name, severity, ARRAY[sample] FROM (
        SELECT *, {FINGERPRINT} AS fingerprint FROM violation_deltas d WHERE {OWN} AND last_at IS NOT NULL
    ) AS fresh WHERE fingerprint = ANY(:found)
    """  # noqa: S608
)
SEEN = text(
    f"""
    SELECT app_id, fingerprint, app_version, min(first_at), max(last_at) FROM (
        SELECT app_id, fingerprint, app_version, first_at, last_at FROM violations_seen WHERE {OWN}
        UNION ALL
        SELECT app_id, {FINGERPRINT}, app_version, first_at, last_at FROM violation_deltas d
        WHERE {OWN} AND last_at IS NOT NULL
    ) AS seen WHERE fingerprint = ANY(:found) GROUP BY 1, 2, 3
    """  # noqa: S608
)
DECIDED = text(
    f"""
    SELECT t.app_id, t.fingerprint, t.state, t.muted_until, t.until_version, t.resolved_at, t.note, t.assignee_id,
        u.email
    FROM triage t LEFT JOIN memberships m ON m.user_id = t.assignee_id AND m.organisation_id = t.organisation_id
    LEFT JOIN users u ON u.id = m.user_id
    WHERE t.{OWN.replace("AND app_id", "AND t.app_id")} AND t.fingerprint = ANY(:found)
    """  # noqa: S608
)
DECIDE = text(
    """
    INSERT INTO triage (app_id, fingerprint, organisation_id, state, muted_until, until_version, resolved_at, note,
        assignee_id, changed_by)
    VALUES (:app_id, :fingerprint, :organisation_id, :state, :muted_until, :until_version,
        CASE WHEN :state = 'resolved' THEN now() END, :note, :assignee_id, :changed_by)
    ON CONFLICT (app_id, fingerprint) DO UPDATE SET state = excluded.state, muted_until = excluded.muted_until,
        until_version = excluded.until_version, note = excluded.note, assignee_id = excluded.assignee_id,
        changed_by = excluded.changed_by, changed_at = now(), resolved_at = excluded.resolved_at
    """
)
IS_KNOWN = text(
    f"""
    SELECT EXISTS (SELECT FROM violation_groups WHERE {OWN} AND fingerprint = :fingerprint)
        OR EXISTS (SELECT FROM violation_deltas d WHERE {OWN} AND {FINGERPRINT} = :fingerprint)
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What people decided. until_version: muted below it; or resolved from it on."""

    state: str = "open"
    muted_until: datetime | None = None
    until_version: str | None = None
    resolved_at: datetime | None = None
    note: str = ""
    assignee_id: int | None = None
    assignee: str | None = None


@dataclass(slots=True)
class Group:
    """One group in a scope. first_at, last_at, and the versions' times are of all history."""

    app_id: int
    fingerprint: UUID
    count: int
    platforms: list[str]
    versions: list[str]
    event_name: str = ""
    path: str = ""
    kind: str = ""
    constraint: str = ""
    severity: str = ""
    samples: list[UUID] = field(default_factory=list)
    seen: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    trend: dict[datetime, int] = field(default_factory=dict)
    decision: Decision = field(default_factory=Decision)

    @property
    def first_at(self) -> datetime | None:
        return min((first for first, _ in self.seen.values()), default=None)

    @property
    def last_at(self) -> datetime | None:
        return max((last for _, last in self.seen.values()), default=None)

    @property
    def state(self) -> str:
        """The decision as it stands now: a resolved one that came back is `regressed`, a mute ends by itself."""
        asked = self.decision
        if asked.state == "resolved" and asked.resolved_at:
            came_back = any(
                last > asked.resolved_at and is_from(version, asked.until_version)
                for version, (_, last) in self.seen.items()
            )
            return "regressed" if came_back else "resolved"
        if asked.state == "muted":
            is_over = asked.muted_until is not None and asked.muted_until <= datetime.now(UTC)
            is_reached = asked.until_version is not None and any(
                is_from(version, asked.until_version) for version in self.seen if version not in ("", OTHER)
            )
            return "open" if is_over or is_reached else "muted"
        return asked.state


def is_from(version: str, start: str | None) -> bool:
    """Is this version the starting one or a later one? One that nobody said may be any, so it is."""
    return start is None or version in ("", OTHER) or version_key(version) >= version_key(start)


def version_key(version: str) -> list[tuple[int, int, str]]:
    """Versions in their order: 9 before 10, `1.0-beta` before `1.0`, `1.0` before `1.0.1`."""
    parts = re.findall(r"[0-9]{1,18}|[a-z]+", version.lower())
    return [(2, int(p), "") if p.isdigit() else (0, 0, p) for p in parts] + [(1, 0, "")]


def _counted(scope: Scope, most_minutes: int = 1440) -> tuple[str, dict[str, Any]]:
    counters, values = scope.range.of_counters(most_minutes)
    fresh, more = scope.range.of_deltas()
    facts = {"platform": scope.platform, "app_version": scope.app_version}
    given = {name: value for name, value in facts.items() if value is not None}
    where = "".join(f" AND {name} = :{name}" for name in given)
    sql = (
        f"(SELECT app_id, fingerprint, platform, app_version, at, count FROM violation_tallies"  # noqa: S608
        f" WHERE {OWN} AND {counters}{where} UNION ALL"
        f" SELECT app_id, {FINGERPRINT}, platform, app_version, quarter, count FROM violation_deltas d"
        f" WHERE {OWN} AND {fresh}{where}) AS counted"
    )
    return sql, values | more | given | {"organisation_id": scope.organisation_id, "apps": list(scope.apps)}


def groups(scope: Scope, step_minutes: int, limit: int = MOST_GROUPS) -> list[Group]:
    """The groups seen in the scope, most frequent first; five questions, however many there are."""
    source, values = _counted(scope)
    rows = db.session.execute(
        text(
            "SELECT app_id, fingerprint, sum(count)::bigint, array_agg(DISTINCT platform),"  # noqa: S608
            f" array_agg(DISTINCT app_version) FROM {source} GROUP BY 1, 2 HAVING sum(count) > 0"
            " ORDER BY 3 DESC, 2 LIMIT :limit"
        ),
        values | {"limit": limit},
    )
    found = {(row[0], row[1]): Group(*row) for row in rows}
    asked = {
        "organisation_id": scope.organisation_id,
        "apps": list(scope.apps),
        "found": list({fingerprint for _, fingerprint in found}),
    }
    _describe(found, db.session.execute(FACTS, asked))
    for app_id, fingerprint, version, first, last in db.session.execute(SEEN, asked):
        if group := found.get((app_id, fingerprint)):
            group.seen[version] = (first, last)
    for app_id, fingerprint, *decided in db.session.execute(DECIDED, asked):
        if group := found.get((app_id, fingerprint)):
            group.decision = Decision(*decided)
    _draw(found, scope, step_minutes, asked)
    return [group for group in found.values() if scope.event in (None, group.event_name)]


def _describe(found: dict[tuple[int, UUID], Group], rows: Iterable[Any]) -> None:
    samples: dict[tuple[int, UUID], list[UUID]] = defaultdict(list)
    for app_id, fingerprint, name, path, kind, constraint, severity, latest in rows:
        if group := found.get((app_id, fingerprint)):
            group.event_name, group.path, group.kind = name, path, kind
            group.constraint, group.severity = constraint, severity
            samples[app_id, fingerprint] += latest
    for key, ids in samples.items():
        # Their ids begin with the time at which they came.
        found[key].samples = sorted(set(ids), reverse=True)[:SAMPLES]


def _draw(
    found: dict[tuple[int, UUID], Group], scope: Scope, step_minutes: int, asked: dict[str, Any]
) -> None:
    source, values = _counted(scope, step_minutes)
    rows = db.session.execute(
        text(
            "SELECT app_id, fingerprint, date_bin(make_interval(mins => :step), at, '1970-01-01Z'),"  # noqa: S608
            f" sum(count)::bigint FROM {source} WHERE fingerprint = ANY(:found) GROUP BY 1, 2, 3"
        ),
        values | asked | {"step": step_minutes},
    )
    for app_id, fingerprint, step, count in rows:
        if group := found.get((app_id, fingerprint)):
            group.trend[step] = count


def is_known(organisation_id: int, app_id: int, fingerprint: UUID) -> bool:
    """Was such a violation ever counted in this app?"""
    asked = {"organisation_id": organisation_id, "apps": [app_id], "fingerprint": fingerprint}
    return bool(db.session.execute(IS_KNOWN, asked).scalar_one())


def decide(
    organisation_id: int, app_id: int, fingerprint: UUID, decision: Decision, user_id: int | None
) -> None:
    """Keep what was decided about a group; the caller commits."""
    db.session.execute(
        DECIDE,
        {
            "organisation_id": organisation_id,
            "app_id": app_id,
            "fingerprint": fingerprint,
            "state": decision.state,
            "muted_until": decision.muted_until,
            "until_version": decision.until_version,
            "note": decision.note,
            "assignee_id": decision.assignee_id,
            "changed_by": user_id,
        },
    )


def members(organisation_id: int) -> Sequence[tuple[int, str]]:
    """Who can be asked to look into it: (user id, email)."""
    rows = db.session.execute(
        text(
            "SELECT u.id, u.email FROM memberships m JOIN users u ON u.id = m.user_id"
            " WHERE m.organisation_id = :organisation_id ORDER BY u.email"
        ),
        {"organisation_id": organisation_id},
    )
    return [(row[0], row[1]) for row in rows]
