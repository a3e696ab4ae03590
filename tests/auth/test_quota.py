"""Quotas: refused at the boundary however many processes send, warned of once a month, and never by a silent drop."""

import random
import time
from dataclasses import replace
from typing import Any

import gevent
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.auth.quota import Quotas
from app.config import Settings
from app.errors import Refusal
from app.jobs.queues import Queue
from app.store import apps, tenancy, usage
from app.store.keeping import GroupCommit
from tests.auth.visitor import Mailbox, Visitor, do_jobs
from tests.conftest import eventually
from tests.store.test_rollups import fold, group, row, rows_of  # noqa: F401  (group: a fixture)
from tests.world import World

QUOTA = 2_000


def limit(owner: Any, credits: int | None, *, refuses: bool = True) -> None:
    with owner.cursor() as cursor:
        cursor.execute("UPDATE organisations SET quota_credits = %s, quota_refuses = %s", (credits, refuses))


def sender_of(world: World) -> apps.Sender:
    return apps.Sender(world.alice.app, 1, "explain", None, (), False, False, QUOTA, True)


def stored(owner: Any) -> int:
    ((count,),) = rows_of(owner, "SELECT count(*) FROM log_entries")
    return count


@pytest.mark.parametrize("size", [1, 20])
def test_eight_workers_together_store_the_quota_within_five_percent(
    flask_app: Flask, world: World, owner: Any, settings: Settings, size: int
) -> None:
    sender = sender_of(world)
    chance = random.Random(size)

    def send(quotas: Quotas, group: GroupCommit) -> None:  # noqa: F811
        refused, ends_at = 0, time.monotonic() + 40
        with flask_app.app_context():
            tenancy.enter(sender.app.organisation_id)
            while refused < 3 and time.monotonic() < ends_at:
                rows = [row(sender.app, chance, message_id=f"{chance.random()}") for _ in range(size)]
                try:
                    with quotas.spending(sender, size):
                        group.keep(rows)
                except Refusal as refusal:
                    if refusal.code != "quota_exceeded":
                        raise
                    refused += 1
                    gevent.sleep(0.6)

    workers = [
        gevent.spawn(send, quotas, GroupCommit(settings.ingest_database_url, 1000, 5))
        for quotas in [Quotas(0, 1) for _ in range(8)]
        for _ in range(2)
    ]
    gevent.joinall(workers, raise_error=True)
    assert QUOTA * 0.95 <= stored(owner) <= QUOTA * 1.05


def test_below_the_quota_a_process_asks_now_and_then_and_not_per_event(world: World) -> None:
    asked = []
    quotas = Quotas(0, 1, taken=lambda _: asked.append(1) or 0)
    for _ in range(1_000):
        with quotas.spending(sender_of(world), 1):
            pass
    assert len(asked) <= 1_000 // (QUOTA // 320) + 1
    beyond = replace(sender_of(world), quota_refuses=False)
    asked.clear()
    with quotas.spending(beyond, 10**9):
        pass
    assert not asked, "who refuses nothing asks nothing"


def test_what_goes_beyond_the_quota_is_refused_whole_and_told(
    client: FlaskClient, world: World, owner: Any
) -> None:
    limit(owner, 10)
    assert world.alice.send(client, [{"event": "a"}] * 8).status_code == 200
    answer = world.alice.send(client, [{"event": "a"}] * 3)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "quota_exceeded")
    assert "2 more events fit" in answer.get_json()["message"]
    assert 0 < int(answer.headers["Retry-After"]) <= 31 * 86_400
    assert stored(owner) == 8
    eventually(lambda: world.alice.send(client, [{"event": "a"}] * 2).status_code == 200, 5)
    upload = world.alice.send(client, b'{"event": "a"}\n{"event": "b"}', "/api/logs/shop/batches")
    assert (upload.status_code, upload.get_json()["code"]) == (429, "quota_exceeded")
    assert world.alice.send(client, {"event": "a"}, "/api/logs/shop/validate").status_code == 200
    limit(owner, 10, refuses=False)
    eventually(lambda: world.alice.send(client, {"event": "a"}).status_code == 200, 5)
    limit(owner, None)
    assert world.alice.send(client, {"event": "a"}).status_code == 200, "the default is none"


def test_deleting_gives_no_quota_back_and_a_duplicate_costs_none(
    client: FlaskClient, world: World, owner: Any
) -> None:
    limit(owner, 3)
    event = {"event": "a", "messageId": "once"}
    event_id = world.alice.send(client, event).get_json()["results"][0]["event_id"]
    for _ in range(5):
        assert world.alice.send(client, event).get_json()["duplicates"] == 1
    headers = {"Authorization": f"Bearer {world.alice.api_key}"}
    assert client.delete(f"/api/apps/shop/events/{event_id}", headers=headers).status_code == 204
    assert usage.taken(world.alice.organisation_id) == 1
    fold()
    assert usage.taken(world.alice.organisation_id) == 1


def test_owners_are_warned_at_eighty_and_at_a_hundred_percent_once_a_month(
    flask_app: Flask, mailbox: Mailbox, owner: Any, settings: Settings
) -> None:
    alice = Visitor(flask_app, mailbox).join()
    key = alice.post("/api/apps", {"name": "Shop", "app_id": "shop"}).get_json()["write_key"]
    limit(owner, 10, refuses=False)

    def send(count: int) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        answer = flask_app.test_client().post(
            "/api/logs/shop", json=[{"event": "a"}] * count, headers=headers
        )
        assert answer.status_code == 200

    def warned() -> list[str]:
        rows_of(owner, "INSERT INTO outbox (queue, job) VALUES ('low', 'watch_quotas') RETURNING id")
        do_jobs(flask_app, Queue.LOW)
        do_jobs(flask_app, Queue.CRITICAL)
        do_jobs(flask_app, Queue.CRITICAL)
        mails = [mail for mail in mailbox(alice.email) if mail["subject"] == "Your quota is nearly used up"]
        return [
            part for mail in reversed(mails) for part in ("80 %", "100 %") if f"used {part}" in mail["text"]
        ]

    send(7)
    assert warned() == []
    send(1)
    assert warned() == ["80 %"]
    assert warned() == ["80 %"], "once"
    send(5)
    assert warned() == ["80 %", "100 %"]
    assert warned() == ["80 %", "100 %"]
    rows_of(owner, "UPDATE organisations SET quota_told = '2001-01 100' RETURNING id")
    assert warned() == ["80 %", "100 %", "100 %"], "a new month begins anew"
