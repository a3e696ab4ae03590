"""Every refusal at the front door has one reason code: the same in the answer, the metric, the log and the samples."""

import ast
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.auth.allowance import Allowance
from app.config import Settings
from app.extensions import connect_redis
from app.ingest.receipt import REASONS
from app.ingest.refused import Refused
from tests.ingest.test_batches import _changed
from tests.ingest.test_refused import noted, shown  # noqa: F401  (a fixture)
from tests.ingest.test_take import DEEP, refusals_counted
from tests.world import World

ROOT = Path(__file__).parent.parent.parent
FRONT_DOOR = (
    *ROOT.glob("app/ingest/*.py"),
    *(ROOT / "app/auth" / f for f in ("sender.py", "keys.py", "allowance.py", "quota.py")),
)
GOOD = orjson.dumps({"event": "good"})
UPLOADS = "/api/logs/shop/batches"
OF_UPLOADS_LINES = {"bad_csv"}  # only a job reads CSV: tests/ingest/test_batches.py

# By what a code is earned: the body, the path and headers beside it.
WRONG: dict[str, tuple[Any, str, dict[str, str]]] = {
    "bad_encoding": (b"no gzip", "", {"Content-Encoding": "gzip"}),
    "bad_header": (b"colour,size\n", UPLOADS, {}),
    "bad_json": (b"{", "", {}),
    "bad_key": (GOOD, "", {"Authorization": "Bearer lvw_" + "0" * 32}),
    "bad_message_id": ({"event": "a", "messageId": []}, "", {}),
    "bad_payload": ({"event": "a", "payload": 7}, "", {}),
    "bad_string": ({"event": "a", "payload": {"x": "\0"}}, "", {}),
    "empty_body": (b"", "", {}),
    "key_in_url": (GOOD, "/api/logs/shop?write_key=x", {}),
    "missing_key": (GOOD, "", {"Authorization": ""}),
    "name_too_long": ({"event": "a" * 257}, "", {}),
    "no_event_name": ({}, "", {}),
    "too_deep": (DEEP, "", {}),
    "too_large": (gzip.compress(b" " * 6_000_000), "", {"Content-Encoding": "gzip"}),
    "too_many_keys": ({"event": "a", "payload": {str(n): n for n in range(2001)}}, "", {}),
    "two_credentials": (GOOD, "", {"X-API-Key": "lvw_" + "0" * 32}),
    "unknown_app": (GOOD, "/api/logs/nobody", {}),
    "unsupported_media_type": (b"a=1", "", {"Content-Type": "application/x-www-form-urlencoded"}),
}
NOBODYS = {"bad_key", "key_in_url", "missing_key", "two_credentials", "unknown_app"}


def codes_in_source() -> set[str]:
    """The first word of every Refusal(…) and the reasons of rejected events."""
    found = set(REASONS)
    for path in FRONT_DOOR:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refusal":
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    found.add(code.value)
    return found


# Those that need more than a body: each makes the request.
def quiet_key(world: World, client: FlaskClient, owner: Any, **_: Any) -> TestResponse:
    execute(owner, "UPDATE write_keys SET answers = 'quiet'")
    return world.alice.send(client, GOOD, "/api/logs/shop/validate")


def app_disabled(world: World, client: FlaskClient, owner: Any, **_: Any) -> TestResponse:
    execute(owner, "UPDATE apps SET disabled_at = now()")
    return world.alice.send(client, GOOD)


def organisation_closed(world: World, client: FlaskClient, owner: Any, **_: Any) -> TestResponse:
    execute(owner, "UPDATE organisations SET deletes_at = now() + interval '1 day'")
    return world.alice.send(client, GOOD)


def origin_refused(world: World, client: FlaskClient, owner: Any, **_: Any) -> TestResponse:
    execute(owner, "UPDATE apps SET cors_origins = '{https://shop.example}'")
    return world.alice.send(client, GOOD, Origin="https://stranger.example")


def rate_limited(world: World, client: FlaskClient, settings: Settings, put: Any, **_: Any) -> TestResponse:
    redis = connect_redis(settings.redis_url, most_connections=2)
    put("allowance", Allowance(redis, {"key": (1, 1), "organisation": (1, 1)}))
    return world.alice.send(client, orjson.dumps([{"event": "a"}] * 50))


def quota_exceeded(world: World, client: FlaskClient, owner: Any, **_: Any) -> TestResponse:
    execute(owner, "UPDATE organisations SET quota_credits = 1, quota_refuses = true")
    return world.alice.send(client, [{"event": "a"}] * 2)


def too_many_batches(
    world: World, client: FlaskClient, settings: Settings, put: Any, **_: Any
) -> TestResponse:
    put("settings", _changed(settings, max_batches_waiting=0))
    return world.alice.send(client, GOOD, UPLOADS)


def unknown_batch(world: World, client: FlaskClient, **_: Any) -> TestResponse:
    return client.get(f"{UPLOADS}/0", headers={"Authorization": f"Bearer {world.alice.write_key}"})


def not_an_object(world: World, client: FlaskClient, **_: Any) -> TestResponse:
    """Never a request's own refusal: a scalar body is bad_json."""
    return world.alice.send(client, [7])


SPECIAL: dict[str, Callable[..., TestResponse]] = {
    f.__name__: f
    for f in (
        quiet_key,
        app_disabled,
        organisation_closed,
        origin_refused,
        rate_limited,
        quota_exceeded,
        too_many_batches,
        unknown_batch,
        not_an_object,
    )
}


def execute(owner: psycopg2.extensions.connection, statement: str) -> None:
    with owner.cursor() as cursor:
        cursor.execute(statement)


def test_every_code_in_the_source_is_walked_here() -> None:
    assert codes_in_source() == {*WRONG, *SPECIAL} | OF_UPLOADS_LINES


@pytest.mark.parametrize("code", sorted({*WRONG, *SPECIAL}))
def test_a_code_is_the_same_in_answer_metric_log_and_sample(
    flask_app: Flask,
    client: FlaskClient,
    world: World,
    owner: psycopg2.extensions.connection,
    settings: Settings,
    noted: Refused,  # noqa: F811
    lines: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    code: str,
) -> None:
    def put(name: str, value: Any) -> None:
        monkeypatch.setitem(flask_app.extensions, name, value)

    before = refusals_counted(code)
    if code in WRONG:
        body, path, headers = WRONG[code]
        answer = world.alice.send(client, body, path, **headers)
    else:
        answer = SPECIAL[code](world=world, client=client, owner=owner, settings=settings, put=put)
    said = answer.get_json()
    is_whole = answer.status_code != 200
    refusal = said if is_whole else said["results"][0]
    assert refusal["code" if is_whole else "reason"] == code
    assert refusal["message"]
    assert refusals_counted(code) == before + 1
    (line, *_), _ = lines()
    assert line.get("reason") == (code if is_whole else None)
    monkeypatch.setitem(flask_app.extensions, "settings", settings)
    execute(owner, "UPDATE apps SET disabled_at = NULL")
    execute(owner, "UPDATE organisations SET deletes_at = NULL")
    noted.write()
    samples = [(s["reason"], s["message"]) for s in shown(client, world.alice)["samples"]]
    assert samples == ([] if code in NOBODYS else [(code, refusal["message"])])
