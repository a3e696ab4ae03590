"""`require`: deny by default, who may do what, and what a stranger is told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, g

from app import create_app
from app.auth.require import Permission, open_door, require
from app.config import Settings
from app.store.tables import Role
from tests.auth.visitor import Visitor
from tests.conftest import eventually
from tests.world import World

MAY = {
    Role.OWNER: {Permission.READ, Permission.EDIT_PLAN, Permission.MANAGE},
    Role.ADMIN: {Permission.READ, Permission.EDIT_PLAN, Permission.MANAGE},
    Role.EDITOR: {Permission.READ, Permission.EDIT_PLAN},
    Role.VIEWER: {Permission.READ},
}
ASKED = (Permission.READ, Permission.EDIT_PLAN, Permission.MANAGE)


@pytest.fixture
def flask_with_views(flask_app: Flask, settings: Settings) -> Flask:
    """The product with a view per permission, and one that somebody forgot to mark."""
    made = create_app(replace(settings))

    def tell() -> dict[str, Any]:
        return {"organisation": g.actor.organisation_id, "user": g.actor.user_id, "key": g.actor.key_id}

    for permission in ASKED:
        view = require(permission)(lambda: tell())
        for prefix in ("/api/test", "/test"):
            made.add_url_rule(
                f"{prefix}/{permission}", f"{prefix}/{permission}", view, methods=["GET", "POST"]
            )
    made.add_url_rule("/test/forgotten", "forgotten", lambda: "secret", methods=["GET", "POST"])
    made.add_url_rule("/test/open", "open", open_door(lambda: "open"), methods=["GET", "POST"])
    return made


@pytest.fixture
def member(flask_with_views: Flask, mailbox: Any) -> Visitor:
    return Visitor(flask_with_views, mailbox).join()


def with_key(flask_app: Flask, key: str, method: str, path: str, **headers: str) -> Any:
    given = {"Authorization": f"Bearer {key}", **headers}
    return Visitor(flask_app).ask(method, path, headers=given)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_a_view_that_nobody_marked_is_shut_to_all(
    flask_with_views: Flask, member: Visitor, world: World, method: str
) -> None:
    assert member.ask(method, "/test/forgotten").status_code == 403
    assert Visitor(flask_with_views).ask(method, "/test/forgotten").status_code == 403
    assert with_key(flask_with_views, world.alice.api_key, method, "/test/forgotten").status_code == 403


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("permission", ASKED)
@pytest.mark.parametrize("prefix", ["/api/test", "/test"])
def test_what_each_role_may_do(
    member: Visitor, owner: Any, role: Role, permission: Permission, prefix: str
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("UPDATE memberships SET role = %s RETURNING organisation_id, user_id", (role,))
        organisation_id, user_id = cursor.fetchone()
    answer = member.ask("GET", f"{prefix}/{permission}", headers={"Accept": "application/json"})
    if permission in MAY[role]:
        assert answer.get_json() == {"organisation": organisation_id, "user": user_id, "key": None}
    else:
        assert (answer.status_code, answer.get_json()["code"]) == (403, "forbidden")


def test_a_changed_role_counts_within_a_second(member: Visitor, owner: Any) -> None:
    assert member.ask("GET", "/test/manage").status_code == 200
    with owner.cursor() as cursor:
        cursor.execute("UPDATE memberships SET role = 'viewer'")
    eventually(lambda: member.ask("GET", "/test/manage").status_code == 403, seconds=1)


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (["read"], {Permission.READ}),
        (["manage"], set(ASKED)),
        (["read", "manage"], set(ASKED)),
        (["unheard of"], set()),
        ([], set()),
    ],
)
def test_what_each_scope_may_do(
    flask_with_views: Flask, world: World, owner: Any, scopes: list[str], allowed: set[Permission]
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("UPDATE api_keys SET scopes = %s", (scopes,))
    for permission in ASKED:
        for method in ("GET", "POST"):
            answer = with_key(flask_with_views, world.alice.api_key, method, f"/api/test/{permission}")
            assert answer.status_code == (200 if permission in allowed else 403)
            if permission in allowed:
                assert answer.get_json()["organisation"] == world.alice.organisation_id
                assert answer.get_json()["user"] is None


@pytest.mark.parametrize(
    "change", ["revoked_at = now()", "expires_at = now() - interval '1 second'"], ids=["revoked", "expired"]
)
def test_a_dead_api_key_is_refused_within_two_seconds(
    flask_with_views: Flask, world: World, owner: Any, change: str
) -> None:
    def status() -> int:
        return with_key(flask_with_views, world.alice.api_key, "GET", "/api/test/read").status_code

    assert status() == 200
    with owner.cursor() as cursor:
        cursor.execute(f"UPDATE api_keys SET {change}")
    eventually(lambda: status() == 401, seconds=2)


@pytest.mark.parametrize("key", ["lva_", "lva_00000000000000000000000000000000", "nonsense", "{write_key}"])
def test_what_is_no_api_key_is_told_so(flask_with_views: Flask, world: World, key: str) -> None:
    answer = with_key(flask_with_views, key.format(write_key=world.alice.write_key), "GET", "/api/test/read")
    assert (answer.status_code, answer.get_json()["code"]) == (401, "bad_key")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_key_and_cookie_at_once_are_refused(member: Visitor, world: World) -> None:
    answer = member.ask("GET", "/api/test/read", headers={"X-API-Key": world.alice.api_key})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "two_credentials")


def test_a_stranger_is_told_401_by_the_api_and_led_to_the_door_by_pages(flask_with_views: Flask) -> None:
    stranger = Visitor(flask_with_views)
    for method in ("GET", "POST"):
        answer = stranger.ask(method, "/api/test/manage")
        assert (answer.status_code, answer.get_json()["code"]) == (401, "not_signed_in")
    answer = stranger.ask("GET", "/test/read?verdict=invalid&q=a%26b")
    assert answer.status_code == 303
    assert answer.location == "/auth/login?next=/test/read?verdict%3Dinvalid%26q%3Da%2526b"
    answer = stranger.ask("POST", "/test/manage")
    assert (answer.status_code, answer.location) == (303, "/auth/login")


def test_a_session_needs_the_token_for_every_change_and_a_key_does_not(
    member: Visitor, flask_with_views: Flask, world: World
) -> None:
    for path in ("/api/test/manage", "/test/manage", "/test/open"):
        refused = member.ask("POST", path, headers={"Accept": "application/json"})
        assert (refused.status_code, refused.get_json()["code"]) == (400, "bad_csrf")
        foreign = member.post(path, Origin="https://evil.example")
        assert foreign.status_code == 400
        assert member.post(path).status_code == 200
    answer = with_key(
        flask_with_views, world.alice.api_key, "POST", "/api/test/manage", Origin="https://x.example"
    )
    assert answer.status_code == 200


def test_pages_are_not_opened_by_keys(flask_with_views: Flask, world: World) -> None:
    assert with_key(flask_with_views, world.alice.api_key, "GET", "/test/read").status_code == 303


def test_senders_are_not_admitted_by_cookies(member: Visitor) -> None:
    answer = member.post("/api/logs", {"eventName": "hello"}, X_CSRF_Token="x")
    assert (answer.status_code, answer.get_json()["code"]) == (401, "missing_key")


def test_unknown_paths_stay_unknown(flask_with_views: Flask) -> None:
    stranger = Visitor(flask_with_views)
    assert stranger.ask("GET", "/nothing/here").status_code == 404
    assert stranger.ask("DELETE", "/test/open").status_code == 405
    assert stranger.ask("OPTIONS", "/test/open").status_code == 200


def test_marks_are_what_the_list_of_routes_reads(another: Callable[..., Visitor]) -> None:
    @require(Permission.READ)
    def view() -> str:
        return ""

    assert view.required is Permission.READ  # type: ignore[attr-defined]
    assert open_door(lambda: "").open_door is True  # type: ignore[attr-defined]
