"""Usage: every figure a count of what came, by app and day, paged, and nobody else's."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.auth.visitor import Mailbox, Visitor
from tests.conftest import eventually
from tests.ingest.test_batches import plain_driver, work  # noqa: F401  (a fixture)
from tests.store.test_rollups import fold, rows_of
from tests.world import Tenant, World

ONE = {"event": "a", "payload": {"word": "ä"}}
TODAY = str(datetime.now(UTC).date())


def used(client: FlaskClient, who: Tenant, query: str = "") -> dict[str, Any]:
    answer = who.get(client, f"/api/usage{query}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def write(flask_app: Flask) -> None:
    flask_app.extensions["used_up"].write()


def test_what_comes_is_counted_before_and_after_the_fold(
    flask_app: Flask, client: FlaskClient, world: World, owner: Any
) -> None:
    world.alice.send(client, [ONE, ONE | {"messageId": "m"}])
    world.alice.send(client, ONE | {"messageId": "m"})  # a duplicate
    world.alice.send(client, b"{")  # refused
    world.charlie.send(client, ONE)
    write(flask_app)
    stored = "SELECT sum(octet_length(payload::text) + octet_length(envelope::text)) FROM log_entries WHERE app_id = %s"
    ((size,),) = rows_of(owner, stored, world.alice.app.id)
    wanted = {"day": TODAY, "app_id": "shop", "events": 2, "requests": 3, "bytes": size, "credits": 2}
    for _ in range(2):
        found = used(client, world.alice)
        assert found["usage"] == [wanted]
        assert found["month"]["events"] == found["month"]["credits"] == 2
        assert found["month"]["quota"] is None
        fold()
    assert used(client, world.charlie)["usage"][0]["events"] == 1


@pytest.mark.usefixtures("plain_driver")
def test_an_upload_is_counted_as_what_it_holds(flask_app: Flask, client: FlaskClient, world: World) -> None:
    lines = b'{"event": "a"}\n{"event": "b"}\n{broken'
    assert world.alice.send(client, lines, "/api/logs/shop/batches").status_code == 202
    work(flask_app)
    write(flask_app)
    (row,) = used(client, world.alice)["usage"]
    assert (row["events"], row["requests"]) == (2, 1)
    assert row["bytes"] > 0


def test_what_cannot_be_written_is_kept(
    flask_app: Flask, client: FlaskClient, world: World, owner: Any
) -> None:
    world.alice.send(client, ONE)
    rows_of(owner, "ALTER TABLE usage_days RENAME TO away; SELECT 1")
    write(flask_app)
    rows_of(owner, "ALTER TABLE away RENAME TO usage_days; SELECT 1")
    world.alice.send(client, ONE)
    write(flask_app)
    assert used(client, world.alice)["usage"][0]["requests"] == 2


@pytest.fixture
def many(client: FlaskClient, world: World, owner: Any) -> World:
    """Twenty-five days of Alice's app, the n-th with n events."""
    rows_of(
        owner,
        "INSERT INTO usage_days (app_id, day, organisation_id, events, requests, bytes)"
        " SELECT %s, DATE '2025-01-01' + n, %s, n, n * 2, 100 - n FROM generate_series(1, 25) n RETURNING 1",
        world.alice.app.id,
        world.alice.organisation_id,
    )
    return world


def test_pages_add_up_and_sort(client: FlaskClient, many: World) -> None:
    pages = [
        used(client, many.alice, f"?page_size=10&page={n}&sort_by=events&sort_order=asc")
        for n in (1, 2, 3, 4)
    ]
    assert [row["events"] for page in pages for row in page["usage"]] == list(range(1, 26))
    assert pages[1]["pagination"] == {"page": 2, "page_size": 10, "total": 25, "total_pages": 3}
    assert pages[3]["usage"] == []
    assert used(client, many.alice, "?page_size=1")["usage"][0]["day"] == "2025-01-26"
    by_bytes = used(client, many.alice, "?sort_by=bytes&page_size=1")["usage"]
    assert by_bytes[0]["bytes"] == 99
    some = used(client, many.alice, "?from=2025-01-03&to=2025-01-05&app_id=shop")
    assert [row["events"] for row in some["usage"]] == [4, 3, 2]
    assert used(client, many.alice, "?app_id=nobody")["usage"] == []
    assert used(client, many.charlie)["usage"] == []


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=1000000000000000000",
        "page=1e3",
        "page=NaN",
        "page_size=0",
        "page_size=1000000000",
    ]
    + ["sort_by=organisation_id", "sort_by=day;drop", "sort_order=up", "from=x", "from=2025-02-30", "to=1e9"]
    + ["from=2025-01-02&to=2025-01-01", "app_id=%00"],
)
def test_nonsense_in_the_address_is_told(client: FlaskClient, world: World, query: str) -> None:
    answer = world.alice.get(client, f"/api/usage?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_filter")


def test_the_page_shows_it_and_only_an_owner_sets_the_quota(
    flask_app: Flask, mailbox: Mailbox, owner: Any, statements: list[str]
) -> None:
    alice = Visitor(flask_app, mailbox).join()
    assert "Nothing was used yet" in alice.ask("GET", "/organisation/usage").text
    key = alice.post("/api/apps", {"name": "Shop", "app_id": "shop"}).get_json()["write_key"]
    headers = {"Authorization": f"Bearer {key}"}
    flask_app.test_client().post("/api/logs/shop", json=[ONE] * 900, headers=headers)
    assert alice.submit("/organisation/usage/quota", credits="1,000", refuses="yes").status_code == 303
    statements.clear()
    page = alice.ask("GET", "/organisation/usage").text
    asked = sum("usage_days" in statement for statement in statements)
    assert "900" in page
    assert "90 %" in page
    assert "refused with 429" in page
    assert asked <= 4, "whatever there is"
    assert alice.submit("/organisation/usage/quota", credits="-1").status_code == 422
    assert alice.submit("/organisation/usage/quota", credits="9" * 30).status_code == 422
    ((chosen,),) = rows_of(owner, "SELECT quota_credits FROM organisations WHERE quota_refuses")
    assert chosen == 1000
    ((told,),) = rows_of(owner, "SELECT details FROM audit_log WHERE action = 'quota_changed'")
    assert told == {"credits": 1000, "refuses": True}
    rows_of(owner, "UPDATE memberships SET role = 'admin' RETURNING 1")
    eventually(lambda: alice.submit("/organisation/usage/quota", credits="5").status_code == 403, 5)
