"""The counts: every figure is a count(*) over the rows, whatever was sent, folded or deleted in between."""

import itertools
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import uuid_utils
from flask import Flask

from app.config import Settings
from app.extensions import db
from app.store import deltas, folding, summary
from app.store.keeping import GroupCommit, Row
from app.store.spans import Range
from tests.world import World

VERDICTS = ("valid", "invalid", "unplanned", "exempt")
PLATFORMS = (None, "ios", "android", "a very long platform " * 5)
VERSIONS = (None, "1.0", "2.0", "10.0")
PATHS = ("sku", "items[0].price", "items[7].price", '["odd[3]"].a[1]')
GENERAL = {PATHS[1]: "items[].price", PATHS[2]: "items[].price", PATHS[3]: '["odd[3]"].a[]'}


def row(app: Any, chance: random.Random, **given: Any) -> Row:
    verdict = chance.choice(VERDICTS)
    violations = [
        {
            "kind": chance.choice(["type_mismatch", "constraint_broken"]),
            "path": chance.choice(PATHS),
            "severity": "error",
            "expected": "text",
            "received": "integer",
        }
        for _ in range(chance.randint(1, 3) if verdict == "invalid" else 0)
    ]
    for violation in violations:
        if violation["kind"] == "constraint_broken":
            violation["constraint"] = chance.choice(["enum", "minimum"])
    return Row(
        **{
            "event_id": str(uuid_utils.uuid7()),
            "app_id": app.id,
            "organisation_id": app.organisation_id,
            "message_id": str(chance.randrange(100_000)),
            "event_name": chance.choice(["buy", "view", "*other*", "x" * 256]),
            "verdict": verdict,
            "plan_version": None,
            "platform": chance.choice(PLATFORMS),
            "app_version": chance.choice(VERSIONS),
            "environment": None,
            "session_id": None,
            "device_id": None,
            "identity": None,
            "run_id": None,
            "occurred_at": None,
            "sent_at": None,
            "digest": "00",
            "violations": orjson.dumps(violations).decode(),
            "violations_omitted": 0,
            "payload": "{}",
            "envelope": "{}",
        }
        | given
    )


@pytest.fixture
def group(flask_app: Flask, settings: Settings) -> GroupCommit:
    return GroupCommit(settings.ingest_database_url, most_rows=1000, deadline_seconds=5)


def fold() -> None:
    while folding.fold(limit=100):
        db.session.commit()
    db.session.commit()


