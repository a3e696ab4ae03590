"""Keys and app settings over JSON and on the settings page: made, shown once, used, revoked; and what they decide."""

import threading
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.auth import keys
from tests.conftest import eventually
from tests.world import Tenant, World

EVENT = {"eventName": "hello"}


def made(client: FlaskClient, tenant: Tenant, **asked: Any) -> dict[str, Any]:
    """A further write key of the tenant's app."""
    answer = tenant.post(client, f"/api/apps/{tenant.app.slug}/keys", asked)
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def delete(client: FlaskClient, tenant: Tenant, path: str) -> int:
    return client.delete(path, headers={"Authorization": f"Bearer {tenant.api_key}"}).status_code


def patch(client: FlaskClient, tenant: Tenant, **asked: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {tenant.api_key}"}
    return client.patch(f"/api/apps/{tenant.app.slug}", json=asked, headers=headers)


def send(
    client: FlaskClient, key: str, body: Any = EVENT, path: str = "/api/logs", **headers: str
) -> TestResponse:
    return client.post(path, json=body, headers={"X-API-Key": key, **headers})


def test_a_write_key_is_shown_once_and_listed_without_its_secret(client: FlaskClient, world: World) -> None:
    key = made(
        client, world.alice, name="Android", environment="production", answers="quiet", expires_in_days=9
    )
    listed = world.alice.get(client, "/api/apps/shop/keys")
    assert key["write_key"] not in listed.text
    (shown,) = [k for k in listed.get_json()["keys"] if k["id"] == key["id"]]
    assert key["write_key"].startswith(shown["prefix"])
    assert (shown["name"], shown["environment"], shown["answers"]) == ("Android", "production", "quiet")
    assert shown["expires_at"]
    assert shown["last_used_at"] is None


def test_an_api_key_may_only_read_or_manage_too(client: FlaskClient, world: World) -> None:
    reader = world.alice.post(client, "/api/keys", {"scopes": ["read"], "name": "CI"}).get_json()
    headers = {"Authorization": f"Bearer {reader['api_key']}"}
    assert client.get("/api/apps/shop/summary", headers=headers).status_code == 200
    assert client.post("/api/keys", json={"scopes": ["read"]}, headers=headers).status_code == 403
    names = [k["name"] for k in world.alice.get(client, "/api/keys").get_json()["keys"]]
    assert names == ["", "CI"]


@pytest.mark.parametrize("kind", ["write", "api"])
def test_a_revoked_key_is_refused_within_two_seconds(client: FlaskClient, world: World, kind: str) -> None:
    if kind == "write":
        key = made(client, world.alice)
        path, secret = f"/api/apps/shop/keys/{key['id']}", key["write_key"]
    else:
        key = world.alice.post(client, "/api/keys", {"scopes": ["read"]}).get_json()
        path, secret = f"/api/keys/{key['id']}", key["api_key"]

    def use() -> int:
        if kind == "write":
            return send(client, secret).status_code
        return client.get("/api/apps/shop/summary", headers={"X-API-Key": secret}).status_code

    assert use() == 200
    assert delete(client, world.alice, path) == 204
    began = time.monotonic()
    eventually(lambda: use() == 401, 3)
    assert time.monotonic() - began < 2
    assert delete(client, world.alice, path) == 404, "once"


def test_another_organisation_cannot_see_or_end_a_key(client: FlaskClient, world: World) -> None:
    key = made(client, world.alice)
    own = world.alice.post(client, "/api/keys", {"scopes": ["read"]}).get_json()
    assert delete(client, world.charlie, f"/api/apps/shop/keys/{key['id']}") == 404
    assert delete(client, world.charlie, f"/api/keys/{own['id']}") == 404
    assert send(client, key["write_key"]).status_code == 200
    assert key["id"] not in [
        k["id"] for k in world.charlie.get(client, "/api/apps/shop/keys").get_json()["keys"]
    ]


def test_a_key_is_rotated_while_a_client_sends_and_no_event_is_refused(
    flask_app: Flask, client: FlaskClient, world: World, owner: Any
) -> None:
    """New key, senders move over, old key revoked: 0 refused, and every event kept once."""
    sender = {"key": world.alice.write_key, "stop": False}
    statuses: list[int] = []

    def keep_sending() -> None:
        mine = flask_app.test_client()
        while not sender["stop"]:
            event = {**EVENT, "messageId": str(len(statuses))}
            statuses.append(send(mine, str(sender["key"]), event).status_code)
            time.sleep(0.005)

    thread = threading.Thread(target=keep_sending)
    thread.start()
    eventually(lambda: len(statuses) > 10)
    (old,) = world.alice.get(client, "/api/apps/shop/keys").get_json()["keys"]
    sender["key"] = made(client, world.alice)["write_key"]
    moved_at = len(statuses) + 1
    eventually(lambda: len(statuses) > moved_at)
    assert delete(client, world.alice, f"/api/apps/shop/keys/{old['id']}") == 204
    eventually(lambda: send(client, world.alice.write_key).status_code == 401)
    eventually(lambda: len(statuses) > moved_at + 50)
    sender["stop"] = True
    thread.join()
    assert set(statuses) == {200}
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT message_id), count(*) FROM log_entries WHERE message_id ~ '^[0-9]{1,6}$'"
        )
        assert cursor.fetchone() == (len(statuses), len(statuses))


