"""The API's own document: it names every route, is what it says it is, and its examples are answered as it says."""

import re
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from app.dashboard.openapi.described import Example
from app.dashboard.openapi.table import DESCRIBED
from tests.world import World

# What the document names beside everything below /api.
BESIDE = {
    ("GET", "/auth/csrf"),
    ("POST", "/auth/register"),
    ("POST", "/auth/login"),
    ("POST", "/auth/verify"),
    ("POST", "/auth/logout"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/openapi.json"),
}
ORIGIN = "http://localhost"
EXAMPLES = [
    pytest.param(endpoint, example, id=f"{endpoint}: {example.name}")
    for endpoint, described in DESCRIBED.items()
    for example in described.examples
]


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.get_json()


def test_it_names_every_route_with_its_methods_and_nothing_else(
    flask_app: Flask, document: dict[str, Any]
) -> None:
    there = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in flask_app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    named = {
        (method.upper(), path) for path, operations in document["paths"].items() for method in operations
    }
    assert named == there | BESIDE


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(document)] == []


def test_every_reference_and_security_scheme_is_there(document: dict[str, Any]) -> None:
    parts = document["components"]
    for _, kind, name in re.findall(r'"#/(components)/(\w+)/(\w+)"', orjson.dumps(document).decode()):
        assert name in parts[kind], name
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert {name for one in operations for way in one["security"] for name in way} == set(
        parts["securitySchemes"]
    )
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] for one in operations)


@pytest.mark.parametrize(("endpoint", "example"), EXAMPLES)
def test_an_example_is_answered_as_it_says(
    flask_app: Flask, client: FlaskClient, world: World, endpoint: str, example: Example
) -> None:
    alice = world.alice
    sheet = b"eventName,eventPayload,dataType,required\nview,sku,text,true\n"
    assert alice.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", sheet).status_code == 200
    body = example.value if isinstance(example.value, str) else orjson.dumps(example.value)
    for rule in flask_app.url_map.iter_rules(endpoint):
        path = rule.rule.replace("<app_id>", "shop").replace(
            "<uuid:fingerprint>", "00000000-0000-0000-0000-000000000000"
        )
        path = path.replace("<int:user_id>", "1")
        if path.startswith("/auth/"):
            token = client.get("/auth/csrf").get_json()["csrf_token"]
            headers = {"X-CSRF-Token": token, "Origin": ORIGIN}
        else:
            key = alice.write_key if path.startswith("/api/logs") else alice.api_key
            headers = {"Authorization": f"Bearer {key}"}
        method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        answer = client.open(
            path + example.query, method=method, data=body, content_type=example.media_type, headers=headers
        )
        assert answer.status_code == example.status, answer.text
        assert example.status in DESCRIBED[endpoint].answers
        if example.status >= 400:
            assert {"code", "message"} <= set(answer.get_json())


def test_who_has_the_document_gets_304(client: FlaskClient) -> None:
    for path in ("/openapi.json", "/docs/api"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_page_shows_every_route(client: FlaskClient, document: dict[str, Any]) -> None:
    page = client.get("/docs/api").text
    for path, operations in document["paths"].items():
        assert f">{path}</code>" in page
        assert all(f'id="{operation["operationId"]}"' in page for operation in operations.values())
    assert " style=" not in page
    assert "http://" not in page
