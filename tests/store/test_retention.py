"""Retention: what an app no longer keeps is gone, its counts with it, and nothing else."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
from flask import Flask
from sqlalchemy.exc import DatabaseError, OperationalError

from app.config import Settings
from app.extensions import db
from app.ingest import upkeep
from app.store import folding, retention, summary
from app.store.keeping import GroupCommit
from app.store.outbox import Claim
from tests.store.test_rollups import (
    counted,
    counted_violations,
    fold,
    plain_tallies,
    plain_violations,
    row,
    rows_of,
)
from tests.world import Tenant, World

DEFAULT_DAYS = 90
CLAIM = Claim(1, "low", "forget_events", {}, 1, None, None, datetime.now(UTC))
KEYS = "app_id, at, event_name, verdict, platform, app_version"


@pytest.fixture
def group(flask_app: Flask, settings: Settings) -> GroupCommit:
    return GroupCommit(settings.ingest_database_url, most_rows=1000, deadline_seconds=5)


@pytest.fixture
def old_days(flask_app: Flask, owner: Any) -> Iterator[list[str]]:
    """Partitions of 100, 89 and 40 days ago, as they were made then."""
    names = []
    for days in (100, 89, 40):
        ((name, day),) = rows_of(
            owner,
            "SELECT 'log_entries_' || to_char(d, 'YYYYMMDD'), d::text"
            " FROM (SELECT (now() AT TIME ZONE 'UTC')::date - %s AS d) AS _",
            days,
        )
        with owner.cursor() as cursor:
            cursor.execute(
                f"CREATE TABLE {name} PARTITION OF log_entries FOR VALUES FROM ('{day} 00:00Z')"
                f" TO (timestamptz '{day} 00:00Z' + interval '24 hours')"
            )
        names.append(name)
    yield names
    with owner.cursor() as cursor:
        for name in names:
            cursor.execute(f"DROP TABLE IF EXISTS {name}")


def keep(group: GroupCommit, owner: Any, tenant: Tenant, chance: random.Random, days_ago: int) -> None:
    """Thirty events that came so many days ago, with their counts, as if that had been then."""
    rows = [
        row(tenant.app, chance, message_id=f"{tenant.app.id} {days_ago} {n}", event_name=f"on day {days_ago}")
        for n in range(30)
    ]
    group.keep(rows)
    with owner.cursor() as cursor:
        cursor.execute(
            "UPDATE log_entries SET received_at = received_at - make_interval(hours => %s)"
            " WHERE app_id = %s AND event_name = %s",
            [24 * days_ago, tenant.app.id, f"on day {days_ago}"],
        )
        for table in ("tally_deltas", "violation_deltas"):
            cursor.execute(
                f"UPDATE {table} SET quarter = quarter - make_interval(hours => %(h)s),"
                " first_at = first_at - make_interval(hours => %(h)s),"
                " last_at = last_at - make_interval(hours => %(h)s)",
                {"h": 24 * days_ago},
            )
    fold()


def reconcile(owner: Any) -> None:
    """Every counter is a count of the rows."""
    fold()
    for minutes in folding.MINUTES:
        assert counted("tallies", KEYS, minutes) == plain_tallies(owner, minutes)
    assert counted_violations() == dict(plain_violations(owner))


def days_of(owner: Any, tenant: Tenant) -> dict[int, int]:
    found = rows_of(
        owner,
        "SELECT (now() AT TIME ZONE 'UTC')::date - (received_at AT TIME ZONE 'UTC')::date, count(*)::int"
        " FROM log_entries WHERE app_id = %s GROUP BY 1",
        tenant.app.id,
    )
    return dict(found)


def choose(owner: Any, tenant: Tenant, days: int) -> None:
    with owner.cursor() as cursor:
        cursor.execute("UPDATE apps SET retention_days = %s WHERE id = %s", [days, tenant.app.id])


def partitions(owner: Any) -> set[str]:
    return {name for (name,) in rows_of(owner, "SELECT tablename FROM pg_tables WHERE tablename ~ '^log_'")}


def test_each_app_keeps_its_days_and_every_count_stays_a_count_of_rows(
    group: GroupCommit, world: World, owner: Any, old_days: list[str]
) -> None:
    chance = random.Random(1)
    for tenant in (world.alice, world.charlie):
        for days_ago in (0, 7, 40, 89, 100, 200):  # 7 and 200 have no partition of their own
            keep(group, owner, tenant, chance, days_ago)
    choose(owner, world.alice, 30)
    upkeep.forget_events(CLAIM)
    db.session.commit()
    assert days_of(owner, world.alice) == {0: 30, 7: 30}
    assert days_of(owner, world.charlie) == {0: 30, 7: 30, 40: 30, 89: 30}
    assert partitions(owner) & set(old_days) == set(old_days[1:])
    reconcile(owner)
    assert sum(summary.counts(world.alice.app)["verdicts"].values()) == 60
    assert sum(summary.counts(world.charlie.app)["verdicts"].values()) == 120
    assert rows_of(owner, "SELECT count(*) FROM events_seen WHERE event_name = 'on day 200'") == [(0,)]


def test_no_day_goes_that_one_app_still_keeps(
    group: GroupCommit, world: World, owner: Any, old_days: list[str]
) -> None:
    chance = random.Random(2)
    for tenant in (world.alice, world.charlie):
        keep(group, owner, tenant, chance, 100)
    choose(owner, world.charlie, 365)
    upkeep.forget_events(CLAIM)
    db.session.commit()
    assert set(old_days) <= partitions(owner)
    assert (days_of(owner, world.alice), days_of(owner, world.charlie)) == ({}, {100: 30})
    reconcile(owner)


def test_the_last_moment_of_the_oldest_day_is_kept_whole(
    group: GroupCommit, world: World, owner: Any
) -> None:
    keep(group, owner, world.alice, random.Random(3), DEFAULT_DAYS)
    keep(group, owner, world.alice, random.Random(3), DEFAULT_DAYS + 1)
    upkeep.forget_events(CLAIM)
    db.session.commit()
    assert days_of(owner, world.alice) == {DEFAULT_DAYS: 30}
    reconcile(owner)


def test_events_go_in_slices_and_the_counts_are_right_between_any_two(
    group: GroupCommit, world: World, owner: Any
) -> None:
    for days_ago in (0, 40):
        keep(group, owner, world.alice, random.Random(4), days_ago)
    choose(owner, world.alice, 30)
    slices = []
    while gone := retention.expire(DEFAULT_DAYS, most=8):
        db.session.commit()
        slices.append(gone)
        left = sum(days_of(owner, world.alice).values())
        assert sum(summary.counts(world.alice.app)["verdicts"].values()) == left
    assert slices == [8, 8, 8, 6]
    reconcile(owner)


def test_an_interrupted_drop_undoes_its_uncounting(
    group: GroupCommit, world: World, owner: Any, old_days: list[str], settings: Settings
) -> None:
    """Somebody reads the table: the drop gives up soon, rather than have every sender wait behind it."""
    keep(group, owner, world.alice, random.Random(5), 100)
    reader = psycopg2.connect(settings.migrate_database_url)
    with reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM log_entries")
        began = time.monotonic()
        with pytest.raises(OperationalError, match="lock timeout"):
            retention.drop_days(DEFAULT_DAYS)
        assert time.monotonic() - began < 4, "the role's own timeout is longer"
    db.session.rollback()
    reader.close()
    assert days_of(owner, world.alice) == {100: 30}
    reconcile(owner)


def test_the_apps_role_cannot_drop_what_some_app_keeps(world: World, owner: Any) -> None:
    choose(owner, world.charlie, 365)
    with pytest.raises(DatabaseError, match="some app keeps events"):
        db.session.execute(
            db.text(
                "SELECT drop_log_entries_before(date_trunc('day', now(), 'UTC') - interval '2400 hours', 90)"
            )
        )
    db.session.rollback()
