"""Large uploads: safe before they are answered, never accepted in part, worked through once whoever dies."""

import gzip
import io
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson
import psycopg2
import pytest
import zstandard
from flask import Flask
from flask.testing import FlaskClient
from psycopg2 import extensions

from app.errors import Refusal
from app.ingest import slices
from app.ingest.unpacked import unpacked
from app.jobs.queues import Queue
from app.jobs.run import drain
from app.store import batches, green
from tests.conftest import eventually
from tests.jobs.conftest import Worker, start_worker  # noqa: F401  (a fixture, here as well)
from tests.world import Tenant, World

Owner = psycopg2.extensions.connection
PATH = "/api/logs/shop/batches"
# Identified, anonymous, twice the same id, in conflict with it, and two that are no events.
EVENTS: list[Any] = [
    {"event": "a", "messageId": "1"},
    {"event": "b"},
    {"event": "a", "messageId": "1"},
    {"event": "other", "messageId": "1"},
    {"payload": {}},
    17,
]
CSV = b"event,messageId\na,1\nb,\na,1\nother,1\n,2\nx,2,3\n"


@pytest.fixture(autouse=True)
def plain_driver(flask_app: Flask) -> Iterator[None]:
    """As in a worker: COPY needs psycopg2 without gevent's callback."""
    extensions.set_wait_callback(None)
    yield
    green.install(flask_app.extensions["settings"].database_deadline_seconds)


def upload(client: FlaskClient, tenant: Tenant, body: bytes, **headers: str) -> str:
    answer = tenant.send(client, body, path=PATH, **headers)
    assert answer.status_code == 202, answer.get_data()
    assert answer.headers["Location"] == answer.get_json()["status_url"]
    return answer.get_json()["batch_id"]


def shown(client: FlaskClient, tenant: Tenant, batch_id: str, path: str = "") -> Any:
    headers = {"Authorization": f"Bearer {tenant.write_key}"}
    return client.get(f"{PATH}/{batch_id}{path}", headers=headers)


def work(flask_app: Flask) -> None:
    while drain(Queue.HIGH):
        pass


def rows(owner: Owner, query: str) -> list[Any]:
    with owner.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def kept(owner: Owner) -> list[str]:
    return [name for (name,) in rows(owner, "SELECT event_name FROM log_entries ORDER BY event_id")]


BODIES = {
    "array": orjson.dumps(EVENTS),
    "ndjson": b"\n".join(map(orjson.dumps, EVENTS)),
    "csv": CSV,
}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:]),
    "zstd": lambda body: zstandard.compress(body[:9]) + zstandard.compress(body[9:]),
}


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("format_", BODIES)
def test_an_upload_is_worked_through_with_the_verdicts_of_the_front_door(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner, format_: str, packing: str
) -> None:
    packed = PACKED[packing](BODIES[format_])
    batch_id = upload(client, world.alice, packed, **{"Content-Encoding": packing})
    waiting = shown(client, world.alice, batch_id).get_json()
    assert (waiting["state"], waiting["progress"], waiting["bytes"]) == ("waiting", 0, len(BODIES[format_]))
    work(flask_app)
    done = shown(client, world.alice, batch_id).get_json()
    assert (done["state"], done["progress"]) == ("done", 1)
    assert (done["accepted"], done["duplicates"], done["conflicts"], done["rejected"]) == (2, 1, 1, 2)
    assert done["verdicts"] == {"unplanned": 2}
    assert kept(owner) == ["a", "b"]
    refused = [
        orjson.loads(line) for line in shown(client, world.alice, batch_id, "/refused").data.splitlines()
    ]
    expected = ["no_event_name", "bad_csv" if format_ == "csv" else "not_an_object"]
    assert [line["reason"] for line in refused] == expected
    assert [line["line"] for line in refused] == ([6, 7] if format_ == "csv" else [5, 6])
    assert all(line["message"] for line in refused)
    assert done["reasons"] == dict.fromkeys(expected, 1)
    summary = world.alice.get(client, "/api/apps/shop/summary").get_json()
    assert summary["verdicts"]["unplanned"] == 2
    assert rows(owner, "SELECT count(*) FROM batch_chunks") == [(0,)]


def test_the_front_door_and_the_job_know_the_same_ids(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner
) -> None:
    world.alice.send(client, {"event": "a", "messageId": "1"})
    batch_id = upload(client, world.alice, b'{"event":"a","messageId":"1"}\n{"event":"z","messageId":"1"}')
    work(flask_app)
    done = shown(client, world.alice, batch_id).get_json()
    assert (done["accepted"], done["duplicates"], done["conflicts"]) == (0, 1, 1)
    assert kept(owner) == ["a"]


