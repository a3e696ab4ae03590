"""POST /api/logs: what is answered is kept; what cannot be kept is refused with its reason, and harms nobody."""

import base64
import gzip
from typing import Any

import gevent
import orjson
import psycopg2
import pytest
import zstandard
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from tests.world import World

ZSTD = zstandard.ZstdCompressor()
GOOD = {"eventName": "opened", "messageId": "good", "payload": {"a": 1}}
DEEP = orjson.loads(b'{"eventName":"deep","payload":' + b'{"a":' * 32 + b"1" + b"}" * 33)


def kept(owner: psycopg2.extensions.connection, what: str = "message_id") -> list[Any]:
    with owner.cursor() as cursor:
        cursor.execute(f"SELECT {what} FROM log_entries ORDER BY event_id")
        return [value for (value,) in cursor]


def test_one_event_is_answered_with_its_verdict_and_is_committed(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection
) -> None:
    answer = world.alice.send(client, GOOD)
    assert answer.status_code == 200
    body = answer.get_json()
    (result,) = body.pop("results")
    assert body == {
        "accepted": 1,
        "rejected": 0,
        "duplicates": 0,
        "conflicts": 0,
        "plan_version": None,
    }
    assert (result["index"], result["status"], result["verdict"]) == (0, "stored", "unplanned")
    assert result["violations"][0]["kind"] == "unplanned_event"
    assert kept(owner, "event_id::text") == [result["event_id"]]
    assert kept(owner, "payload") == [{"a": 1}]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer {key}"},
        {"X-API-Key": "{key}", "Authorization": ""},
        {"Authorization": "Basic {basic}"},
    ],
    ids=["bearer", "header", "basic"],
)
@pytest.mark.parametrize("path", ["/api/logs", "/api/logs/shop"])
def test_the_key_may_come_in_three_ways(
    client: FlaskClient, world: World, headers: dict[str, str], path: str
) -> None:
    key = world.alice.write_key
    basic = base64.b64encode(f"{key}:".encode()).decode()
    given = {name: value.format(key=key, basic=basic) for name, value in headers.items() if value}
    answer = client.post(path, data=orjson.dumps(GOOD), headers=given)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "body",
    [
        orjson.dumps([GOOD, {"event": "b", "messageId": "b"}]),
        orjson.dumps({"batch": [GOOD, {"event": "b", "messageId": "b"}]}),
        orjson.dumps(GOOD) + b"\n" + b'{"event":"b","messageId":"b"}\n',
        b"noise\nEvent Payload: " + orjson.dumps(GOOD) + b'\nEvent Payload: {"event":"b","messageId":"b"}',
    ],
    ids=["array", "batch", "ndjson", "text lines"],
)
@pytest.mark.parametrize("packing", ["plain", "gzip", "zstd", "zstd in two frames"])
def test_every_format_is_kept_in_order(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection, body: bytes, packing: str
) -> None:
    packed = {
        "plain": body,
        "gzip": gzip.compress(body),
        "zstd": ZSTD.compress(body),
        "zstd in two frames": ZSTD.compress(body[:7]) + ZSTD.compress(body[7:]),
    }[packing]
    headers = {} if packing == "plain" else {"Content-Encoding": packing[:4]}
    answer = world.alice.send(client, packed, **headers)
    assert [r["status"] for r in answer.get_json()["results"]] == ["stored", "stored"]
    assert kept(owner) == ["good", "b"]


def test_a_retry_is_kept_once_and_another_payload_is_a_conflict(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection
) -> None:
    first = world.alice.send(client, GOOD).get_json()["results"][0]
    retry = world.alice.send(client, {**GOOD, "retry": 1}).get_json()
    other = world.alice.send(client, {**GOOD, "payload": {"a": 2}}).get_json()
    assert retry["results"][0]["status"] == "duplicate"
    assert retry["duplicates"] == 1
    assert other["results"][0]["status"] == "conflict"
    assert other["conflicts"] == 1
    assert {first["event_id"]} == {retry["results"][0]["event_id"], other["results"][0]["event_id"]}
    assert kept(owner, "payload") == [{"a": 1}]


def test_twins_in_one_batch_are_kept_once(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection
) -> None:
    results = world.alice.send(client, [GOOD, GOOD, {**GOOD, "payload": {}}]).get_json()["results"]
    assert [r["status"] for r in results] == ["stored", "duplicate", "conflict"]
    assert kept(owner) == ["good"]


