"""A plan's pages: its versions with author and note, what changed in words, the draft with its preview, going back."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.auth.visitor import Mailbox, Visitor
from tests.world import Tenant

PLAN = "/apps/shop/plan"
API = "/api/apps/shop/plan"
FIRST = "eventName,eventPayload,dataType,required\nbuy,total,number,yes\n,sku,text,no\n"
SECOND = "eventName,eventPayload,dataType,required\nbuy,total,number,yes\n,sku,text,yes\n"
EMPTY_SKU = {"op": "set_rule", "event": "buy", "path": "sku", "set": {"type": "integer"}}


@pytest.fixture
def alice(flask_app: Flask, mailbox: Mailbox) -> Visitor:
    """A signed-in person with an app `shop` that follows two versions."""
    visitor = Visitor(flask_app, mailbox).join()
    assert api(visitor, "/api/apps", {"name": "Shop", "app_id": "shop"}).status_code == 201
    for sheet, note in ((FIRST, "The beginning"), (SECOND, "The shop needs the sku")):
        path = f"{API}/import?format=csv&publish=true&note={note}"
        assert api(visitor, path, sheet, "text/csv").status_code == 200
    return visitor


def api(
    who: Visitor, path: str, body: Any, content_type: str = "application/json", method: str = "POST"
) -> Any:
    headers = {"X-CSRF-Token": who.token()}
    given = (
        {"json": body} if content_type == "application/json" else {"data": body, "content_type": content_type}
    )
    return who.ask(method, path, headers=headers, **given)


def shown(who: Visitor, path: str) -> str:
    """The text of a page, without its marks."""
    answer = who.ask("GET", path)
    assert answer.status_code == 200
    return words(answer.text)


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page[page.index("<main") :]))


def begin(who: Visitor, *operations: Any) -> int:
    answer = api(who, f"{API}/draft", {"revision": 0, "operations": list(operations or [EMPTY_SKU])})
    assert answer.status_code == 200
    return answer.get_json()["revision"]


def test_the_history_names_author_note_time_and_changes(alice: Visitor) -> None:
    page = shown(alice, f"{PLAN}/history")
    assert "The beginning" in page
    assert "The shop needs the sku" in page
    assert page.count(alice.email) == 2
    assert re.search(r"2 in force .* 1 breaking .* 1 event, 2 rules", page)


def test_any_two_versions_are_compared_in_words(alice: Visitor) -> None:
    assert "breaking sku of buy became required." in shown(alice, f"{PLAN}/changes?version=2")
    assert "loosening sku of buy became optional." in shown(alice, f"{PLAN}/changes?since=2&version=1")
    assert "neutral buy was added." in shown(alice, f"{PLAN}/changes?since=0&version=2")
    assert alice.ask("GET", f"{PLAN}/changes?since=9&version=2").status_code == 404
    assert alice.ask("GET", f"{PLAN}/changes?since=x").status_code == 400


def test_going_back_makes_a_new_version(alice: Visitor) -> None:
    answer = alice.submit(f"{PLAN}/versions/1/revert", version="2")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PLAN}/history")
    page = shown(alice, f"{PLAN}/history")
    assert re.search(r"3 in force .* Back to version 1 .*1 loosening", page), page
    stale = alice.submit(f"{PLAN}/versions/2/revert", version="2")
    assert stale.status_code == 409
    assert "sku of buy became optional." in words(stale.text)
    assert alice.submit(f"{PLAN}/versions/9/revert", version="3").status_code == 404


def test_the_drafts_banner_stands_on_the_plans_pages(alice: Visitor) -> None:
    assert "There is a draft" not in shown(alice, PLAN)
    begin(alice)
    for path in (PLAN, f"{PLAN}/history", f"{PLAN}/changes"):
        page = shown(alice, path)
        assert "There is a draft, last changed" in page
        assert f"by {alice.email}. It judges nothing" in page


def test_a_draft_is_previewed_and_published_with_a_note(alice: Visitor) -> None:
    revision = begin(alice)
    page = shown(alice, f"{PLAN}/draft")
    assert "breaking sku of buy changed from text to integer ." in page
    answer = alice.submit(f"{PLAN}/draft/publish", revision=str(revision), note="Numbers now")
    assert (answer.status_code, answer.headers["Location"]) == (303, PLAN)
    page = shown(alice, PLAN)
    assert "Version 3" in page
    assert "Numbers now" in page
    assert "No draft" in shown(alice, f"{PLAN}/draft")


def test_what_was_not_seen_is_not_published_and_the_note_stays(alice: Visitor) -> None:
    revision = begin(alice)
    api(alice, f"{API}/draft", {"revision": revision, "operations": [{"op": "add_event", "event": "join"}]})
    for action in ("publish", "discard"):
        answer = alice.submit(f"{PLAN}/draft/{action}", revision=str(revision), note="Mine")
        assert answer.status_code == 409
        assert "changed the plan after you opened it" in words(answer.text)
        assert "join was added." in words(answer.text)
        assert "Mine" in answer.text
    assert "Version 2" in shown(alice, PLAN)


def test_a_draft_with_problems_cannot_be_published(alice: Visitor, owner: Any) -> None:
    revision = begin(alice)
    with owner.cursor() as cursor:
        cursor.execute("UPDATE plan_drafts SET content = replace(content, '\"number\"', '\"colour\"')")
    page = alice.ask("GET", f"{PLAN}/draft").text
    assert "This keeps it from being published:" in page
    assert "The type `colour` is unknown." in page
    assert re.search(r'btn-primary w-100" disabled', page)
    assert alice.submit(f"{PLAN}/draft/publish", revision=str(revision)).status_code == 422


def test_a_draft_that_is_behind_asks_first(alice: Visitor) -> None:
    revision = begin(alice)
    api(alice, f"{API}/import?format=csv&publish=true", FIRST, "text/csv")
    assert "came into force after this draft was begun" in shown(alice, f"{PLAN}/draft")
    assert alice.submit(f"{PLAN}/draft/publish", revision=str(revision)).status_code == 409
    answer = alice.submit(f"{PLAN}/draft/publish", revision=str(revision), overwrite="on")
    assert answer.status_code == 303


def test_a_draft_is_discarded(alice: Visitor) -> None:
    revision = begin(alice)
    assert alice.submit(f"{PLAN}/draft/discard", revision=str(revision)).status_code == 303
    assert "There is a draft" not in shown(alice, PLAN)


def test_since_when_it_is_enforced_stands_on_the_page(alice: Visitor, owner: Any) -> None:
    assert "events from now on are judged by it" in shown(alice, PLAN)
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO plan_enforcements SELECT plan_id, 2, p, organisation_id, ms FROM apps,"
            " (VALUES ('a', 120), ('b', 340)) AS v (p, ms) WHERE slug = 'shop'"
        )
    assert "In force in 2 processes, the last after 0.34 s." in shown(alice, PLAN)
    assert "0.34 s 2 processes" in shown(alice, f"{PLAN}/history")


@pytest.mark.parametrize(
    "path", [PLAN, f"{PLAN}/history", f"{PLAN}/changes", f"{PLAN}/draft", f"{PLAN}/edit"]
)
def test_a_page_asks_a_fixed_number_of_questions(alice: Visitor, statements: list[str], path: str) -> None:
    begin(alice)
    counts = []
    for _ in range(2):
        alice.ask("GET", path)  # what memory holds, it holds now
        statements.clear()
        alice.ask("GET", path)
        counts.append(len([s for s in statements if "auth_sessions" not in s]))
        for number in range(5):
            sheet = FIRST.replace("sku", f"sku{number}")
            api(alice, f"{API}/import?format=csv&publish=true", sheet, "text/csv")
    assert counts[0] == counts[1] < 12


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            {"eventName": "buy", "payload": {"total": "7", "sku": "a"}},
            ("invalid", {"total"}, {"total": 7, "sku": "a"}),
        ),
        ({"event": "buy", "properties": {"total": 7, "sku": "a"}}, ("valid", set(), None)),
        ({"name": "byu"}, ("unplanned", {""}, None)),
    ],
)
def test_an_event_is_tried_by_the_draft(client: FlaskClient, world: Any, event: Any, said: Any) -> None:
    alice: Tenant = world.alice
    rule = {
        "op": "add_rule",
        "event": "buy",
        "rule": {"path": "total", "type": "number", "description": "In EUR."},
    }
    sku = {"op": "add_rule", "event": "buy", "rule": {"path": "sku", "type": "text"}}
    operations = [{"op": "add_event", "event": "buy"}, rule, sku]
    alice.post(client, f"{API}/draft", {"revision": 0, "operations": operations})
    told = alice.post(client, f"{API}/draft/try", {"event": event}).get_json()
    verdict, paths, corrected = said
    assert (told["verdict"], {v["path"] for v in told["violations"]}) == (verdict, paths)
    assert told["corrected"] == corrected
    assert all(v["message"] for v in told["violations"])
    if paths == {"total"}:
        assert told["violations"][0]["rule"]["description"] == "In EUR."


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (None, "not_an_object"),
        ({"payload": {}}, "no_event_name"),
        ({"event": " "}, "no_event_name"),
        ({"event": "a", "payload": 3}, "bad_payload"),
    ],
)
def test_what_is_no_event_is_told(client: FlaskClient, world: Any, event: Any, code: str) -> None:
    answer = world.alice.post(client, f"{API}/draft/try", {"event": event})
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)


def test_a_rehearsal_tells_the_problems_and_keeps_nothing(client: FlaskClient, world: Any) -> None:
    alice: Tenant = world.alice
    body = {"revision": 0, "operations": [{"op": "add_event", "event": "buy"}], "dry_run": True}
    assert alice.post(client, f"{API}/draft", body).get_json()["exists"] is False
    bad = {"op": "add_event", "event": "buy", "definition": {"schema": {"type": "colour"}}}
    answer = alice.post(client, f"{API}/draft", body | {"operations": [bad]})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "plan_invalid")
    assert alice.get(client, f"{API}/draft").get_json()["revision"] == 0