def test_what_postgres_cannot_hold_is_refused_alone(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("ALTER TABLE log_entries ADD CONSTRAINT no_poison CHECK (event_name <> 'poison')")
    try:
        lines = [orjson.dumps({"event": "poison" if n in (3, 11) else "fine"}) for n in range(20)]
        batch_id = upload(client, world.alice, b"\n".join(lines))
        work(flask_app)
    finally:
        with owner.cursor() as cursor:
            cursor.execute("ALTER TABLE log_entries DROP CONSTRAINT no_poison")
    done = shown(client, world.alice, batch_id).get_json()
    assert (done["accepted"], done["rejected"], done["state"]) == (18, 2, "done")
    refused = [
        orjson.loads(line)["line"]
        for line in shown(client, world.alice, batch_id, "/refused").data.splitlines()
    ]
    assert refused == [4, 12]
    assert kept(owner) == ["fine"] * 18


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, b"", 400, "empty_body"),
        ({}, b"neither, this\n", 400, "bad_header"),
        ({"Content-Encoding": "br"}, b"x", 415, "unsupported_media_type"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", 415, "unsupported_media_type"),
        ({"Content-Encoding": "gzip"}, b"not gzip", 400, "bad_encoding"),
        ({"Content-Encoding": "zstd"}, b"not zstd", 400, "bad_encoding"),
    ],
    ids=["empty", "no header", "brotli", "multipart", "no gzip", "no zstd"],
)
def test_what_cannot_be_an_upload_is_refused(
    client: FlaskClient,
    world: World,
    owner: Owner,
    headers: dict[str, str],
    body: bytes,
    status: int,
    code: str,
) -> None:
    answer = world.alice.send(client, body, path=PATH, **headers)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert rows(owner, "SELECT count(*) FROM batches") == [(0,)]


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_an_upload_that_ends_too_early_is_dropped(
    client: FlaskClient, world: World, owner: Owner, packing: str
) -> None:
    body = b"\n".join(b'{"event":"%s"}' % os.urandom(100).hex().encode() for _ in range(20_000))
    for end in (len(packed := PACKED[packing](body)) // 2, len(packed) - 1):
        answer = world.alice.send(client, packed[:end], path=PATH, **{"Content-Encoding": packing})
        assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_encoding")
    assert rows(owner, "SELECT count(*) FROM batches") == [(0,)]
    assert rows(owner, "SELECT count(*) FROM batch_chunks") == [(0,)]


@pytest.mark.parametrize(
    ("packing", "bomb"),
    [("gzip", gzip.compress(b"\n" * 50_000_000)), ("zstd", zstandard.compress(b"\n" * 500_000_000))],
    ids=["gzip", "zstd"],
)
def test_a_bomb_is_defused_piece_by_piece(packing: str, bomb: bytes) -> None:
    made: list[int] = []
    with pytest.raises(Refusal, match="too_large"):
        made.extend(len(piece) for piece in unpacked(io.BytesIO(bomb), packing, 20_000_000))
    assert sum(made) <= 20_000_000
    assert max(made) < 17_000_000


def test_an_upload_may_be_larger_than_any_inline_body(
    client: FlaskClient, world: World, owner: Owner
) -> None:
    body = b'{"event":"a"}\n' + b" " * 40_000_000
    upload(client, world.alice, body)
    assert rows(owner, "SELECT sum(length(content)) FROM batch_chunks") == [(len(body),)]


def test_an_upload_over_the_limit_is_refused_while_it_comes_in(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = flask_app.extensions["settings"]
    monkeypatch.setitem(flask_app.extensions, "settings", _changed(settings, max_batch_bytes=1_000_000))
    body = b'{"event":"a"}\n' * 100_000
    for packed, encoding in ((body, ""), (gzip.compress(body), "gzip")):
        answer = world.alice.send(client, packed, path=PATH, **{"Content-Encoding": encoding})
        assert (answer.status_code, answer.get_json()["code"]) == (413, "too_large")
    assert rows(owner, "SELECT count(*) FROM batches") == [(0,)]


def _changed(settings: Any, **changes: Any) -> Any:
    return replace(settings, **changes)


def test_too_many_waiting_uploads_are_refused(
    flask_app: Flask, client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = flask_app.extensions["settings"]
    monkeypatch.setitem(flask_app.extensions, "settings", _changed(settings, max_batches_waiting=2))
    for _ in range(2):
        upload(client, world.alice, b'{"event":"a"}')
    answer = world.alice.send(client, b'{"event":"a"}', path=PATH)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "too_many_batches")
    assert int(answer.headers["Retry-After"]) > 0
    work(flask_app)
    upload(client, world.alice, b'{"event":"a"}')


def test_another_organisations_upload_is_unknown(client: FlaskClient, world: World) -> None:
    batch_id = upload(client, world.alice, b'{"event":"a"}')
    for path in ("", "/refused"):
        answer = shown(client, world.charlie, batch_id, path)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_batch")
    assert shown(client, world.alice, "nonsense").status_code == 404


def test_a_turn_ends_and_the_next_goes_on_where_it_was(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "TURN_SECONDS", 0)
    monkeypatch.setattr(slices, "MOST_EVENTS_PER_SLICE", 7)
    batch_id = upload(client, world.alice, b"\n".join(b'{"event":"%02d"}' % n for n in range(50)))
    work(flask_app)
    assert shown(client, world.alice, batch_id).get_json()["accepted"] == 50
    assert kept(owner) == [f"{n:02}" for n in range(50)]
    assert rows(owner, "SELECT count(DISTINCT xid) FROM log_entries") == [(8,)]
    assert rows(owner, "SELECT state FROM outbox WHERE job = 'work_through_batch'") == [("done",)]


def test_two_workers_on_one_upload_keep_it_once(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a worker is suspended, its lock runs out, and it wakes up in the middle of a slice."""
    batch_id = upload(client, world.alice, b'{"event":"a"}\n{"event":"b"}')
    advance = batches.advance

    def overtaken(cursor: Any, batch: Any, step: Any) -> None:
        monkeypatch.setattr(batches, "advance", advance)
        with owner.cursor() as other:
            other.execute("UPDATE batches SET bytes_done = 14, lines_done = 1")
        advance(cursor, batch, step)

    monkeypatch.setattr(batches, "advance", overtaken)
    work(flask_app)
    assert kept(owner) == ["b"]  # what the other had not done
    assert shown(client, world.alice, batch_id).get_json()["state"] == "done"


def test_killed_at_any_point_it_resumes_and_keeps_each_event_once(
    flask_app: Flask,
    client: FlaskClient,
    world: World,
    owner: Owner,
    start_worker: Callable[..., Worker],  # noqa: F811
) -> None:
    count = 30_000
    lines = (b'{"event":"e%d","payload":{"n":%d}}' % (n % 7, n) for n in range(count))
    batch_id = upload(client, world.alice, gzip.compress(b"\n".join(lines)), **{"Content-Encoding": "gzip"})
    worker = start_worker()

    def done() -> int:
        return rows(owner, f"SELECT lines_done FROM batches WHERE id = '{batch_id}'")[0][0]

    for least in (1, 6_000, 14_000):
        eventually(lambda least=least: done() >= least)
        for pid in worker.children():
            os.kill(pid, signal.SIGKILL)
        with owner.cursor() as cursor:  # what 70 seconds of waiting would do
            cursor.execute("UPDATE outbox SET locked_until = now() WHERE state = 'running'")
        assert done() < count
    eventually(lambda: shown(client, world.alice, batch_id).get_json()["state"] == "done", 60)
    found = shown(client, world.alice, batch_id).get_json()
    assert (found["accepted"], found["duplicates"], found["rejected"]) == (count, 0, 0)
    stored = "SELECT count(*), count(DISTINCT message_id), count(DISTINCT payload ->> 'n') FROM log_entries"
    assert rows(owner, stored) == [(count, count, count)]
    summary = world.alice.get(client, "/api/apps/shop/summary").get_json()
    assert summary["verdicts"]["unplanned"] == count


def test_broken_off_and_old_uploads_are_forgotten(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner
) -> None:
    upload(client, world.alice, b'{"event":"a"}')
    work(flask_app)
    kept_id = upload(client, world.alice, b'{"event":"a"}')
    with owner.cursor() as cursor:
        cursor.execute(
            "UPDATE batches SET finished_at = now() - interval '99 days' WHERE finished_at IS NOT NULL"
        )
        cursor.execute(
            "INSERT INTO batches (id, organisation_id, app_id, format, created_at)"
            " SELECT gen_random_uuid(), organisation_id, id, 'csv', now() - interval '2 hours' FROM apps"
        )
    slices.forget_uploads(None)  # type: ignore[arg-type]
    flask_app.extensions["sqlalchemy"].session.commit()
    assert rows(owner, "SELECT id::text FROM batches") == [(kept_id,)]
