"""POST /api/apps, /api/keys and the plan: made over JSON, for the organisation of the key."""

import threading
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.world import World

SHEET = b"eventName,eventPayload,dataType\nbuy,price,number\n,note,text\n"
SCHEMAS = b'{"paid": {"type": "object", "required": ["amount"]}}'
EVENT = {"event": "buy", "payload": {"price": "x", "note": "n"}}
PATH = "/api/apps/shop/plan/import"


def test_an_app_is_made_with_a_key_that_sends(client: FlaskClient, world: World) -> None:
    made = world.alice.post(client, "/api/apps", {"name": "New", "app_id": "new"})
    assert made.status_code == 201
    key = made.get_json()["write_key"]
    sent = client.post("/api/logs/new", json={"event": "a"}, headers={"X-API-Key": key})
    assert sent.status_code == 200


def test_an_app_id_is_made_of_the_name_where_none_is_given(client: FlaskClient, world: World) -> None:
    made = world.alice.post(client, "/api/apps", {"name": "Über Shop!"})
    assert made.get_json()["app_id"].startswith("ber-shop-")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "Shop", "app_id": "shop"}, 409, "app_id_taken"),
        ({"name": "", "app_id": "x"}, 422, "bad_name"),
        ({"app_id": "x"}, 422, "bad_name"),
        ({"name": ["x"]}, 422, "bad_name"),
        ({"name": "a\u202eb"}, 422, "bad_name"),
        ({"name": "x" * 101}, 422, "bad_name"),
        ({"name": "x", "app_id": "../up"}, 422, "bad_app_id"),
        ({"name": "x", "app_id": "UPPER"}, 422, "bad_app_id"),
        ({"name": "x", "app_id": 7}, 422, "bad_app_id"),
    ],
)
def test_what_is_no_app_is_refused(
    client: FlaskClient, world: World, body: dict[str, Any], status: int, code: str
) -> None:
    answer = world.alice.post(client, "/api/apps", body)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_an_api_key_has_its_scopes_and_no_more(client: FlaskClient, world: World) -> None:
    made = world.alice.post(client, "/api/keys", {"scopes": ["read"]}).get_json()
    reader = {"Authorization": f"Bearer {made['api_key']}"}
    assert client.get("/api/apps/shop/summary", headers=reader).status_code == 200
    refused = client.post("/api/apps", json={"name": "x"}, headers=reader)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "forbidden")
    for scopes in ([], ["write"], "read", None):
        assert world.alice.post(client, "/api/keys", {"scopes": scopes}).status_code == 422


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"{", "application/json"), (b"{}", "text/plain"), (b"[]", "application/json")]
)
def test_only_json_objects_are_taken(
    client: FlaskClient, world: World, body: bytes, content_type: str
) -> None:
    headers = {"Authorization": f"Bearer {world.alice.api_key}", "Content-Type": content_type}
    answer = client.post("/api/apps", data=body, headers=headers)
    assert answer.status_code in (400, 415)
    assert answer.get_json()["code"] in ("bad_json", "unsupported_media_type")


def test_publishing_makes_a_version_that_judges(client: FlaskClient, world: World) -> None:
    draft = world.alice.post(client, f"{PATH}?format=csv", SHEET).get_json()
    assert (draft["plan_version"], draft["draft_revision"], draft["problems"]) == (None, 1, [])
    assert (draft["events"], draft["rules"]) == (1, 2)
    published = world.alice.post(client, f"{PATH}?format=csv&publish=true", SHEET).get_json()
    assert published["plan_version"] == 1
    assert {"warnings", "loss"} <= published.keys()
    answer = world.alice.send(client, EVENT).get_json()
    assert (answer["plan_version"], answer["results"][0]["verdict"]) == (1, "invalid")


def test_a_new_version_replaces_and_merging_keeps_the_rest(client: FlaskClient, world: World) -> None:
    world.alice.post(client, f"{PATH}?format=csv&publish=true", SHEET)
    merged = world.alice.post(client, f"{PATH}?format=json-schema&publish=true&mode=merge", SCHEMAS)
    assert merged.status_code == 200
    expected = world.alice.get(client, "/api/apps/shop/plan/expected?event=buy").get_json()
    assert [f["path"] for f in expected["fields"]] == ["price", "note"]
    world.alice.post(client, f"{PATH}?format=json-schema&publish=true", SCHEMAS)
    assert world.alice.get(client, "/api/apps/shop/plan/expected?event=buy").get_json()["fields"] == []


def test_a_plan_with_a_bad_line_changes_nothing(client: FlaskClient, world: World) -> None:
    world.alice.post(client, f"{PATH}?format=csv&publish=true", SHEET)
    bad = b"eventName,eventPayload,dataType\nbuy,price,number\n,total,colour\n"
    answer = world.alice.post(client, f"{PATH}?format=csv&publish=true", bad)
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (422, "plan_invalid")
    (problem,) = body["problems"]
    assert problem["line"] == 3
    assert problem["code"]
    assert world.alice.get(client, "/api/apps/shop/plan/expected?event=buy").get_json()["plan_version"] == 1


@pytest.mark.parametrize("query", ["format=xls", "format=csv&mode=add", "format=csv&publish=maybe", ""])
def test_unknown_wishes_are_refused(client: FlaskClient, world: World, query: str) -> None:
    assert world.alice.post(client, f"{PATH}?{query}", SHEET).status_code == 400


def test_two_publishers_at_once_get_two_versions(flask_app: Any, world: World) -> None:
    versions: list[int] = []

    def publish() -> None:
        answer = world.alice.post(flask_app.test_client(), f"{PATH}?format=csv&publish=true", SHEET)
        versions.append(answer.get_json()["plan_version"])

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == [1, 2, 3, 4]


def test_a_foreign_plan_cannot_be_touched(client: FlaskClient, world: World) -> None:
    world.alice.post(client, "/api/apps", {"name": "Mine", "app_id": "mine"})
    answer = world.charlie.post(client, "/api/apps/mine/plan/import?format=csv&publish=true", SHEET)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_app")
