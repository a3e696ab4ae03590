"""A plan's draft over JSON: made by an import or an edit, never overwritten unseen, previewed, published, discarded."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.extensions import db
from app.store import drafts
from app.store.tables import AuditLine
from tests.world import Tenant, World

PLAN = "/api/apps/shop/plan"
DRAFT = f"{PLAN}/draft"
SHEET = b"eventName,eventPayload,dataType,required\nbuy,total,number,yes\n,sku,text,no\nleave,why,text,no\n"
OTHER = b"eventName,eventPayload,dataType,required\nbuy,total,text,yes\n"
REQUIRE_SKU = {"op": "set_rule", "event": "buy", "path": "sku", "set": {"required": True}}
DROP_LEAVE = {"op": "delete_event", "event": "leave"}


@pytest.fixture
def alice(world: World) -> Tenant:
    return world.alice


@pytest.fixture
def published(client: FlaskClient, alice: Tenant) -> int:
    return imported(client, alice, SHEET, "&publish=true").get_json()["plan_version"]


@pytest.fixture
def edit(client: FlaskClient, alice: Tenant) -> Callable[..., TestResponse]:
    def post(revision: int, *operations: dict[str, Any]) -> TestResponse:
        return alice.post(client, DRAFT, {"revision": revision, "operations": list(operations)})

    return post


def imported(client: FlaskClient, tenant: Tenant, sheet: bytes, query: str = "") -> TestResponse:
    return tenant.post(client, f"{PLAN}/import?format=csv{query}", sheet)


def shown(client: FlaskClient, tenant: Tenant, path: str = "") -> dict[str, Any]:
    return tenant.get(client, DRAFT + path).get_json()


def rules(client: FlaskClient, tenant: Tenant, event: str = "buy") -> dict[str, dict[str, Any]]:
    return {rule["path"]: rule for rule in shown(client, tenant)["content"]["events"][event].get("rules", [])}


def judged(client: FlaskClient, tenant: Tenant, payload: dict[str, Any]) -> tuple[int | None, str]:
    client.application.extensions["senders"]._remembered.clear()  # half a second, in short
    answer = tenant.send(client, {"event": "buy", "payload": payload}).get_json()
    return answer["plan_version"], answer["results"][0]["verdict"]


def test_without_a_plan_there_is_an_empty_start(client: FlaskClient, alice: Tenant) -> None:
    draft = shown(client, alice)
    assert (draft["exists"], draft["revision"], draft["current_version"]) == (False, 0, None)
    assert draft["content"]["events"] == {}


def test_an_edit_begins_the_draft_and_judges_nothing(
    client: FlaskClient, alice: Tenant, published: int, edit: Callable[..., TestResponse]
) -> None:
    answer = edit(0, REQUIRE_SKU, DROP_LEAVE)
    told = answer.get_json()
    assert (answer.status_code, told["exists"], told["revision"]) == (200, True, 1)
    assert (told["base_version"], told["events"], told["rules"]) == (published, 1, 2)
    assert told["changed_by"].startswith("API key lva_")
    assert rules(client, alice)["sku"]["required"] is True
    assert judged(client, alice, {"total": 1}) == (published, "valid")


def test_an_app_without_a_plan_gets_one_by_its_first_edit(
    client: FlaskClient, alice: Tenant, edit: Callable[..., TestResponse]
) -> None:
    rule = {"op": "add_rule", "event": "buy", "rule": {"path": "total", "type": "number"}}
    assert edit(0, {"op": "add_event", "event": "buy"}, rule).status_code == 200
    assert judged(client, alice, {"total": 1}) == (None, "unplanned")
    assert alice.post(client, f"{DRAFT}/publish", {"revision": 1}).get_json() == {"plan_version": 1}
    assert judged(client, alice, {"total": 1}) == (1, "valid")


def test_an_import_that_is_not_published_is_the_draft(
    client: FlaskClient, alice: Tenant, published: int
) -> None:
    answer = imported(client, alice, OTHER).get_json()
    assert (answer["plan_version"], answer["draft_revision"]) == (None, 1)
    assert rules(client, alice)["total"]["type"] == "text"
    assert judged(client, alice, {"total": 1}) == (published, "valid")


def test_of_two_editors_the_slower_is_told_what_the_quicker_changed(
    client: FlaskClient, alice: Tenant, published: int, edit: Callable[..., TestResponse]
) -> None:
    assert edit(0, DROP_LEAVE).status_code == 200
    assert edit(1, REQUIRE_SKU).status_code == 200
    late = edit(1, {"op": "set_rule", "event": "buy", "path": "sku", "set": {"type": "integer"}})
    told = late.get_json()
    assert (late.status_code, told["code"], told["detail"]["revision"]) == (409, "plan_changed", 2)
    assert [change["message"] for change in told["detail"]["changes"]] == ["`sku` of `buy` became required."]
    assert told["detail"]["changed_by"].startswith("API key lva_")
    assert rules(client, alice)["sku"]["type"] == "text"
    first = edit(0, REQUIRE_SKU).get_json()
    assert {change["message"] for change in first["detail"]["changes"]} == {
        "`sku` of `buy` became required.",
        "`leave` was removed: it is unplanned now.",
    }


def test_nobody_overwrites_a_draft_by_an_import_that_has_not_seen_it(
    client: FlaskClient, alice: Tenant, published: int, edit: Callable[..., TestResponse]
) -> None:
    edit(0, REQUIRE_SKU)
    for query in ("", "&revision=0"):
        assert imported(client, alice, OTHER, query).status_code == 409
    assert imported(client, alice, OTHER, "&revision=1").get_json()["draft_revision"] == 2
    assert imported(client, alice, SHEET, "&publish=true&version=0").status_code == 409
    assert imported(client, alice, SHEET, f"&publish=true&version={published}").status_code == 200


def test_of_many_at_once_one_wins(flask_app: Flask, alice: Tenant, published: int) -> None:
    together = Barrier(6)

    def one(number: int) -> int:
        operation = {"op": "add_event", "event": f"event{number}"}
        client = flask_app.test_client()
        together.wait()
        return alice.post(client, DRAFT, {"revision": 0, "operations": [operation]}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(one, range(6))) == [200] + 5 * [409]


def test_steps_are_taken_back_one_by_one(
    client: FlaskClient, alice: Tenant, published: int, edit: Callable[..., TestResponse]
) -> None:
    start = shown(client, alice)["content"]
    edit(0, REQUIRE_SKU)
    edit(1, DROP_LEAVE)
    once = shown(client, alice)["content"]
    edit(2, {"op": "rename_event", "event": "buy", "to": "order"})
    assert alice.post(client, f"{DRAFT}/undo", {"revision": 3}).get_json()["revision"] == 4
    assert shown(client, alice)["content"] == once
    alice.post(client, f"{DRAFT}/undo", {"revision": 4})
    assert alice.post(client, f"{DRAFT}/undo", {"revision": 4}).status_code == 409
    alice.post(client, f"{DRAFT}/undo", {"revision": 5})
    assert shown(client, alice)["content"] == start
    nothing = alice.post(client, f"{DRAFT}/undo", {"revision": 6})
    assert (nothing.status_code, nothing.get_json()["code"]) == (409, "nothing_to_undo")
    # Who saw the second revision is told what it came to, undone or not.
    missed = edit(2, REQUIRE_SKU).get_json()["detail"]["changes"]
    assert {change["message"] for change in missed} == {
        "`sku` of `buy` became optional.",
        "`leave` was added.",
    }


def test_steps_are_remembered_up_to_a_number(
    client: FlaskClient,
    alice: Tenant,
    edit: Callable[..., TestResponse],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drafts, "MOST_STEPS", 4)  # taking one back is one, too
    for number in range(6):
        edit(number, {"op": "add_event", "event": f"event{number}"})
    for revision, status in ((6, 200), (7, 200), (8, 409)):
        assert alice.post(client, f"{DRAFT}/undo", {"revision": revision}).status_code == status
    assert list(shown(client, alice)["content"]["events"]) == ["event0", "event1", "event2", "event3"]
    assert edit(0, DROP_LEAVE).get_json()["detail"]["changes"] is None


def test_a_preview_tells_in_words_what_publishing_would_change(
    client: FlaskClient, alice: Tenant, published: int, edit: Callable[..., TestResponse]
) -> None:
    edit(0, REQUIRE_SKU, {"op": "add_event", "event": "join"})
    told = shown(client, alice, "/preview")
    assert [(change["weight"], change["message"]) for change in told["changes"]] == [
        ("breaking", "`sku` of `buy` became required."),
        ("neutral", "`join` was added."),
    ]
    assert told["counts"] == {"breaking": 1, "loosening": 0, "neutral": 1}
    assert (told["problems"], told["is_behind"], told["revision"]) == ([], False, 1)


def test_a_preview_says_what_would_be_refused(
    client: FlaskClient, alice: Tenant, published: int, edit: Callable[..., TestResponse], owner: Any
) -> None:
    """A draft of an older release may hold what this one refuses."""
    edit(0, REQUIRE_SKU)
    with owner.cursor() as cursor:
        cursor.execute("UPDATE plan_drafts SET content = replace(content, '\"number\"', '\"colour\"')")
    (problem,) = shown(client, alice, "/preview")["problems"]
    assert (problem["code"], problem["path"]) == ("unknown_type", "buy: total")
    refused = alice.post(client, f"{DRAFT}/publish", {"revision": 1})
    assert (refused.status_code, refused.get_json()["problems"]) == (422, [problem])
    assert judged(client, alice, {"total": 1}) == (published, "valid")


def test_publishing_ends_the_draft_and_keeps_its_note_and_author(
    client: FlaskClient, alice: Tenant, published: int, edit: Callable[..., TestResponse]
) -> None:
    edit(0, REQUIRE_SKU)
    stale = alice.post(client, f"{DRAFT}/publish", {"revision": 0})
    assert (stale.status_code, stale.get_json()["code"]) == (409, "plan_changed")
    body = {"revision": 1, "note": " The shop needs the sku. "}
    assert alice.post(client, f"{DRAFT}/publish", body).get_json() == {"plan_version": published + 1}
    assert judged(client, alice, {"total": 1}) == (published + 1, "invalid")
    draft = shown(client, alice)
    assert (draft["exists"], draft["revision"], draft["current_version"]) == (False, 2, published + 1)
    version = alice.get(client, f"{PLAN}/versions").get_json()["versions"][0]
    assert (version["note"], version["source_format"]) == ("The shop needs the sku.", "editor")
    assert version["author"].startswith("API key lva_")
    assert version["changes"] == {"breaking": 1, "loosening": 0, "neutral": 0}
    line = db.session.execute(select(AuditLine).order_by(AuditLine.id.desc()).limit(1)).scalar_one()
    assert (line.action, line.details["version"], line.details["note"]) == (
        "plan_published",
        published + 1,
        "The shop needs the sku.",
    )


def test_a_draft_does_not_undo_a_version_that_came_into_force_beside_it(
    client: FlaskClient, alice: Tenant, published: int, edit: Callable[..., TestResponse]
) -> None:
    edit(0, DROP_LEAVE)
    imported(client, alice, OTHER, "&publish=true")
    assert shown(client, alice, "/preview")["is_behind"] is True
    refused = alice.post(client, f"{DRAFT}/publish", {"revision": 1})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "plan_changed")
    messages = {change["message"] for change in refused.get_json()["detail"]["changes"]}
    assert "`total` of `buy` changed from `number` to `text`." in messages
    answer = alice.post(client, f"{DRAFT}/publish", {"revision": 1, "overwrite": True})
    assert answer.get_json() == {"plan_version": published + 2}


def test_going_back_is_refused_where_another_version_is_in_force_than_was_seen(
    client: FlaskClient, alice: Tenant, published: int
) -> None:
    imported(client, alice, OTHER, "&publish=true")
    path = f"{PLAN}/versions/{published}/revert"
    assert alice.post(client, path, {"version": published}).status_code == 409
    body = {"version": published + 1, "note": "The import was a mistake."}
    assert alice.post(client, path, body).get_json()["plan_version"] == published + 2
    version = alice.get(client, f"{PLAN}/versions").get_json()["versions"][0]
    assert version["note"] == "The import was a mistake."


def test_discarding_forgets_the_draft(
    client: FlaskClient, alice: Tenant, published: int, edit: Callable[..., TestResponse]
) -> None:
    edit(0, REQUIRE_SKU)
    headers = {"Authorization": f"Bearer {alice.api_key}"}
    assert client.delete(f"{DRAFT}?revision=0", headers=headers).status_code == 409
    assert client.delete(DRAFT, headers=headers).status_code == 422
    gone = client.delete(f"{DRAFT}?revision=1", headers=headers)
    assert (gone.get_json()["exists"], gone.get_json()["revision"]) == (False, 2)
    for path in ("/preview",):
        assert alice.get(client, DRAFT + path).get_json()["code"] == "no_draft"
    assert alice.post(client, f"{DRAFT}/publish", {"revision": 2}).get_json()["code"] == "no_draft"
    assert client.delete(f"{DRAFT}?revision=2", headers=headers).status_code == 404
    assert edit(1, REQUIRE_SKU).status_code == 409  # what was discarded is not begun anew unseen


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"revision": True, "operations": [REQUIRE_SKU]}, 400),
        ({"revision": 10**12, "operations": [REQUIRE_SKU]}, 400),
        ({"revision": 0}, 422),
        ({"revision": 0, "operations": []}, 422),
        ({"revision": 0, "operations": [None]}, 422),
        ({"revision": 0, "operations": [{"op": "delete_event", "event": "nobody"}]}, 422),
    ],
)
def test_a_bad_body_is_refused_and_nothing_changes(
    client: FlaskClient, alice: Tenant, published: int, body: dict[str, Any], status: int
) -> None:
    answer = alice.post(client, DRAFT, body)
    assert answer.status_code in {status, 422}
    assert answer.get_json()["code"] in ("bad_field", "plan_invalid")
    assert shown(client, alice)["exists"] is False


def test_a_note_has_its_bounds(
    client: FlaskClient, alice: Tenant, published: int, edit: Callable[..., TestResponse]
) -> None:
    edit(0, REQUIRE_SKU)
    for note in ("x" * 1001, "a\x00b", 7):
        answer = alice.post(client, f"{DRAFT}/publish", {"revision": 1, "note": note})
        assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_note")


def test_another_organisations_draft_is_not_seen(
    client: FlaskClient, world: World, published: int, edit: Callable[..., TestResponse]
) -> None:
    edit(0, REQUIRE_SKU)
    assert shown(client, world.charlie)["exists"] is False  # whose own app is called the same
    assert world.charlie.get(client, f"{DRAFT}/preview").status_code == 404
    assert world.charlie.post(client, f"{DRAFT}/publish", {"revision": 1}).status_code == 404


def test_looking_and_changing_take_a_fixed_number_of_questions(
    client: FlaskClient,
    alice: Tenant,
    published: int,
    edit: Callable[..., TestResponse],
    statements: list[str],
) -> None:
    counts = []
    for revision, names in ((0, range(1)), (1, range(100, 300))):
        statements.clear()
        edit(revision, *({"op": "add_event", "event": f"event{name}"} for name in names))
        shown(client, alice)
        shown(client, alice, "/preview")
        counts.append(sum("plan" in statement for statement in statements))  # not those about the key
    assert counts[0] == counts[1] + 2  # the first reads what it begins from, and compiles it once
    assert counts[1] <= 16