def test_the_same_id_in_another_app_is_another_event(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection
) -> None:
    assert world.alice.send(client, GOOD).get_json()["accepted"] == 1
    assert world.charlie.send(client, GOOD).get_json()["accepted"] == 1
    assert len(kept(owner)) == 2


def test_without_an_id_a_proxys_second_try_is_kept_once(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection
) -> None:
    again = {"X-Request-Id": "0123456789abcdef0123456789abcdef"}
    batch = [{"event": "a"}, {"event": "a"}]
    world.alice.send(client, batch, **again)
    assert world.alice.send(client, batch, **again).get_json()["duplicates"] == 2
    assert len(kept(owner)) == 2
    world.alice.send(client, batch)
    assert len(kept(owner)) == 4


def test_thirty_two_senders_of_one_id_keep_it_once(
    flask_app: Flask, world: World, owner: psycopg2.extensions.connection
) -> None:
    def send() -> str:
        return world.alice.send(flask_app.test_client(), GOOD).get_json()["results"][0]["status"]

    senders = [gevent.spawn(send) for _ in range(32)]
    gevent.joinall(senders, raise_error=True)
    assert sorted(g.value for g in senders) == ["duplicate"] * 31 + ["stored"]
    assert kept(owner) == ["good"]


# What a whole request is refused for: the body, and the code and status of the answer.
REFUSED: dict[str, tuple[Any, str, int]] = {
    "empty": (b"", "empty_body", 400),
    "blank": (b" \n", "empty_body", 400),
    "broken": (b'{"eventName": "a"', "bad_json", 400),
    "NaN": (b'{"eventName":"a","payload":{"x":NaN}}', "bad_json", 400),
    "33 levels": (DEEP, "too_deep", 400),
    "100,000 brackets": (b"[" * 100_000, "too_deep", 400),
    "lone surrogate": (b'{"eventName":"a","payload":{"x":"\\ud800"}}', "bad_string", 400),
    "NUL": (b'{"eventName":"a","payload":{"x":"\\u0000"}}', "bad_string", 400),
    "2 MB event": ({"eventName": "a", "payload": {"x": "y" * 2_000_000}}, "too_large", 413),
    "body over the limit": (b" " * (5 * 1024 * 1024 + 1), "too_large", 413),
    "1,001 events": ([{"event": "a"}] * 1001, "too_large", 413),
    "no name": ({"payload": {}}, "no_event_name", 400),
    "payload is a list": ({"event": "a", "payload": []}, "bad_payload", 400),
    "scalar": (b"17", "bad_json", 400),
    "latin-1": ('{"eventName":"é"}'.encode("latin-1"), "bad_json", 400),
}


def refusals_counted(reason: str) -> float:
    return REGISTRY.get_sample_value("lvd_refusals_total", {"reason": reason}) or 0.0


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_with_a_stable_code_and_counted(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection, case: str
) -> None:
    body, code, status = REFUSED[case]
    before = refusals_counted(code)
    answer = world.alice.send(client, body)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert answer.get_json()["message"]
    assert refusals_counted(code) == before + 1
    assert kept(owner) == []


@pytest.mark.parametrize(
    ("headers", "body", "code", "status"),
    [
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", "unsupported_media_type", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=1", "unsupported_media_type", 415),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"\0" * 50_000_000), "too_large", 413),
        ({"Content-Encoding": "gzip"}, b"not gzip", "bad_encoding", 400),
        ({"Content-Encoding": "zstd"}, ZSTD.compress(b"\0" * 50_000_000), "too_large", 413),
        ({"Content-Encoding": "zstd"}, b"not zstd", "bad_encoding", 400),
        ({"Content-Encoding": "zstd"}, ZSTD.compress(orjson.dumps(GOOD))[:-3], "bad_encoding", 400),
        ({"Content-Encoding": "gzip, gzip"}, b"x", "unsupported_media_type", 415),
        ({"Content-Encoding": "br"}, b"x", "unsupported_media_type", 415),
    ],
    ids=[
        "multipart",
        "form",
        "gzip bomb",
        "broken gzip",
        "zstd bomb",
        "broken zstd",
        "torn zstd",
        "stacked",
        "brotli",
    ],
)
def test_bad_packing_is_refused(
    client: FlaskClient, world: World, headers: dict[str, str], body: bytes, code: str, status: int
) -> None:
    answer = world.alice.send(client, body, **headers)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_a_key_opens_only_its_own_app(client: FlaskClient, world: World) -> None:
    def refused(path: str, **headers: str) -> tuple[int, str]:
        answer = client.post(path, data=orjson.dumps(GOOD), headers=headers)
        return answer.status_code, answer.get_json()["code"]

    bearer = {"Authorization": f"Bearer {world.alice.write_key}"}
    assert refused("/api/logs/shop") == (401, "missing_key")
    assert refused("/api/logs/shop", Authorization="Bearer lvw_" + "0" * 32) == (401, "bad_key")
    assert refused("/api/logs/shop", Authorization="Bearer nonsense") == (401, "bad_key")
    assert refused("/api/logs/nosuchapp", **bearer) == (404, "unknown_app")
    assert refused(f"/api/logs/shop?key={world.alice.write_key}", **bearer) == (400, "key_in_url")
    assert refused("/api/logs/shop", Authorization=f"Bearer {world.alice.api_key}") == (401, "bad_key")


