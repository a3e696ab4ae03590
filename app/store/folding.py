"""Folding: deltas become counters, by the clock, and vanish in the same transaction, so no reader counts twice.

What there may be without end (names that no plan knows, versions, platforms, violations) is capped per app and day:
the first ones are counted by themselves, the rest as `*other*`, and the sums stay exact.
"""

from datetime import datetime

from sqlalchemy import text

from app.extensions import db
from app.store.tenancy import across_organisations

# An event or platform of this very name is counted there, too.
OTHER = "*other*"
MOST_UNPLANNED_NAMES = 2_000
MOST_PLANNED_NAMES = 10_000
MOST_VIOLATIONS = 2_000
MOST_PLATFORMS = 50
MOST_VERSIONS = 200
CAPS = {
    "unplanned": MOST_UNPLANNED_NAMES,
    "planned": MOST_PLANNED_NAMES,
    "violation": MOST_VIOLATIONS,
    "platform": MOST_PLATFORMS,
    "version": MOST_VERSIONS,
}
SAMPLES = 5
MINUTES = (15, 60, 1440)  # the spans of `tallies`: quarter, hour, day

# Any constant will do: two folds at once could not know each other's words.
LOCK = text("SELECT pg_advisory_xact_lock(7106405)")
DAY = "date_trunc('day', quarter, 'UTC')"
SPANS = f"unnest(ARRAY{list(MINUTES)}) AS minutes"
SPAN = "date_bin(make_interval(mins => minutes), quarter, '1970-01-01Z')"
# The same event x path x kind x constraint, whatever characters they hold.
FINGERPRINT = "md5(array_to_json(ARRAY[d.event_name, d.path, d.kind, d.constraint_name])::text)::uuid"
OTHERS = f"md5(array_to_json(ARRAY['{OTHER}', '{OTHER}', d.kind, ''])::text)::uuid"
NAME_KIND = "CASE WHEN verdict IN ('valid', 'invalid') THEN 'planned' ELSE 'unplanned' END"


def _known(kind: str, word: str, itself: str = "", other: str = f"'{OTHER}'") -> str:
    """The word as it is counted (`itself`), or `*other*` where it found no room on its day. All are SQL."""
    return (
        f"CASE WHEN {word} = '' OR EXISTS (SELECT FROM counted_words w WHERE w.app_id = d.app_id"  # noqa: S608
        f" AND w.day = {DAY} AND w.kind = {kind} AND w.word = {word}) THEN {itself or word} ELSE {other} END"
    )


# The batch with the words that it is counted by.
NAMED_TALLIES = f"""
    SELECT organisation_id, app_id, quarter, verdict, count, first_at, last_at,
        {_known(NAME_KIND, "event_name")} AS event_name,
        {_known("'platform'", "platform")} AS platform, {_known("'version'", "app_version")} AS app_version
    FROM tally_deltas d WHERE id = ANY(:ids)
"""  # noqa: S608
NAMED_VIOLATIONS = f"""
    SELECT *, fingerprint = {OTHERS} AS is_other FROM (
        SELECT id, organisation_id, app_id, quarter, event_name, path, kind, constraint_name, severity, count,
            sample, first_at, last_at,
            {_known("'violation'", f"({FINGERPRINT})::text", FINGERPRINT, OTHERS)} AS fingerprint,
            {_known("'platform'", "platform")} AS platform, {_known("'version'", "app_version")} AS app_version
        FROM violation_deltas d WHERE id = ANY(:ids)
    ) AS d
"""  # noqa: S608


def _admit(table: str, *kinds: tuple[str, str]) -> str:
    """Add the words that are new on their day, as far as there is room. kinds: (kind, word), SQL both."""
    words = " UNION ALL ".join(
        f"SELECT id, organisation_id, app_id, {DAY} AS day, {kind} AS kind, {word} AS word"  # noqa: S608
        f" FROM {table} d WHERE id = ANY(:ids) AND count > 0 AND {word} <> ''"
        for kind, word in kinds
    )
    caps = " ".join(f"WHEN '{kind}' THEN {most}" for kind, most in CAPS.items())
    return f"""
        WITH fresh AS (
            SELECT app_id, day, kind, word, min(words.organisation_id) AS organisation_id, min(id) AS first
            FROM ({words}) AS words LEFT JOIN counted_words known USING (app_id, day, kind, word)
            WHERE known.organisation_id IS NULL GROUP BY 1, 2, 3, 4
        ), had AS (
            SELECT app_id, day, kind, count(*) AS n FROM counted_words
            WHERE (app_id, day, kind) IN (SELECT app_id, day, kind FROM fresh) GROUP BY 1, 2, 3
        ), ranked AS (
            SELECT fresh.*, coalesce(n, 0)
                + row_number() OVER (PARTITION BY app_id, day, kind ORDER BY first, word) AS place
            FROM fresh LEFT JOIN had USING (app_id, day, kind)
        )
        INSERT INTO counted_words (app_id, day, kind, word, organisation_id)
        SELECT app_id, day, kind, word, organisation_id FROM ranked WHERE place <= CASE kind {caps} END
    """  # noqa: S608


def _count(table: str, named: str, keys: str) -> str:
    """Add the batch to its quarter, hour and day."""
    return f"""
        INSERT INTO {table} (app_id, minutes, at, {keys}, organisation_id, count)
        SELECT app_id, minutes, {SPAN}, {keys}, min(organisation_id), sum(count)
        FROM ({named}) AS named CROSS JOIN {SPANS} GROUP BY 1, 2, 3, {keys} ORDER BY 1, 2, 3, {keys}
        ON CONFLICT (app_id, minutes, at, {keys}) DO UPDATE SET count = {table}.count + excluded.count
    """  # noqa: S608