def rows_of(owner: Any, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with owner.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def counted(table: str, keys: str, minutes: int) -> dict[tuple[Any, ...], int]:
    """Counters of one size, deltas included where there are any."""
    rows = db.session.execute(
        db.text(f"SELECT {keys}, sum(count)::int FROM {table} WHERE minutes = {minutes} GROUP BY {keys}")
    )
    return {tuple(key): count for *key, count in rows}


WORD = "coalesce(left({}, 64), '')"


def plain_tallies(owner: Any, minutes: int) -> dict[tuple[Any, ...], int]:
    rows = rows_of(
        owner,
        f"SELECT app_id, date_bin('{minutes} min', received_at, '1970-01-01Z'), event_name, verdict,"
        f" {WORD.format('platform')}, {WORD.format('app_version')}, count(*) FROM log_entries GROUP BY 1,2,3,4,5,6",
    )
    return {tuple(key): count for *key, count in rows}


def plain_violations(owner: Any) -> Counter[tuple[Any, ...]]:
    """By reading each event: which groups it belongs to, each once."""
    found: Counter[tuple[Any, ...]] = Counter()
    for app_id, name, platform, version, violations in rows_of(
        owner, "SELECT app_id, event_name, platform, app_version, violations FROM log_entries"
    ):
        groups = {(GENERAL.get(v["path"], v["path"]), v["kind"], v.get("constraint", "")) for v in violations}
        found.update((app_id, name, *of, (platform or "")[:64], version or "") for of in groups)
    return found


def counted_violations() -> dict[tuple[Any, ...], int]:
    rows = db.session.execute(
        db.text(
            "SELECT app_id, event_name, path, kind, constraint_name, platform, app_version, sum(count)::int"
            " FROM violation_tallies JOIN violation_groups USING (app_id, fingerprint) WHERE minutes = 1440"
            " GROUP BY 1, 2, 3, 4, 5, 6, 7"
        )
    )
    return {tuple(key): count for *key, count in rows}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_counter_is_a_count_of_rows(group: GroupCommit, world: World, owner: Any, seed: int) -> None:
    chance = random.Random(seed)
    sent: list[Row] = []
    for _ in range(12):
        rows = [
            row(chance.choice([world.alice.app, world.charlie.app]), chance)
            for _ in range(chance.randint(1, 40))
        ]
        again = chance.sample(sent, min(len(sent), 5))  # retries under new event ids
        group.keep([*rows, *(one._replace(event_id=str(uuid_utils.uuid7())) for one in again)])
        sent += rows
        if chance.random() < 0.5:
            folding.fold(limit=chance.randint(1, 50))
            db.session.commit()
        if chance.random() < 0.3:
            delete(owner, "event_name = 'buy' AND verdict = 'invalid'")
    apps = (world.alice.app, world.charlie.app)
    before = [summary.counts(app) for app in apps]
    fold()
    assert [summary.counts(app) for app in apps] == before
    for minutes in folding.MINUTES:
        keys = "app_id, at, event_name, verdict, platform, app_version"
        assert counted("tallies", keys, minutes) == plain_tallies(owner, minutes)
    assert counted_violations() == dict(plain_violations(owner))


def delete(owner: Any, condition: str) -> int:
    """Delete events as the product will: rows and deltas in one statement."""
    return rows_of(
        owner,
        f"WITH gone AS (DELETE FROM log_entries WHERE {condition} RETURNING *),"
        f" t AS ({deltas.tallied('gone', 'received_at', '-')}), v AS ({deltas.broken('gone', 'received_at', '-')})"
        " SELECT count(*)::int FROM gone",
    )[0][0]


def test_what_is_deleted_is_uncounted_and_leaves_nothing(
    group: GroupCommit, world: World, owner: Any
) -> None:
    chance = random.Random(4)
    group.keep([row(world.alice.app, chance) for _ in range(200)])
    fold()
    assert delete(owner, "true") == 200
    assert summary.counts(world.alice.app)["verdicts"] == summary.NO_EVENTS
    fold()
    assert counted("tallies", "app_id", 15) == counted("violation_tallies", "app_id", 1440) == {}


def test_first_and_last_times_are_those_of_the_events(group: GroupCommit, world: World, owner: Any) -> None:
    chance = random.Random(5)
    for _ in range(5):
        group.keep([row(world.alice.app, chance) for _ in range(30)])
        fold()
    keys = f"event_name, verdict, {WORD.format('platform')}, {WORD.format('app_version')}"
    plain = rows_of(
        owner, f"SELECT {keys}, min(received_at), max(received_at) FROM log_entries GROUP BY 1, 2, 3, 4"
    )
    seen = rows_of(
        owner, "SELECT event_name, verdict, platform, app_version, first_at, last_at FROM events_seen"
    )
    assert sorted(seen) == sorted(plain)
    groups = rows_of(
        owner, "SELECT count(DISTINCT fingerprint), min(first_at), max(last_at) FROM violations_seen"
    )
    kept = rows_of(
        owner, "SELECT min(received_at), max(received_at) FROM log_entries WHERE verdict = 'invalid'"
    )
    assert groups[0][1:] == kept[0]


def test_names_beyond_the_days_cap_are_counted_together(group: GroupCommit, world: World, owner: Any) -> None:
    """Two thousand and one names that no plan knows: the last one is `*other*`, and can be uncounted there."""
    chance = random.Random(6)
    app = world.alice.app
    for start in range(0, 2001, 667):
        names = [f"name {n}" for n in range(start, min(start + 667, 2001))]
        group.keep(
            [row(app, chance, event_name=name, verdict="unplanned", message_id=name) for name in names]
        )
        fold()
    group.keep([row(app, chance, event_name="planned", verdict="valid", message_id="planned")])
    fold()
    known = {event["name"] for event in summary.counts(app)["events"]}
    (left_out,) = {f"name {n}" for n in range(2001)} - known
    group.keep([row(app, chance, event_name=left_out, verdict="unplanned", message_id="again")])
    fold()
    found = {event["name"]: event for event in summary.counts(app)["events"]}
    assert len(found) == 2002
    assert found["*other*"]["unplanned"] == 2
    assert found["planned"]["valid"] == 1
    delete(owner, "message_id = 'again'")
    fold()
    after = {event["name"]: event["unplanned"] for event in summary.counts(app)["events"]}
    assert (after["*other*"], sum(after.values())) == (1, 2001)


def test_the_latest_events_of_a_violation_are_its_samples(
    group: GroupCommit, world: World, owner: Any
) -> None:
    chance = random.Random(7)
    violations = orjson.dumps([{"kind": "empty_value", "path": "a", "severity": "warning"}]).decode()
    ids = []
    for number in range(8):
        one = row(world.alice.app, chance, event_name="e", violations=violations, message_id=str(number))
        group.keep([one])
        ids.append(one.event_id)
        if number in (2, 5):
            fold()
    fold()
    (samples,) = rows_of(
        owner, "SELECT samples::text[], severity FROM violation_groups WHERE event_name = 'e'"
    )
    assert samples == (list(reversed(ids))[:5], "warning")


def test_a_dropped_day_is_forgotten_and_the_next_is_not(group: GroupCommit, world: World, owner: Any) -> None:
    chance = random.Random(8)
    group.keep([row(world.alice.app, chance) for _ in range(50)])
    fold()
    (today,) = rows_of(owner, "SELECT date_trunc('day', now(), 'UTC')")[0]
    before = summary.counts(world.alice.app)
    folding.forget_before(today)
    db.session.commit()
    assert summary.counts(world.alice.app) == before
    folding.forget_before(today + timedelta(days=1))
    db.session.commit()
    assert summary.counts(world.alice.app)["verdicts"] == summary.NO_EVENTS
    for table in (
        "tallies",
        "violation_tallies",
        "violation_groups",
        "violations_seen",
        "events_seen",
        "counted_words",
    ):
        assert rows_of(owner, f"SELECT count(*) FROM {table}") == [(0,)], table


ENDS = [
    datetime(2026, 3, day, hour, minute, second, tzinfo=UTC)
    for day, hour, minute, second in itertools.product((1, 3), (0, 23), (0, 7, 45), (0, 1))
]


@pytest.mark.parametrize(("start", "end"), [(a, b) for a, b in itertools.product(ENDS, ENDS) if a <= b])
def test_the_spans_of_a_range_are_its_quarters_each_once(start: datetime, end: datetime) -> None:
    quarters = [
        span.start + timedelta(minutes=15 * n)
        for span in Range(start, end).spans()
        for n in range((span.end - span.start) // timedelta(minutes=15))
    ]
    first = datetime(2026, 3, 1, tzinfo=UTC)
    all_ = [first + timedelta(minutes=15 * n) for n in range(4 * 24 * 4)]
    assert sorted(quarters) == [quarter for quarter in all_ if start <= quarter < end]
    assert all(span.start.timestamp() % (span.minutes * 60) == 0 for span in Range(start, end).spans())


def test_ten_times_the_events_are_no_more_rows_to_read(group: GroupCommit, world: World, owner: Any) -> None:
    """What a page adds up depends on what was sent where and when, not on how often."""

    def rows() -> list[tuple[Any, ...]]:
        fold()
        tables = ("tallies", "violation_tallies", "events_seen", "violations_seen", "violation_groups")
        spans = rows_of(
            owner, "SELECT count(DISTINCT at) FROM tallies WHERE minutes = 15"
        )  # a quarter may begin
        return [*spans, *(rows_of(owner, f"SELECT count(*) FROM {table}")[0] for table in tables)]

    def send(count: int) -> None:
        for number in range(count):
            one = row(world.alice.app, random.Random(number % 40), message_id=f"{count} {number}")
            group.keep([one])

    send(40)
    before = rows()
    send(400)
    after = rows()
    assert after[0] != before[0] or after == before
    assert sum(summary.counts(world.alice.app)["verdicts"].values()) == 440
