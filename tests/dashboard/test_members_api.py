"""Members over JSON: what the page does, for a signed-in person's program; a key only looks."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.auth.conftest import another, visitor  # noqa: F401  (fixtures, here as well)
from tests.auth.test_members import accept, ids, link, roles
from tests.auth.visitor import Visitor
from tests.conftest import eventually
from tests.world import World

Another = Callable[..., Visitor]


@pytest.fixture
def alice(visitor: Visitor) -> Visitor:  # noqa: F811
    """The owner of an organisation."""
    return visitor.join()


def call(who: Visitor, method: str, path: str, body: Any = None) -> TestResponse:
    headers = {"X-CSRF-Token": who.token(), "Accept": "application/json"}
    return who.ask(method, f"/api/members{path}", headers=headers, json=body)


def member(alice: Visitor, another: Another, role: str) -> Visitor:  # noqa: F811
    """Invited, joined, and at work in Alice's organisation."""
    bob = another().join()
    assert call(alice, "POST", "/invitations", {"email": bob.email, "role": role}).status_code == 201
    assert accept(bob, link(alice, bob.email)).status_code == 303
    return bob


def test_who_is_there_and_who_is_invited(alice: Visitor, another: Another, owner: Any) -> None:  # noqa: F811
    bob = member(alice, another, "viewer")
    invited = call(alice, "POST", "/invitations", {"email": "new@example.com", "role": "admin"}).get_json()
    listed = call(alice, "GET", "").get_json()
    assert [(m["email"], m["role"]) for m in listed["members"]] == [
        (alice.email, "owner"),
        (bob.email, "viewer"),
    ]
    assert listed["members"][1]["id"] == ids(owner, bob)[0]
    assert [(i["id"], i["email"], i["role"]) for i in listed["invitations"]] == [
        (invited["id"], "new@example.com", "admin")
    ]
    assert "invitations" not in call(bob, "GET", "").get_json(), "not a viewer's business"


def test_an_invitation_is_sent_again_and_taken_back(alice: Visitor) -> None:
    invited = call(alice, "POST", "/invitations", {"email": "new@example.com", "role": "viewer"})
    again = call(alice, "POST", "/invitations", {"email": "new@example.com", "role": "viewer"})
    assert (again.status_code, again.get_json()["code"]) == (409, "already_invited")
    path = f"/invitations/{invited.get_json()['id']}"
    assert call(alice, "POST", f"{path}/again").status_code == 204
    assert call(alice, "DELETE", path).status_code == 204
    gone = call(alice, "DELETE", path)
    assert (gone.status_code, gone.get_json()["code"]) == (404, "unknown_invitation")
    assert call(alice, "GET", "").get_json()["invitations"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": 1, "role": "viewer"},
        {"email": "a@example.com", "role": ["admin"]},
        {"email": "a@example.com"},
    ],
)
def test_what_is_no_text_is_refused_by_name(alice: Visitor, body: dict[str, Any]) -> None:
    answer = call(alice, "POST", "/invitations", body)
    assert answer.status_code == 422
    assert answer.get_json()["code"] in ("bad_email", "bad_role")


def test_a_member_is_promoted_handed_over_to_and_removed(
    alice: Visitor,
    another: Another,  # noqa: F811
    owner: Any,
) -> None:
    bob, carol = member(alice, another, "viewer"), member(alice, another, "viewer")
    organisation_id = ids(owner, alice)[1]
    bobs, carols = (f"/{ids(owner, who)[0]}" for who in (bob, carol))
    assert call(alice, "PATCH", bobs, {"role": "editor"}).status_code == 204
    assert call(alice, "PATCH", bobs, {"role": "king"}).status_code == 422
    assert call(alice, "PATCH", bobs, {"role": {}}).status_code == 422
    assert call(alice, "DELETE", carols).status_code == 204
    assert call(alice, "POST", f"{bobs}/owner").status_code == 204
    assert roles(owner, organisation_id) == {alice.email: "admin", bob.email: "owner"}
    eventually(lambda: call(alice, "POST", f"{bobs}/owner").status_code == 403, 1.0)
    last = call(bob, "DELETE", bobs)
    assert (last.status_code, last.get_json()["code"]) == (409, "last_owner")


def test_a_key_sees_members_and_changes_none(flask_app: Flask, world: World) -> None:
    client = flask_app.test_client()
    seen = world.alice.get(client, "/api/members")
    assert (seen.status_code, set(seen.get_json())) == (200, {"members"})
    answer = world.alice.post(client, "/api/members/invitations", {"email": "a@example.com", "role": "admin"})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "forbidden")
