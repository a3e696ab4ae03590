"""Keys: how they look, where a request may carry one, and where it may not."""

import base64
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.auth import keys
from tests.world import World

EVENT = {"eventName": "hello"}


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(user.encode()).decode()


@pytest.mark.parametrize("kind", list(keys.Kind))
def test_a_new_key_is_random_and_easy_to_find_in_a_leak(kind: keys.Kind) -> None:
    minted = [keys.mint(kind) for _ in range(100)]
    assert len({m.key for m in minted}) == 100
    for key, key_hash, prefix in minted:
        assert re.fullmatch(kind.value + "[0-9A-Za-z]{32}", key)  # 62 ** 32 > 2 ** 190
        assert keys.LOOKS_LIKE_A_KEY.search(f"x={key}")
        assert key_hash == keys.hashed(key)
        assert len(key_hash) == 32
        assert key.startswith(prefix)
        assert len(prefix) == 10


def test_a_key_is_kept_as_its_hash_only(world: World, owner: Any) -> None:
    with owner.cursor() as cursor:
        cursor.execute("SELECT w::text || a::text FROM write_keys w, api_keys a")
        kept = " ".join(row for (row,) in cursor)
    assert world.alice.write_key not in kept
    assert world.alice.api_key not in kept
    assert keys.hashed(world.alice.write_key).hex() in kept


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "missing_key"),
        ({"Authorization": ""}, 401, "missing_key"),
        ({"Authorization": "Bearer"}, 401, "missing_key"),
        ({"Authorization": "Bearer  "}, 401, "missing_key"),
        ({"X-API-Key": ""}, 401, "missing_key"),
        ({"Authorization": "Token {key}"}, 401, "missing_key"),
        ({"Authorization": "{key}"}, 401, "missing_key"),
        ({"Authorization": "Basic {key}"}, 401, "missing_key"),
        ({"Authorization": "Basic ////"}, 401, "missing_key"),
        ({"Authorization": "Basic Og=="}, 401, "missing_key"),
        ({"Authorization": "Bearer lvw_"}, 401, "bad_key"),
        ({"Authorization": "Bearer {prefix}"}, 401, "bad_key"),
        ({"Authorization": "Bearer {lower}"}, 401, "bad_key"),
        ({"Authorization": "Bearer {upper}"}, 401, "bad_key"),
        ({"Authorization": "Bearer {key} x"}, 401, "bad_key"),
        ({"Authorization": "Bearer {key}\t"}, 401, "bad_key"),
        ({"Authorization": "Bearer {key},{key}"}, 401, "bad_key"),
        ({"Authorization": "Bearer {key}{key}"}, 401, "bad_key"),
        ({"Authorization": "Bearer {api_key}"}, 401, "bad_key"),
        ({"Authorization": "Bearer lvw_00000000000000000000000000000000"}, 401, "bad_key"),
        ({"Authorization": "Bearer lvw_ÄÖÜ"}, 401, "bad_key"),
        ({"Authorization": "{basic_newline}"}, 401, "bad_key"),
        ({"Authorization": "{basic_space}"}, 401, "bad_key"),
        ({"Authorization": "Bearer {key}", "X-API-Key": "{other}"}, 400, "two_credentials"),
        ({"Authorization": "Bearer {other}"}, 404, "unknown_app"),
        ({"Authorization": "Bearer {key}"}, 200, None),
        ({"Authorization": "bearer {key}"}, 200, None),
        ({"Authorization": "BEARER   {key}"}, 200, None),
        ({"Authorization": "{basic}"}, 200, None),
        ({"X-API-Key": "{key}"}, 200, None),
        ({"Authorization": "Bearer {key}", "X-API-Key": "{key}"}, 200, None),
    ],
)
def test_how_a_sender_may_present_its_key(
    client: FlaskClient, world: World, headers: dict[str, str], status: int, code: str | None
) -> None:
    key = world.alice.write_key
    values = {
        "key": key,
        "api_key": world.alice.api_key,
        "other": world.charlie.write_key,
        "prefix": key[:10],
        "lower": key.lower(),
        "upper": key.upper(),
        "basic": basic(f"{key}:"),
        "basic_newline": basic(f"{key}\n:"),
        "basic_space": basic(f"{key} :"),
    }
    given = {name: value.format(**values) for name, value in headers.items()}
    answer = client.post(f"/api/logs/{world.alice.app.slug}-x", json=EVENT, headers=given)
    if status == 200:  # right key, and only the app is wrong
        assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_app")
        answer = client.post(f"/api/logs/{world.alice.app.slug}", json=EVENT, headers=given)
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.get_json()["code"]) == (status, code)
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    "query",
    [
        "api_key={key}",
        "write_key=anything",
        "key=",
        "KEY=x",
        "x={key}",
        "{key}=x",
        "x=a%20{key}",
        "x=1&x={key}",
    ],
)
@pytest.mark.parametrize("path", ["/api/logs", "/api/logs/shop"])
def test_a_key_in_the_url_is_refused_even_when_a_header_has_it_too(
    client: FlaskClient, world: World, path: str, query: str
) -> None:
    answer = world.alice.send(client, EVENT, f"{path}?{query.format(key=world.alice.write_key)}")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "key_in_url")


def test_a_key_in_the_path_is_refused(client: FlaskClient, world: World) -> None:
    answer = client.post(f"/api/logs/{world.alice.write_key}", json=EVENT)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "key_in_url")


def test_an_api_key_in_the_url_is_refused(client: FlaskClient, world: World) -> None:
    answer = client.get(f"/api/apps/shop/summary?token={world.alice.api_key}")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "key_in_url")


@pytest.mark.parametrize("query", ["", "?event=shop_lvl_up", "?platform=ios&q=monkey"])
def test_other_queries_are_fine(client: FlaskClient, world: World, query: str) -> None:
    assert world.alice.get(client, f"/api/apps/shop/summary{query}").status_code == 200


def test_no_refusal_repeats_the_key(client: FlaskClient, world: World, flask_app: Flask) -> None:
    for headers in ({"X-API-Key": world.alice.api_key}, {"X-API-Key": world.charlie.write_key}):
        answer = client.post("/api/logs/shop-x", json=EVENT, headers=headers)
        assert answer.status_code >= 400
        assert headers["X-API-Key"] not in answer.text
