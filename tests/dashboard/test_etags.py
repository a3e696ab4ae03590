"""Reads carry an ETag: who has the answer already is told so in a line, and never that an old one still holds."""

import pytest
from flask.testing import FlaskClient

from tests.world import World

READS = (
    "/api/usage",
    "/api/apps/shop/events",
    "/api/apps/shop/summary",
    "/api/apps/shop",
    "/api/apps/shop/deletions",
    "/api/apps/shop/refused",
    "/api/members",
)


@pytest.mark.parametrize("path", READS)
def test_an_answer_that_is_known_is_not_sent_again(client: FlaskClient, world: World, path: str) -> None:
    first = world.alice.get(client, path)
    assert first.status_code == 200
    headers = {"Authorization": f"Bearer {world.alice.api_key}", "If-None-Match": first.headers["ETag"]}
    again = client.get(path, headers=headers)
    assert (again.status_code, again.data) == (304, b"")
    assert client.get(path, headers=headers | {"If-None-Match": '"other"'}).data == first.data


def test_a_new_event_is_a_new_answer_and_a_key_without_rights_gets_none(
    client: FlaskClient, world: World
) -> None:
    path = "/api/apps/shop/summary"
    known = world.alice.get(client, path).headers["ETag"]
    world.alice.send(client, {"event": "a"})
    headers = {"Authorization": f"Bearer {world.alice.api_key}", "If-None-Match": known}
    assert client.get(path, headers=headers).status_code == 200
    assert client.get(path, headers={"If-None-Match": known}).status_code == 401
