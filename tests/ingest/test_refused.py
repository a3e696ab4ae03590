"""What was refused can be seen: counted by day, a few samples of each reason, by its own organisation alone."""

from typing import Any

import orjson
import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from app.extensions import db
from app.ingest import upkeep
from app.ingest.body import EXCERPT_BYTES
from app.ingest.refused import MOST_WAITING, Refused
from app.store import refused as kept
from tests.world import Tenant, World


@pytest.fixture
def noted(flask_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Samples that are written when the test says so."""
    fresh = Refused(flask_app)
    monkeypatch.setattr(fresh, "_write_for_ever", lambda: None)
    monkeypatch.setitem(flask_app.extensions, "refused", fresh)
    return fresh


def shown(client: FlaskClient, tenant: Tenant) -> Any:
    answer = tenant.get(client, "/api/apps/shop/refused")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def test_a_refused_request_is_shown_with_its_reason_and_beginning(
    client: FlaskClient, world: World, noted: Refused
) -> None:
    body = b'{"eventName": "h\xc3\xa9llo", ' + b"x" * 2_000
    refusal = world.alice.send(client, body, **{"X-Request-Id": "ab" * 16})
    noted.write()
    found = shown(client, world.alice)
    assert found["counts"] == {"bad_json": 1}
    (sample,) = found["samples"]
    assert (sample["reason"], sample["status"]) == ("bad_json", 400)
    assert sample["message"] == refusal.get_json()["message"]
    assert sample["excerpt"] == body[:EXCERPT_BYTES].decode()
    assert (sample["bytes"], sample["request_id"]) == (len(body), "ab" * 16)
    assert world.alice.write_key.startswith(sample["key"])
    assert shown(client, world.charlie) == {"counts": {}, "samples": []}


def test_a_rejected_event_of_a_batch_is_shown_and_its_neighbours_are_not(
    client: FlaskClient, world: World, noted: Refused
) -> None:
    lines = b'{"event": "good"}\n{"event": "bad", \x00}\n{"payload": {"a": 1}}\n'
    assert world.alice.send(client, lines).get_json()["rejected"] == 2
    noted.write()
    found = shown(client, world.alice)
    samples = {s["reason"]: (s["status"], s["excerpt"], s["bytes"]) for s in found["samples"]}
    assert samples == {
        "bad_json": (200, '{"event": "bad", \N{REPLACEMENT CHARACTER}}', None),
        "no_event_name": (200, '{"payload":{"a":1}}', 19),
    }


def test_a_flood_is_counted_whole_and_sampled_once_a_second(
    client: FlaskClient, world: World, noted: Refused
) -> None:
    for second in range(kept.SLOTS + 3):
        for n in range(5):
            world.alice.send(client, b"broken %d %d" % (second, n))
        noted.write()
    found = shown(client, world.alice)
    assert found["counts"] == {"bad_json": 5 * (kept.SLOTS + 3)}
    assert [s["excerpt"] for s in found["samples"]] == [f"broken {n} 0" for n in range(kept.SLOTS + 2, 2, -1)]


def test_an_attack_on_many_apps_fills_no_memory(client: FlaskClient, world: World, noted: Refused) -> None:
    noted._samples = dict.fromkeys(((-n, "x") for n in range(1, MOST_WAITING + 1)), None)  # type: ignore[arg-type]
    assert world.alice.send(client, b"broken").status_code == 400
    assert len(noted._samples) == MOST_WAITING


def test_a_request_without_a_known_key_is_nobodys_sample(
    client: FlaskClient, world: World, noted: Refused
) -> None:
    client.post("/api/logs/shop", data=b"{}")
    client.post("/api/logs/shop", data=b"{}", headers={"Authorization": "Bearer lvw_" + "0" * 32})
    noted.write()
    assert shown(client, world.alice)["counts"] == shown(client, world.charlie)["counts"] == {}


def test_a_database_that_is_away_costs_the_samples_and_no_answer(
    client: FlaskClient, world: World, noted: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_samples: Any) -> None:
        raise OperationalError("", {}, Exception())

    monkeypatch.setattr(kept, "add", away)
    assert world.alice.send(client, b"broken").status_code == 400
    noted.write()
    monkeypatch.undo()
    assert shown(client, world.alice)["counts"] == {}


def test_after_a_week_it_is_forgotten(
    client: FlaskClient, world: World, noted: Refused, owner: psycopg2.extensions.connection
) -> None:
    world.alice.send(client, b"broken")
    world.alice.send(client, b"")
    noted.write()
    with owner.cursor() as cursor:
        for table, moment in (("refusal_samples", "refused_at"), ("refusal_tallies", "day")):
            cursor.execute(
                f"UPDATE {table} SET {moment} = now() - interval '9 days' WHERE reason = 'bad_json'"
            )
    upkeep.forget_refused(None)  # type: ignore[arg-type]
    db.session.commit()
    found = shown(client, world.alice)
    assert found["counts"] == {"empty_body": 1}
    assert [s["reason"] for s in found["samples"]] == ["empty_body"]


def test_a_refused_upload_is_shown_too(client: FlaskClient, world: World, noted: Refused) -> None:
    csv = b"colour,size\nred,3\n"
    assert world.alice.send(client, csv, "/api/logs/shop/batches").get_json()["code"] == "bad_header"
    noted.write()
    (sample,) = shown(client, world.alice)["samples"]
    assert (sample["reason"], sample["status"], sample["excerpt"]) == ("bad_header", 400, None)


def test_a_good_request_costs_nothing(client: FlaskClient, world: World, noted: Refused) -> None:
    world.alice.send(client, orjson.dumps({"event": "good"}))
    assert noted._samples == {}