def _see(table: str, named: str, keys: str) -> str:
    """Move the first and last times."""
    return f"""
        INSERT INTO {table} (app_id, {keys}, organisation_id, first_at, last_at)
        SELECT app_id, {keys}, min(organisation_id), min(first_at), max(last_at)
        FROM ({named}) AS named WHERE last_at IS NOT NULL GROUP BY app_id, {keys} ORDER BY app_id, {keys}
        ON CONFLICT (app_id, {keys}) DO UPDATE SET first_at = least({table}.first_at, excluded.first_at),
            last_at = greatest({table}.last_at, excluded.last_at)
    """  # noqa: S608


def _clear(table: str, deltas: str) -> str:
    """Drop the counters that deletions brought to nothing."""
    return f"""
        DELETE FROM {table} USING (
            SELECT DISTINCT app_id, minutes, {SPAN} AS at FROM {deltas} CROSS JOIN {SPANS}
            WHERE id = ANY(:ids) AND count < 0
        ) AS touched
        WHERE {table}.app_id = touched.app_id AND {table}.minutes = touched.minutes AND {table}.at = touched.at
            AND count = 0
    """  # noqa: S608


GROUPED = f"""
    INSERT INTO violation_groups
        (app_id, fingerprint, organisation_id, event_name, path, kind, constraint_name, severity, samples)
    SELECT app_id, fingerprint, min(organisation_id), CASE WHEN is_other THEN '{OTHER}' ELSE min(event_name) END,
        CASE WHEN is_other THEN '{OTHER}' ELSE min(path) END, min(kind),
        CASE WHEN is_other THEN '' ELSE min(constraint_name) END, (array_agg(severity ORDER BY id DESC))[1],
        (array_agg(sample ORDER BY last_at DESC, id DESC))[1:{SAMPLES}]
    FROM ({NAMED_VIOLATIONS}) AS named WHERE last_at IS NOT NULL GROUP BY app_id, fingerprint, is_other
    ORDER BY app_id, fingerprint
    ON CONFLICT (app_id, fingerprint) DO UPDATE SET severity = excluded.severity,
        samples = (excluded.samples || violation_groups.samples)[1:{SAMPLES}]
"""  # noqa: S608

# What deletions take away was used all the same.
USED = """
    INSERT INTO usage_days AS u (app_id, day, organisation_id, events)
    SELECT app_id, (quarter AT TIME ZONE 'UTC')::date, min(organisation_id), sum(count)
    FROM tally_deltas WHERE id = ANY(:ids) AND count > 0 GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (app_id, day) DO UPDATE SET events = u.events + excluded.events
"""

TALLY_KEYS = "event_name, verdict, platform, app_version"
VIOLATION_KEYS = "fingerprint, platform, app_version"
IN_DELTAS = (("'platform'", "platform"), ("'version'", "app_version"))
FOLD_TALLIES = [
    _admit("tally_deltas", (NAME_KIND, "event_name"), *IN_DELTAS),
    _count("tallies", NAMED_TALLIES, TALLY_KEYS),
    _see("events_seen", NAMED_TALLIES, TALLY_KEYS),
    _clear("tallies", "tally_deltas"),
    USED,
]
FOLD_VIOLATIONS = [
    _admit("violation_deltas", ("'violation'", f"({FINGERPRINT})::text"), *IN_DELTAS),
    GROUPED,
    _count("violation_tallies", NAMED_VIOLATIONS, VIOLATION_KEYS),
    _see("violations_seen", NAMED_VIOLATIONS, VIOLATION_KEYS),
    _clear("violation_tallies", "violation_deltas"),
]


@across_organisations()
def fold(limit: int = 5000) -> int:
    """Fold the oldest deltas of each kind; returns how many there were. The caller commits, and asks again."""
    db.session.execute(LOCK)
    return _fold("tally_deltas", FOLD_TALLIES, limit) + _fold("violation_deltas", FOLD_VIOLATIONS, limit)


def _fold(table: str, steps: list[str], limit: int) -> int:
    # By their ids, not by a limit: deltas that others commit meanwhile may have lower ones, and wait for the next turn.
    ids = list(
        db.session.execute(
            text(f"SELECT id FROM {table} ORDER BY id LIMIT :limit"),  # noqa: S608
            {"limit": limit},
        ).scalars()
    )
    if ids:
        for step in (*steps, f"DELETE FROM {table} WHERE id = ANY(:ids)"):  # noqa: S608
            db.session.execute(text(step), {"ids": ids})
    return len(ids)


FORGET = [
    f"DELETE FROM {table} WHERE {column} < :day"  # noqa: S608
    for table, column in (
        ("tallies", "at"),
        ("violation_tallies", "at"),
        ("counted_words", "day"),
        ("events_seen", "last_at"),
        ("violations_seen", "last_at"),
        ("tally_deltas", "quarter"),
        ("violation_deltas", "quarter"),
    )
] + [
    "DELETE FROM violation_groups g WHERE NOT EXISTS (SELECT FROM violations_seen s"
    " WHERE s.app_id = g.app_id AND s.fingerprint = g.fingerprint) AND :day IS NOT NULL"
]


@across_organisations()
def forget_before(day: datetime) -> None:
    """Uncount all events received before a UTC midnight, as when their partitions are dropped. The caller commits.

    Call it in the transaction that drops them. Every counter lies within one UTC day, so nothing has to be subtracted.
    """
    db.session.execute(LOCK)  # a fold at the same time could add what it read before
    for step in FORGET:
        db.session.execute(text(step), {"day": day})