def test_last_use_is_written_off_the_path_and_once_a_minute(
    flask_app: Flask, client: FlaskClient, world: World, statements: list[str]
) -> None:
    def last_used() -> Any:
        return world.alice.get(client, "/api/apps/shop/keys").get_json()["keys"][0]["last_used_at"]

    for _ in range(5):
        assert world.alice.send(client, EVENT).status_code == 200
    assert not [s for s in statements if "last_used_at = now()" in s]
    flask_app.extensions["used"].write()
    first = last_used()
    assert first
    world.alice.send(client, EVENT)
    flask_app.extensions["used"].write()
    assert last_used() == first


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"answers": "loud"}, "bad_answers"),
        ({"answers": ["quiet"]}, "bad_answers"),
        ({"name": 7}, "bad_name"),
        ({"name": "x" * 101}, "bad_name"),
        ({"environment": "e" * 33}, "bad_environment"),
        ({"expires_in_days": 0}, "bad_expiry"),
        ({"expires_in_days": True}, "bad_expiry"),
        ({"expires_in_days": "9"}, "bad_expiry"),
    ],
)
def test_a_key_is_not_made_of_nonsense(
    client: FlaskClient, world: World, asked: dict[str, Any], code: str
) -> None:
    answer = world.alice.post(client, "/api/apps/shop/keys", asked)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


# ── what a key's answers and an app's settings decide ────────────────────────────────────────────────────────────

PLAN = b"eventName,eventPayload,dataType,required\nhello,answer,number,true\n"
WRONG = {"eventName": "hello", "payload": {"answer": "x"}}


def planned(client: FlaskClient, world: World) -> None:
    path = "/api/apps/shop/plan/import?format=csv&publish=true"
    assert world.alice.post(client, path, PLAN).status_code == 200
    eventually(lambda: world.alice.send(client, WRONG).get_json()["results"][0]["verdict"] == "invalid", 5)


def test_a_strict_key_gets_422_with_the_same_body_and_the_event_is_kept(
    client: FlaskClient, world: World, owner: Any
) -> None:
    planned(client, world)
    key = made(client, world.alice, answers="strict")["write_key"]
    answer = send(client, key, [{**WRONG, "messageId": "strict"}, {"event": "other"}])
    assert answer.status_code == 422
    first = answer.get_json()["results"][0]
    assert (first["status"], first["verdict"]) == ("stored", "invalid")
    assert first["violations"][0]["kind"] == "type_mismatch"
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM log_entries WHERE message_id = 'strict'")
        assert cursor.fetchone() == (1,)
    assert send(client, key, {"eventName": "hello", "payload": {"answer": 1}}).status_code == 200


