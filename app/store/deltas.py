"""What a commit adds to the counts: deltas of tallies and of violations, for events that come and events that go.

The same two INSERTs count what KEEP adds and, with the sign turned, what a deletion takes away; so whatever was
counted can be uncounted exactly. Deltas are only added to, so no commit waits for another one's row.
"""

from typing import Literal

# A quarter of an hour: days add up exactly in every zone that there is.
QUARTER = "date_bin('15 minutes', {at}, 'epoch')"
# Of a platform or a version this much is counted by; a counter's key must fit into an index entry.
MOST_WORD_CHARACTERS = 64


def _word(column: str) -> str:
    return f"coalesce(left({column}, {MOST_WORD_CHARACTERS}), '')"


def tallied(source: str, at: str, sign: Literal["", "-"] = "") -> str:
    """INSERT of the tallies' deltas of the events in `source`, received `at` (SQL, both)."""
    return f"""
    INSERT INTO tally_deltas
        (organisation_id, app_id, quarter, event_name, verdict, platform, app_version, count, first_at, last_at)
    SELECT organisation_id, app_id, {QUARTER.format(at=at)}, event_name, verdict, {_word("platform")},
        {_word("app_version")}, {sign}count(*), {_seen("min", at, sign)}, {_seen("max", at, sign)}
    FROM {source} GROUP BY 1, 2, 3, 4, 5, 6, 7
    """  # noqa: S608  (made of constants of this file and its callers)


def broken(source: str, at: str, sign: Literal["", "-"] = "") -> str:
    """INSERT of the violations' deltas: how many of the events in `source` broke what. Each counts once per group."""
    return f"""
    INSERT INTO violation_deltas
        (organisation_id, app_id, quarter, event_name, path, kind, constraint_name, platform, app_version,
        severity, count, sample, first_at, last_at)
    SELECT organisation_id, app_id, {QUARTER.format(at=at)}, event_name, violation_path(v->>'path'), v->>'kind',
        coalesce(v->>'constraint', ''), {_word("platform")}, {_word("app_version")}, min(v->>'severity'),
        {sign}count(DISTINCT event_id), max(event_id::text)::uuid, {_seen("min", at, sign)}, {_seen("max", at, sign)}
    FROM {source} CROSS JOIN LATERAL json_array_elements(violations) AS v
    WHERE violations::text <> '[]' GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    """  # noqa: S608


def _seen(extreme: str, at: str, sign: str) -> str:
    """What goes was seen all the same: it moves no first and no last time."""
    return f"{extreme}({at})" if not sign else "NULL::timestamptz"