def test_a_bad_event_harms_no_neighbour_in_its_batch(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection
) -> None:
    bad = {
        "too_deep": DEEP,
        "too_large": {"event": "a", "payload": {"x": "y" * 70_000}},
        "bad_payload": {"event": "a", "payload": 3},
        "no_event_name": {"payload": {}},
        "not_an_object": 17,
        "too_many_keys": {"event": "a", "payload": {str(n): n for n in range(2001)}},
        "name_too_long": {"event": "a" * 300},
        "bad_message_id": {"event": "a", "messageId": []},
    }
    batch = [
        item
        for n, value in enumerate(bad.values())
        for item in (value, {"event": "ok", "messageId": f"ok-{n}"})
    ]
    strings = b'{"event":"a","payload":{"x":"\\ud800"}},{"event":"a","payload":{"x":"\\u0000"}}'
    body = b"[" + strings + b"," + orjson.dumps(batch)[1:]
    answer = world.alice.send(client, body)
    assert answer.status_code == 200
    results = answer.get_json()["results"]
    assert [r["reason"] for r in results if r["status"] == "rejected"] == ["bad_string", "bad_string", *bad]
    assert all(r["verdict"] is None and r["message"] for r in results if r["status"] == "rejected")
    assert [r["index"] for r in results] == list(range(len(results)))
    assert kept(owner) == [f"ok-{n}" for n in range(len(bad))]
    assert answer.get_json()["accepted"] + answer.get_json()["rejected"] == len(results)


def test_what_the_database_cannot_hold_harms_no_neighbour_in_its_commit(
    flask_app: Flask, world: World, owner: psycopg2.extensions.connection
) -> None:
    """As if the screening had missed something: the constraint stands for any row that PostgreSQL refuses."""
    with owner.cursor() as cursor:
        cursor.execute("ALTER TABLE log_entries ADD CONSTRAINT no_poison CHECK (event_name <> 'poison')")
    try:

        def send(n: int) -> dict[str, Any]:
            name = "poison" if n % 7 == 3 else "fine"
            event = {"event": name, "messageId": str(n)}
            return world.alice.send(flask_app.test_client(), [event]).get_json()["results"][0]

        senders = [gevent.spawn(send, n) for n in range(20)]
        gevent.joinall(senders, raise_error=True)
        statuses = [g.value["status"] for g in senders]
        assert statuses == ["rejected" if n % 7 == 3 else "stored" for n in range(20)]
        assert sorted(map(int, kept(owner))) == [n for n in range(20) if n % 7 != 3]
    finally:
        with owner.cursor() as cursor:
            cursor.execute("ALTER TABLE log_entries DROP CONSTRAINT no_poison")


def test_validate_judges_and_keeps_nothing(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection
) -> None:
    answer = world.alice.send(client, [GOOD, 3], path="/api/logs/shop/validate")
    first, second = answer.get_json()["results"]
    assert (first["status"], first["event_id"], first["verdict"]) == ("checked", None, "unplanned")
    assert second["reason"] == "not_an_object"
    assert kept(owner) == []


def test_every_figure_equals_the_rows(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection
) -> None:
    world.alice.send(client, [{"event": f"e{n % 3}", "messageId": str(n // 2)} for n in range(60)])
    summary = world.alice.get(client, "/api/apps/shop/summary").get_json()
    assert summary["verdicts"]["unplanned"] == len(kept(owner)) == 30
    assert sum(e["unplanned"] for e in summary["events"]) == 30
    assert world.charlie.get(client, "/api/apps/shop/summary").get_json()["verdicts"]["unplanned"] == 0