def test_a_quiet_key_learns_verdicts_and_nothing_of_the_plan(client: FlaskClient, world: World) -> None:
    planned(client, world)
    key = made(client, world.alice, answers="quiet")["write_key"]
    answer = send(client, key, WRONG)
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["accepted"], body["plan_version"]) == (1, None)
    assert (body["results"][0]["verdict"], body["results"][0]["violations"]) == ("invalid", [])
    assert "number" not in answer.text
    refused = send(client, key, WRONG, "/api/logs/shop/validate")
    assert (refused.status_code, refused.get_json()["code"]) == (403, "quiet_key")


def test_a_keys_environment_stands_on_its_events(client: FlaskClient, world: World, owner: Any) -> None:
    send(client, made(client, world.alice, environment="staging")["write_key"], {**EVENT, "messageId": "s"})
    with owner.cursor() as cursor:
        cursor.execute("SELECT environment FROM log_entries WHERE message_id = 's'")
        assert cursor.fetchone() == ("staging",)


def test_a_disabled_app_refuses_its_senders_and_takes_them_again(client: FlaskClient, world: World) -> None:
    assert patch(client, world.alice, is_disabled=True).get_json()["is_disabled"] is True

    def code() -> str:
        return world.alice.send(client, EVENT).get_json().get("code", "taken")

    eventually(lambda: code() == "app_disabled", 2)
    assert world.alice.send(client, EVENT).status_code == 403
    assert world.charlie.send(client, EVENT).status_code == 200
    patch(client, world.alice, is_disabled=False)
    eventually(lambda: code() == "taken", 2)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"colour": "red"}, "bad_setting"),
        ({"organisation_id": 1}, "bad_setting"),
        ({"is_disabled": "yes"}, "bad_setting"),
        ({"cors_origins": ["shop.example"]}, "bad_origin"),
        ({"cors_origins": ["https://shop.example/path"]}, "bad_origin"),
        ({"cors_origins": "https://shop.example"}, "bad_origin"),
        ({"name": " "}, "bad_name"),
        ({"retention_days": 0}, "bad_setting"),
        ({"retention_days": 3651}, "bad_setting"),
        ({"retention_days": True}, "bad_setting"),
        ({"retention_days": "30"}, "bad_setting"),
    ],
)
def test_settings_are_checked(client: FlaskClient, world: World, asked: dict[str, Any], code: str) -> None:
    answer = patch(client, world.alice, **asked)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_an_app_says_for_how_long_its_events_are_kept(client: FlaskClient, world: World) -> None:
    assert world.alice.get(client, "/api/apps/shop").get_json()["retention_days"] is None
    assert patch(client, world.alice, retention_days=30).get_json()["retention_days"] == 30
    assert world.alice.get(client, "/api/apps/shop").get_json()["retention_days"] == 30
    assert world.charlie.get(client, "/api/apps/shop").get_json()["retention_days"] is None
    assert patch(client, world.alice, retention_days=None).get_json()["retention_days"] is None


def test_a_page_may_send_if_the_app_knows_its_origin(client: FlaskClient, world: World) -> None:
    ours, theirs = {"Origin": "https://shop.example"}, {"Origin": "https://evil.example"}
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = client.options("/api/logs/shop", headers=ours | asking)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    answer = world.alice.send(client, EVENT, **ours)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert patch(client, world.alice, cors_origins=["https://shop.example"]).status_code == 200
    eventually(lambda: world.alice.send(client, EVENT, **theirs).status_code == 403, 2)
    assert world.alice.send(client, EVENT, **theirs).get_json()["code"] == "origin_refused"
    assert world.alice.send(client, EVENT, **ours).status_code == 200
    assert world.alice.send(client, EVENT).status_code == 200, "a program has no origin"


def test_no_other_path_speaks_to_foreign_pages(client: FlaskClient, world: World) -> None:
    for path in ("/api/apps/shop/summary", "/api/keys", "/auth/csrf", "/dashboard", "/health"):
        for method in ("GET", "OPTIONS"):
            answer = client.open(path, method=method, headers={"Origin": "https://shop.example"})
            assert "Access-Control-Allow-Origin" not in answer.headers, (method, path)


def test_keys_of_both_kinds_begin_so_that_scanners_find_them(client: FlaskClient, world: World) -> None:
    assert keys.LOOKS_LIKE_A_KEY.search(made(client, world.alice)["write_key"])
