"""Tokens: exchanged for an API key, short-lived, narrowed, and dead with their key."""

import base64
import time
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OctKey
from werkzeug.test import TestResponse

from app.auth import tokens
from app.config import Settings
from tests.conftest import eventually
from tests.world import World

SUMMARY = "/api/apps/shop/summary"


def exchanged(client: FlaskClient, world: World, **asked: Any) -> str:
    answer = world.alice.post(client, "/api/token", asked)
    assert answer.status_code == 200, answer.text
    return answer.get_json()["access_token"]


def ask(
    client: FlaskClient, token: str, method: str = "GET", path: str = SUMMARY, **what: Any
) -> TestResponse:
    return client.open(path, method=method, headers={"Authorization": f"Bearer {token}"}, **what)


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")


def test_a_token_speaks_for_its_key_for_a_quarter_of_an_hour(client: FlaskClient, world: World) -> None:
    answer = world.alice.post(client, "/api/token", {}).get_json()
    assert (answer["token_type"], answer["expires_in"], answer["scopes"]) == (
        "Bearer",
        900,
        ["manage", "read"],
    )
    assert ask(client, answer["access_token"]).status_code == 200
    made = ask(client, answer["access_token"], "POST", "/api/apps", json={"name": "New"})
    assert made.status_code == 201
    assert ask(client, answer["access_token"], path="/api/apps/nobodys/summary").status_code == 404


def test_a_token_may_be_narrower_than_its_key_and_never_wider(client: FlaskClient, world: World) -> None:
    narrow = exchanged(client, world, scopes=["read"])
    assert ask(client, narrow).status_code == 200
    assert ask(client, narrow, "POST", "/api/apps", json={"name": "New"}).status_code == 403
    reader = world.alice.post(client, "/api/keys", {"scopes": ["read"]}).get_json()["api_key"]
    headers = {"Authorization": f"Bearer {reader}"}
    wider = client.post("/api/token", json={"scopes": ["manage"]}, headers=headers)
    assert (wider.status_code, wider.get_json()["code"]) == (422, "bad_scopes")


def test_a_token_gets_no_further_token(client: FlaskClient, world: World) -> None:
    answer = ask(client, exchanged(client, world), "POST", "/api/token", json={})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "key_needed")


@pytest.mark.parametrize("seconds", [0, 901, -1, True, "60", 1.5])
def test_a_token_lives_no_longer_than_that(client: FlaskClient, world: World, seconds: Any) -> None:
    answer = world.alice.post(client, "/api/token", {"expires_in": seconds})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_expiry")


def test_an_expired_token_is_refused_also_after_it_was_remembered(client: FlaskClient, world: World) -> None:
    token = exchanged(client, world, expires_in=1)
    assert ask(client, token).status_code == 200
    eventually(lambda: ask(client, token).status_code == 401, 3)
    assert ask(client, token).get_json()["code"] == "token_expired"


def test_a_tokens_life_ends_with_its_keys(client: FlaskClient, world: World) -> None:
    key = world.alice.post(client, "/api/keys", {"scopes": ["read"]}).get_json()
    headers = {"Authorization": f"Bearer {key['api_key']}"}
    token = client.post("/api/token", json={}, headers=headers).get_json()["access_token"]
    assert ask(client, token).status_code == 200
    manager = {"Authorization": f"Bearer {world.alice.api_key}"}
    assert client.delete(f"/api/keys/{key['id']}", headers=manager).status_code == 204
    began = time.monotonic()
    eventually(lambda: ask(client, token).status_code == 401, 3)
    assert time.monotonic() - began < 2
    assert ask(client, token).get_json()["code"] == "bad_token"


def test_yesterdays_signing_key_still_verifies_and_an_older_one_does_not(
    client: FlaskClient, world: World, settings: Settings
) -> None:
    claims = jwt_claims(exchanged(client, world))
    today = int(time.time()) // tokens.DAY_SECONDS
    for kid, status in ((today, 200), (today - 1, 200), (today - 2, 401), (today + 1, 401)):
        key = tokens._key(settings.secret_key, str(kid))
        token = jwt.encode({"alg": "HS256", "kid": str(kid)}, claims, key)
        assert ask(client, token).status_code == status, kid - today


def jwt_claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


@pytest.mark.parametrize(
    "forge",
    [
        "none",
        "None",
        "empty",
        "other key",
        "changed",
        "no kid",
        "wrong kid",
        "kid is a path",
        "other algorithm",
        "garbage",
    ],
)
def test_a_forged_token_is_refused(client: FlaskClient, world: World, settings: Settings, forge: str) -> None:
    token = exchanged(client, world, scopes=["read"])
    claims, (header, body, signature) = jwt_claims(token), token.split(".")
    kid = str(int(time.time()) // tokens.DAY_SECONDS)
    ours, theirs = tokens._key(settings.secret_key, kid), OctKey.import_key(b"x" * 64)
    forged = {
        "none": f"{encoded({'alg': 'none', 'kid': kid})}.{body}.",
        "None": f"{encoded({'alg': 'None', 'kid': kid})}.{body}.{signature}",
        "empty": f"{header}.{body}.",
        "other key": jwt.encode({"alg": "HS256", "kid": kid}, claims, theirs),
        "changed": f"{header}.{encoded({**claims, 'scope': 'read manage'})}.{signature}",
        "no kid": jwt.encode({"alg": "HS256"}, claims, ours),
        "wrong kid": jwt.encode({"alg": "HS256", "kid": "1"}, claims, ours),
        "kid is a path": jwt.encode({"alg": "HS256", "kid": "../../dev/null"}, claims, ours),
        "other algorithm": f"{encoded({'alg': 'HS512', 'kid': kid})}.{body}.{signature}",
        "garbage": "eyJ.eyJ.eyJ",
    }[forge]
    answer = ask(client, forged)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "bad_token")
    assert "WWW-Authenticate" in answer.headers


def test_a_token_is_checked_once(client: FlaskClient, world: World) -> None:
    token = exchanged(client, world)
    ask(client, token)
    before = tokens._verified.cache_info().hits
    ask(client, token)
    assert tokens._verified.cache_info().hits == before + 1


def test_a_token_in_the_url_is_refused_and_none_sends_events(client: FlaskClient, world: World) -> None:
    token = exchanged(client, world)
    assert client.get(f"{SUMMARY}?token={token}").get_json()["code"] == "key_in_url"
    assert ask(client, token, "POST", "/api/logs/shop", json={"event": "a"}).get_json()["code"] == "bad_key"


def test_the_exchange_counts_as_an_attempt_at_the_door(client: FlaskClient, world: World) -> None:
    assert world.alice.post(client, "/api/token", {}).headers["RateLimit-Limit"]
