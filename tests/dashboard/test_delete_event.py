"""DELETE /api/apps/<app_id>/events/<event_id>: gone from the rows, from every count, and not back by a retry."""

import random
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.config import Settings
from app.store import events, summary
from app.store.keeping import GroupCommit
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

SHEET = b"eventName,eventPayload,dataType\nbuy,price,number\n"
EVENT = {"event": "buy", "messageId": "once", "payload": {"price": "3"}}
NEVER = "0190b0c0-0000-7000-8000-000000000000"


def delete(client: FlaskClient, who: Tenant, event_id: str) -> TestResponse:
    headers = {"Authorization": f"Bearer {who.api_key}"}
    return client.delete(f"/api/apps/shop/events/{event_id}", headers=headers)


def send(client: FlaskClient, world: World) -> dict[str, Any]:
    (result,) = world.alice.send(client, [EVENT]).get_json()["results"]
    return result


def test_a_deleted_event_is_gone_and_a_line_of_the_log_says_who_did_it(
    client: FlaskClient, world: World, owner: Any
) -> None:
    event_id = send(client, world)["event_id"]
    assert delete(client, world.alice, event_id).status_code == 204
    assert world.alice.get(client, f"/api/apps/shop/events/{event_id}").status_code == 404
    assert world.alice.get(client, "/api/apps/shop/events").get_json()["events"] == []
    assert summary.counts(world.alice.app)["verdicts"] == summary.NO_EVENTS
    lines = rows_of(owner, "SELECT kind, object, details FROM audit_log WHERE action = 'deleted'")
    assert lines == [("event", event_id, {"app": "shop", "name": "buy"})]
    again = delete(client, world.alice, event_id)
    assert (again.status_code, again.get_json()["code"]) == (404, "unknown_event")


def test_a_retry_of_what_was_deleted_is_a_duplicate(client: FlaskClient, world: World) -> None:
    first = send(client, world)
    delete(client, world.alice, first["event_id"])
    again = send(client, world)
    assert (again["status"], again["event_id"]) == ("duplicate", first["event_id"])
    assert world.alice.get(client, "/api/apps/shop/events").get_json()["events"] == []


@pytest.mark.parametrize("event_id", [NEVER, "x", "1", f"{NEVER}0", NEVER.upper()])
def test_what_is_not_there_cannot_be_deleted(client: FlaskClient, world: World, event_id: str) -> None:
    answer = delete(client, world.alice, event_id)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_event")


def test_nobody_deletes_what_is_anothers(client: FlaskClient, world: World) -> None:
    event_id = send(client, world)["event_id"]
    assert delete(client, world.charlie, event_id).status_code == 404
    assert world.alice.get(client, f"/api/apps/shop/events/{event_id}").status_code == 200


@pytest.mark.parametrize("seed", [1, 2])
def test_every_count_is_one_of_rows_after_deletions(
    client: FlaskClient, settings: Settings, world: World, owner: Any, seed: int
) -> None:
    """Events of all kinds, some deleted before they were folded and some after."""
    chance = random.Random(seed)
    group = GroupCommit(settings.ingest_database_url, most_rows=1000, deadline_seconds=5)
    for _ in range(4):
        rows = [row(world.alice.app, chance, message_id=f"{chance.random()}") for _ in range(30)]
        group.keep(rows)
        if chance.random() < 0.5:
            fold()
        for one in chance.sample(rows, 10):
            assert delete(client, world.alice, one.event_id).status_code == 204
    fold()
    assert rows_of(owner, "SELECT count(*) FROM log_entries") == [(80,)]
    for minutes in (15, 60, 1440):
        keys = "app_id, at, event_name, verdict, platform, app_version"
        assert counted("tallies", keys, minutes) == plain_tallies(owner, minutes)
    assert counted_violations() == dict(plain_violations(owner))


def test_a_deleted_event_is_no_sample_of_a_violation(client: FlaskClient, world: World, owner: Any) -> None:
    world.alice.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", SHEET)
    event_id = send(client, world)["event_id"]
    fold()
    samples = "SELECT samples::text[] FROM violation_groups"
    assert rows_of(owner, samples) == [([event_id],)]
    delete(client, world.alice, event_id)
    assert rows_of(owner, samples) in ([([],)], [])
    assert events.find(world.alice.app.id, event_id) is None
