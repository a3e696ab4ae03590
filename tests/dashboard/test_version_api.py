"""A plan's history over JSON: what is there, what changed in words, and back again by a new version."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.store.tables import AuditLine, PlanVersion
from tests.world import World

VERSIONS = "/api/apps/shop/plan/versions"
FIRST = b"""eventName,eventPayload,dataType,required,enum,description
purchase,order_id,text,no,,
,total,integer,yes,,
,currency,text,yes,EUR|USD,
left,why,text,no,,
"""
SECOND = b"""eventName,eventPayload,dataType,required,enum,description
purchase,order_id,text,yes,,
,total,number,yes,,
,currency,text,yes,EUR|GBP,as ISO says
came,how,text,no,,
"""
SAID = {
    ("breaking", "`order_id` of `purchase` became required."),
    ("breaking", "`currency` of `purchase` no longer allows `USD`."),
    ("breaking", "`left` was removed: it is unplanned now."),
    ("loosening", "`total` of `purchase` changed from `integer` to `number`."),
    ("loosening", "`currency` of `purchase` now also allows `GBP`."),
    ("neutral", "`came` was added."),
    ("neutral", "The description of `currency` of `purchase` changed."),
}


def publish(client: FlaskClient, world: World, sheet: bytes) -> int:
    answer = world.alice.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", sheet)
    assert answer.status_code == 200
    return answer.get_json()["plan_version"]


def get(client: FlaskClient, world: World, path: str) -> Any:
    return client.get(path, headers={"Authorization": f"Bearer {world.alice.api_key}"})


@pytest.fixture
def two(client: FlaskClient, world: World) -> list[int]:
    return [publish(client, world, FIRST), publish(client, world, SECOND)]


def test_what_changed_is_told_in_words_with_its_weight(
    client: FlaskClient, world: World, two: list[int]
) -> None:
    told = get(client, world, f"{VERSIONS}/2/changes").get_json()
    assert {(change["weight"], change["message"]) for change in told["changes"]} == SAID
    assert told["counts"] == {"breaking": 3, "loosening": 2, "neutral": 2}
    weights = [change["weight"] for change in told["changes"]]
    assert weights == sorted(weights)  # breaking ones first
    back = get(client, world, f"{VERSIONS}/1/changes?since=2").get_json()
    assert ("loosening", "`order_id` of `purchase` became optional.") in {
        (change["weight"], change["message"]) for change in back["changes"]
    }


def test_a_first_version_is_compared_with_an_empty_plan(
    client: FlaskClient, world: World, two: list[int]
) -> None:
    told = get(client, world, f"{VERSIONS}/1/changes").get_json()
    assert [change["code"] for change in told["changes"]] == ["event_added", "event_added"]


def test_going_back_is_a_new_version_and_in_the_log(
    client: FlaskClient, world: World, two: list[int]
) -> None:
    answer = world.alice.post(client, f"{VERSIONS}/1/revert", {})
    assert answer.get_json() == {"plan_version": 3, "reverted_to": 1}
    told = get(client, world, VERSIONS).get_json()
    assert told["current"] == 3
    assert [version["version"] for version in told["versions"]] == [3, 2, 1]
    assert [version["source_format"] for version in told["versions"]] == ["revert", "csv", "csv"]
    assert get(client, world, f"{VERSIONS}/3/changes?since=1").get_json()["changes"] == []
    details = db.session.execute(
        select(AuditLine.details).order_by(AuditLine.id.desc()).limit(1)
    ).scalar_one()
    assert (details["version"], details["reverted_to"]) == (3, 1)


@pytest.mark.parametrize("path", ["9/changes", "1/changes?since=9", "99999999999999/changes"])
def test_a_version_that_is_not_there_is_not_found(
    client: FlaskClient, world: World, two: list[int], path: str
) -> None:
    answer = get(client, world, f"{VERSIONS}/{path}")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_version")
    assert world.alice.post(client, f"{VERSIONS}/9/revert", {}).status_code == 404


def test_another_organisations_versions_are_not_seen(
    client: FlaskClient, world: World, two: list[int]
) -> None:
    stranger = {"Authorization": f"Bearer {world.charlie.api_key}"}  # whose own app is called the same
    assert client.get(VERSIONS, headers=stranger).get_json() == {"current": None, "versions": []}
    assert client.get(f"{VERSIONS}/1/changes", headers=stranger).status_code == 404
    assert world.charlie.post(client, f"{VERSIONS}/1/revert", {}).status_code == 404


@pytest.mark.parametrize("since", ["-1", "x", "9999999999"])
def test_what_is_no_version_is_refused(client: FlaskClient, world: World, two: list[int], since: str) -> None:
    answer = get(client, world, f"{VERSIONS}/2/changes?since={since}")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_filter")


def test_postgresql_itself_keeps_a_published_version_as_it_is(
    client: FlaskClient, world: World, two: list[int]
) -> None:
    for changed in ({"content": "{}"}, {"status": "draft"}, {"version": 9}, {"published_at": func.now()}):
        with pytest.raises(IntegrityError, match="never changes"):
            db.session.execute(update(PlanVersion).where(PlanVersion.version == 1).values(**changed))
        db.session.rollback()
