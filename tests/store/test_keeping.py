"""The group commit under faults: what is answered is committed, what is not may be sent again."""

from typing import Any

import gevent
import psycopg2
import pytest
import uuid_utils
from flask import Flask

from app import metrics
from app.config import Settings
from app.errors import Refusal
from app.store import keeping
from app.store.keeping import GroupCommit, Outcome, Row, Status
from tests.conftest import DATABASE


def row(message_id: str, payload: str = "{}", event_id: str | None = None) -> Row:
    return Row(
        event_id=event_id or str(uuid_utils.uuid7()),
        app_id=1,
        organisation_id=1,
        message_id=message_id,
        event_name="e",
        verdict="valid",
        plan_version=None,
        platform=None,
        app_version=None,
        environment=None,
        session_id=None,
        device_id=None,
        identity=None,
        run_id=None,
        occurred_at=None,
        sent_at=None,
        digest="00",
        violations="[]",
        violations_omitted=0,
        payload=payload,
        envelope="{}",
    )


@pytest.fixture
def group(flask_app: Flask, settings: Settings) -> GroupCommit:
    return GroupCommit(settings.ingest_database_url, most_rows=100, deadline_seconds=3)


def kept(owner: Any) -> list[str]:
    with owner.cursor() as cursor:
        cursor.execute("SELECT message_id FROM log_entries ORDER BY message_id")
        return [value for (value,) in cursor]


@pytest.fixture
def killer(owner: Any, operator: Any) -> Any:
    """Ends the flusher's connection from outside, with the operator's rights."""
    connection = psycopg2.connect(operator["admin_dsn"])
    connection.autocommit = True

    def kill() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = %s AND application_name = 'live-validation flusher'",
                [DATABASE],
            )
            return cursor.fetchone()[0]

    yield kill
    connection.close()


def test_rows_that_wait_together_share_a_commit(group: GroupCommit, owner: Any) -> None:
    before = metrics.COMMIT_ROWS._sum.get(), commits()
    group.keep([row("first")])
    senders = [gevent.spawn(group.keep, [row(f"{n:02}")]) for n in range(40)]
    gevent.joinall(senders, raise_error=True)
    assert metrics.COMMIT_ROWS._sum.get() - before[0] == 41
    assert commits() - before[1] < 10
    assert len(kept(owner)) == 41


def commits() -> float:
    return sum(bucket.get() for bucket in metrics.COMMIT_ROWS._buckets)


def test_a_lost_connection_is_made_anew_and_nothing_is_lost(
    group: GroupCommit, owner: Any, killer: Any
) -> None:
    group.keep([row("before")])
    assert killer() >= 1
    assert group.keep([row("after")])[0].status is Status.STORED
    assert kept(owner) == ["after", "before"]


def test_a_commit_whose_answer_was_lost_is_found_by_its_ids(group: GroupCommit, owner: Any) -> None:
    """The second try of the same row, as after a connection that broke between commit and answer."""
    lost = row("a")
    first = group.keep([lost])
    assert group.keep([lost]) == first == [Outcome(Status.STORED, lost.event_id)]
    assert kept(owner) == ["a"]


def test_a_lock_that_lasts_is_answered_busy_and_the_retry_is_kept(
    flask_app: Flask, settings: Settings, owner: Any
) -> None:
    group = GroupCommit(settings.ingest_database_url, most_rows=100, deadline_seconds=0.5)
    blocker = psycopg2.connect(settings.migrate_database_url)
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE message_ids IN ACCESS EXCLUSIVE MODE")
    with pytest.raises(Refusal) as refused:
        group.keep([row("a")])
    assert (refused.value.code, refused.value.status) == ("busy", 503)
    assert int(refused.value.headers["Retry-After"]) > 0
    blocker.rollback()
    blocker.close()
    patient = GroupCommit(settings.ingest_database_url, most_rows=100, deadline_seconds=10)
    assert patient.keep([row("a")])[0].status in (Status.STORED, Status.DUPLICATE)
    assert kept(owner) == ["a"]


def test_a_full_buffer_refuses_at_once(group: GroupCommit, owner: Any) -> None:
    with pytest.raises(Refusal) as refused:
        group.keep([row(str(n)) for n in range(101)])
    assert refused.value.code == "busy"
    assert group.keep([row("a")])[0].status is Status.STORED
    assert kept(owner) == ["a"]


def test_no_database_is_busy_not_broken(flask_app: Flask) -> None:
    group = GroupCommit("postgresql://nobody@/nothing?host=/nowhere", most_rows=10, deadline_seconds=0.3)
    with pytest.raises(Refusal) as refused:
        group.keep([row("a")])
    assert refused.value.status == 503


@pytest.mark.parametrize("poison", ["{broken", '{"a": "\x00"}'], ids=["json", "nul"])
def test_a_poisoned_row_stands_alone(group: GroupCommit, owner: Any, poison: str) -> None:
    rows = [row(f"{n:02}", payload=poison if n in (3, 11) else "{}") for n in range(20)]
    statuses = [outcome.status for outcome in group.keep(rows)]
    assert statuses == [Status.REJECTED if n in (3, 11) else Status.STORED for n in range(20)]
    assert len(kept(owner)) == 18


def test_a_conflict_names_the_first(group: GroupCommit) -> None:
    (first,) = group.keep([row("a")])
    (again,) = group.keep([row("a")])
    (other,) = group.keep([row("a")._replace(digest="ff")])
    assert [first.status, again.status, other.status] == [Status.STORED, Status.DUPLICATE, Status.CONFLICT]
    assert first.event_id == again.event_id == other.event_id


def test_nothing_to_keep_asks_nobody(flask_app: Flask) -> None:
    assert keeping.keep([]) == []


def test_statements_are_prepared_once_per_connection(group: GroupCommit, owner: Any) -> None:
    """Planned once: a commit of one event spends half its time on planning otherwise."""
    for message_id in ("a", "b", "c"):
        group.keep([row(message_id)])
    with group._connected().cursor() as cursor:
        cursor.execute("SELECT name, generic_plans, custom_plans FROM pg_prepared_statements ORDER BY name")
        assert list(cursor) == [("keep", 0, 0), ("keep_flawless", 3, 0)]
