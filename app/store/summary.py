"""Counts of events over any time: folded counters plus the deltas not folded yet, always exact."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text

from app.extensions import db
from app.store.apps import AppRef
from app.store.spans import DAY, Range

NO_EVENTS = {"valid": 0, "invalid": 0, "unplanned": 0, "exempt": 0}
TOTALS = text(
    f"""
    WITH ours AS (SELECT id FROM apps WHERE organisation_id = :organisation_id)
    SELECT app_id, verdict, sum(count)::bigint FROM (
        SELECT app_id, verdict, count FROM tallies WHERE app_id IN (SELECT id FROM ours) AND minutes = {DAY}
        UNION ALL
        SELECT app_id, verdict, count FROM tally_deltas WHERE app_id IN (SELECT id FROM ours)
    ) AS counted GROUP BY app_id, verdict
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose events are counted: of which apps of one organisation, in which time, of which facts; None: any."""

    organisation_id: int
    apps: tuple[int, ...]
    range: Range = field(default_factory=Range)
    event: str | None = None
    platform: str | None = None
    app_version: str | None = None

    def events(self, columns: str, most_minutes: int = DAY) -> tuple[str, dict[str, Any]]:
        """A FROM item with these columns, `verdict`, `at` (its time) and `count`, and its parameters."""
        tables = ("tallies", "tally_deltas")
        return self.source(f"{columns}, verdict", tables, {"event_name": self.event}, most_minutes)

    def source(
        self, columns: str, tables: tuple[str, str], facts: dict[str, str | None], most_minutes: int = DAY
    ) -> tuple[str, dict[str, Any]]:
        """The same of any pair of tables, counters and their deltas."""
        table, deltas = tables
        facts = facts | {"platform": self.platform, "app_version": self.app_version}
        given = {name: value for name, value in facts.items() if value is not None}
        where = "".join(f" AND {name} = :{name}" for name in given)
        counters, counter_values = self.range.of_counters(most_minutes)
        fresh, delta_values = self.range.of_deltas()
        own = "organisation_id = :organisation_id AND app_id = ANY(:apps)"
        sql = (
            f"(SELECT {columns}, at, count FROM {table} WHERE {own} AND {counters}{where}"  # noqa: S608
            f" UNION ALL SELECT {columns}, quarter, count FROM {deltas} WHERE {own} AND {fresh}{where}) AS counted"
        )
        values = {"organisation_id": self.organisation_id, "apps": list(self.apps)}
        return sql, values | given | counter_values | delta_values


@dataclass(frozen=True, slots=True)
class Row:
    """Something's name, and its events by verdict."""

    name: str
    counts: dict[str, int]


def counts(app: AppRef, from_: datetime | None = None, to_: datetime | None = None) -> dict[str, Any]:
    """Events per verdict, and per name and verdict. Limits count whole quarters of an hour."""
    rows = by(Scope(app.organisation_id, (app.id,), Range(from_, to_)), "event_name")
    events = [{"name": row.name, **row.counts} for row in sorted(rows, key=lambda row: row.name)]
    return {"verdicts": added(row.counts for row in rows), "events": events}


def added(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    """The sum of counts by verdict."""
    total = dict(NO_EVENTS)
    for part in parts:
        for verdict, count in part.items():
            total[verdict] += count
    return total


def by(scope: Scope, column: str) -> list[Row]:
    """Events by verdict for each value of one column; most first."""
    source, values = scope.events(column)
    rows = db.session.execute(
        text(f"SELECT {column}, verdict, sum(count)::bigint FROM {source} GROUP BY 1, 2"),  # noqa: S608
        values,
    )
    return _gathered(rows)


def breakdowns(scope: Scope, columns: Sequence[str]) -> dict[str, list[Row]]:
    """`by` for several columns in one question."""
    source, values = scope.events(", ".join(columns))
    sets = ", ".join(f"({column}, verdict)" for column in columns)
    which = " ".join(f"WHEN grouping({column}) = 0 THEN '{column}'" for column in columns)
    found = db.session.execute(
        text(
            f"SELECT CASE {which} END, coalesce({', '.join(f'{c}::text' for c in columns)}), verdict,"  # noqa: S608
            f" sum(count)::bigint FROM {source} GROUP BY GROUPING SETS ({sets})"
        ),
        values,
    )
    rows: dict[str, list[Any]] = {column: [] for column in columns}
    for column, *row in found:
        rows[column].append(row)
    return {column: _gathered(of) for column, of in rows.items()}


def _gathered(rows: Iterable[Any]) -> list[Row]:
    found: dict[str, dict[str, int]] = defaultdict(lambda: dict(NO_EVENTS))
    for name, verdict, count in rows:
        found[name][verdict] += count
    gathered = [Row(name, counts) for name, counts in found.items() if any(counts.values())]
    return sorted(gathered, key=lambda row: (-sum(row.counts.values()), row.name))


def series(scope: Scope, step_minutes: int) -> dict[datetime, dict[str, int]]:
    """Events by verdict for each step of the time that has any."""
    source, values = scope.events("app_id", step_minutes)
    rows = db.session.execute(
        text(
            "SELECT date_bin(make_interval(mins => :step), at, '1970-01-01Z') AS step, verdict,"  # noqa: S608
            f" sum(count)::bigint FROM {source} GROUP BY 1, 2"
        ),
        values | {"step": step_minutes},
    )
    found: dict[datetime, dict[str, int]] = defaultdict(lambda: dict(NO_EVENTS))
    for step, verdict, count in rows:
        found[step][verdict] += count
    return dict(found)


def totals(organisation_id: int) -> dict[int, dict[str, int]]:
    """Events per app of the organisation and verdict, over all history."""
    found: dict[int, dict[str, int]] = defaultdict(lambda: dict(NO_EVENTS))
    for app_id, verdict, count in db.session.execute(TOTALS, {"organisation_id": organisation_id}):
        found[app_id][verdict] += count
    return found
