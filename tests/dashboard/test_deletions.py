"""Deleting by filter: within five minutes it can be undone, then a job does it in slices, and no figure is off."""

import hashlib
import random
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.extensions import db
from app.jobs import run
from app.jobs.queues import Queue
from app.store import deletions, summary, tenancy
from app.store.keeping import GroupCommit
from tests.store.test_rollups import (
    counted,
    counted_violations,
    fold,
    group,  # noqa: F401  (a fixture)
    plain_tallies,
    plain_violations,
    row,
    rows_of,
)
from tests.world import Tenant, World

TELLING = "SELECT action, actor, details->>'deleted' FROM audit_log WHERE kind = 'events' ORDER BY id"
LOST_SAMPLES = (
    "SELECT count(*) FROM violation_groups g, unnest(samples) s WHERE g.app_id = %s"
    " AND NOT EXISTS (SELECT FROM log_entries e WHERE e.event_id = s)"
)


def ask(client: FlaskClient, who: Tenant, query: str) -> TestResponse:
    return who.post(client, f"/api/apps/shop/deletions?{query}", {})


def undo(client: FlaskClient, who: Tenant, deletion_id: int) -> TestResponse:
    headers = {"Authorization": f"Bearer {who.api_key}"}
    return client.delete(f"/api/apps/shop/deletions/{deletion_id}", headers=headers)


def names(client: FlaskClient, who: Tenant) -> list[str]:
    return [event["name"] for event in who.get(client, "/api/apps/shop/events").get_json()["events"]]


def let_the_grace_pass(owner: Any) -> None:
    rows_of(owner, "UPDATE deletions SET starts_at = now() RETURNING id")
    rows_of(owner, "UPDATE outbox SET not_before = now() WHERE job = 'delete_events' RETURNING id")


def work() -> None:
    """As a worker of the queue does."""
    run.drain(Queue.LOW)


def test_what_passes_the_filter_goes_and_what_comes_later_stays(
    client: FlaskClient, world: World, owner: Any
) -> None:
    mine = {"event": "buy", "sessionId": "s1"}
    world.alice.send(client, [mine, {"event": "buy"}, {"event": "look", "sessionId": "s1"}])
    world.charlie.send(client, [mine])
    assert ask(client, world.alice, "session=s1&event=buy").status_code == 202
    world.alice.send(client, [mine | {"payload": {"later": True}}])
    work()
    assert len(names(client, world.alice)) == 4, "nothing goes before its time"
    let_the_grace_pass(owner)
    work()
    assert names(client, world.alice) == ["buy", "look", "buy"]
    assert names(client, world.charlie) == ["buy"]
    assert sum(summary.counts(world.alice.app)["verdicts"].values()) == 3
    (shown,) = world.alice.get(client, "/api/apps/shop/deletions").get_json()["deletions"]
    assert (shown["deleted"], shown["filters"]["session"]) == (1, "s1")
    assert rows_of(owner, TELLING) == [("deletion_begun", "key", None), ("deleted", "system", "1")]
    assert undo(client, world.alice, shown["id"]).status_code == 409


def test_within_its_grace_it_can_be_undone(client: FlaskClient, world: World, owner: Any) -> None:
    world.alice.send(client, [{"event": "buy"}])
    deletion_id = ask(client, world.alice, "all=true").get_json()["id"]
    assert undo(client, world.charlie, deletion_id).status_code == 404
    assert undo(client, world.alice, deletion_id).status_code == 204
    let_the_grace_pass(owner)
    work()
    assert names(client, world.alice) == ["buy"]
    assert world.alice.get(client, "/api/apps/shop/deletions").get_json() == {"deletions": []}
    assert undo(client, world.alice, deletion_id).get_json()["code"] == "too_late"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 422, "no_filter"),
        ("all=yes", 422, "no_filter"),
        ("limit=5", 422, "no_filter"),
        ("verdict=bad", 400, "bad_filter"),
    ],
)
def test_nothing_is_deleted_by_a_slip(
    client: FlaskClient, world: World, owner: Any, query: str, status: int, code: str
) -> None:
    answer = ask(client, world.alice, query)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert rows_of(owner, "SELECT count(*) FROM deletions") == [(0,)]


@pytest.mark.parametrize(("sent_as", "asked_as"), [("identity", "identity"), ("deviceId", "device")])
def test_somebody_is_erased_from_events_counts_and_every_record_of_it(
    client: FlaskClient, world: World, owner: Any, sent_as: str, asked_as: str
) -> None:
    theirs = {"event": "buy", sent_as: "ada@example.org"}
    world.alice.send(client, [theirs, theirs | {"event": "look"}, {"event": "buy", sent_as: "bob"}])
    world.charlie.send(client, [theirs])
    fold()
    answer = ask(client, world.alice, f"{asked_as}=ada@example.org")
    assert answer.get_json()["filters"][asked_as] == "ada@example.org", "until it is done it can be read"
    let_the_grace_pass(owner)
    work()
    assert names(client, world.alice) == ["buy"]
    assert names(client, world.charlie) == ["buy"]
    fold()
    keys = "app_id, at, event_name, verdict, platform, app_version"
    assert counted("tallies", keys, 15) == plain_tallies(owner, 15)
    veiled = "sha256:" + hashlib.sha256(b"ada@example.org").hexdigest()[:16]
    (shown,) = world.alice.get(client, "/api/apps/shop/deletions").get_json()["deletions"]
    assert (shown["deleted"], shown["filters"][asked_as]) == (2, veiled)
    told = rows_of(owner, "SELECT details->>'filters' FROM audit_log WHERE kind = 'events' ORDER BY id")
    assert [veiled in filters and "ada" not in filters for (filters,) in told] == [True, True]


@pytest.mark.parametrize("seed", [1, 2])
def test_slices_add_up_and_every_figure_stays_a_count_of_rows(
    group: GroupCommit,  # noqa: F811
    client: FlaskClient,
    world: World,
    owner: Any,
    seed: int,
) -> None:
    chance = random.Random(seed)
    for _ in range(6):
        group.keep([row(chance.choice([world.alice.app, world.charlie.app]), chance) for _ in range(40)])
    fold()  # so that samples are of what is to go, too
    app = world.alice.app
    passing = f"SELECT count(*) FROM log_entries WHERE app_id = {app.id} AND verdict = 'invalid' AND platform = 'ios'"
    ((wanted,),) = rows_of(owner, passing)
    ((before,),) = rows_of(owner, "SELECT count(*) FROM log_entries")
    deletion_id = ask(client, world.alice, "verdict=invalid&platform=ios").get_json()["id"]
    let_the_grace_pass(owner)
    steps = 0
    with tenancy.inside(app.organisation_id):
        while deletions.step(app.organisation_id, deletion_id, rows=7):
            db.session.commit()
            steps += 1
        db.session.commit()
    assert steps > 10
    assert rows_of(owner, passing) == [(0,)]
    assert rows_of(owner, "SELECT count(*) FROM log_entries") == [(before - wanted,)]
    assert rows_of(owner, "SELECT deleted FROM deletions") == [(wanted,)]
    fold()
    keys = "app_id, at, event_name, verdict, platform, app_version"
    assert counted("tallies", keys, 15) == plain_tallies(owner, 15)
    assert counted_violations() == dict(plain_violations(owner))
    assert rows_of(owner, LOST_SAMPLES, app.id) == [(0,)], "a sample is an event that is there"
