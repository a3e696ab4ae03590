"""Every route for every asker, and with other people's ids. The routes come from the URL map, so none is left out."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.auth.require import Permission
from tests.auth.visitor import Visitor
from tests.test_routes import GUARDED
from tests.world import Tenant, World

ROLES = {
    "owner": {"read", "edit_plan", "manage", "manage_members", "own"},
    "admin": {"read", "edit_plan", "manage", "manage_members"},
    "editor": {"read", "edit_plan"},
    "viewer": {"read"},
}
SCOPES = {"read": {"read"}, "manage": {"read", "edit_plan", "manage"}}
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
OWN = {"app_id": "shop", "event_id": "0190b0c0-0000-7000-8000-000000000000"}


@dataclass(frozen=True)
class Asker:
    """Somebody with or without a credential, and what it lets them do on pages and in the API."""

    ask: Callable[[str, str], TestResponse]
    on_pages: frozenset[str] = frozenset()
    in_api: frozenset[str] = frozenset()


def guarded(flask_app: Flask) -> Iterator[tuple[Rule, str, str]]:
    """Each rule that asks for a permission, with each of its methods, and the permission."""
    for rule in flask_app.url_map.iter_rules():
        if rule.endpoint in GUARDED:
            for method in sorted((rule.methods or set()) & METHODS):
                yield rule, method, GUARDED[rule.endpoint]


def path_of(rule: Rule, ids: dict[str, str]) -> str:
    nil = {"uuid": "00000000-0000-0000-0000-000000000000"}
    return re.sub(r"<(?:(\w+):)?(\w+)>", lambda found: ids.get(found[2], nil.get(found[1], "1")), rule.rule)


def body_of(method: str, path: str) -> dict[str, Any]:
    """An object for the API, so that it is the path that is refused."""
    return {"json": {}} if path.startswith("/api/") and method != "GET" else {}


def by_session(visitor: Visitor) -> Callable[[str, str], TestResponse]:
    headers = {"X-CSRF-Token": visitor.token()}
    return lambda method, path: visitor.ask(method, path, headers=headers, **body_of(method, path))


def by_key(flask_app: Flask, key: str) -> Callable[[str, str], TestResponse]:
    client, headers = flask_app.test_client(), {"Authorization": f"Bearer {key}"} if key else {}
    return lambda method, path: client.open(path, method=method, headers=headers, **body_of(method, path))


def set_role(flask_app: Flask, owner: Any, email: str, role: str) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "UPDATE memberships SET role = %s WHERE user_id = (SELECT id FROM users WHERE email = %s)",
            (role, email),
        )
    flask_app.extensions["live_sessions"]._remembered.clear()


@pytest.fixture
def only_guards(flask_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind each guard an empty room: who is let in gets 204."""
    for endpoint in GUARDED:

        def room(**_: Any) -> tuple[str, int]:
            return "", 204

        room.required = flask_app.view_functions[endpoint].required  # type: ignore[attr-defined]
        monkeypatch.setitem(flask_app.view_functions, endpoint, room)


def check_all(flask_app: Flask, asker: Asker) -> None:
    """Let in where the permission is theirs; else refused, each kind in its way."""
    is_known = bool(asker.on_pages or asker.in_api)
    asked = 0
    for rule, method, permission in guarded(flask_app):
        if permission == Permission.SEND:
            continue  # write keys are asked for below
        may = asker.in_api if rule.rule.startswith("/api/") else asker.on_pages
        answer = asker.ask(method, path_of(rule, OWN))
        expected = {204} if permission in may else {403} if is_known and may else {401, 303}
        assert answer.status_code in expected, (
            f"{method} {rule.rule}: {answer.status_code} {answer.text[:200]}"
        )
        asked += 1
    assert asked > 30


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.usefixtures("only_guards")
def test_a_role_opens_what_it_must_and_no_more(
    flask_app: Flask, visitor: Visitor, owner: Any, role: str
) -> None:
    visitor.join()
    set_role(flask_app, owner, visitor.email, role)
    may = frozenset(ROLES[role])
    check_all(flask_app, Asker(by_session(visitor), may, may))


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.usefixtures("only_guards")
def test_an_api_key_opens_what_its_scope_names_and_no_page(
    flask_app: Flask, world: World, owner: Any, scope: str
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("UPDATE api_keys SET scopes = ARRAY[%s]", (scope,))
    check_all(flask_app, Asker(by_key(flask_app, world.alice.api_key), in_api=frozenset(SCOPES[scope])))


@pytest.mark.parametrize("credential", ["none", "write_key", "nonsense"])
@pytest.mark.usefixtures("only_guards")
def test_nobody_else_is_let_in(flask_app: Flask, world: World, credential: str) -> None:
    key = {"none": "", "write_key": world.alice.write_key, "nonsense": "x" * 36}[credential]
    check_all(flask_app, Asker(by_key(flask_app, key)))


@pytest.mark.usefixtures("only_guards")
def test_only_a_write_key_sends_and_only_for_its_app(
    flask_app: Flask, world: World, visitor: Visitor
) -> None:
    visitor.join()
    for rule, method, permission in guarded(flask_app):
        if permission != Permission.SEND:
            continue
        path = path_of(rule, OWN)
        assert by_key(flask_app, world.alice.write_key)(method, path).status_code == 204
        assert by_key(flask_app, world.alice.api_key)(method, path).status_code == 401
        assert by_session(visitor)(method, path).status_code == 401
        if "app_id" in rule.arguments:
            foreign = path_of(rule, {"app_id": "nobodys"})
            assert by_key(flask_app, world.alice.write_key)(method, foreign).status_code == 404


# Routes whose path names something: with a foreign id each answers as with one that never was.
def with_ids(flask_app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule, method, permission in guarded(flask_app):
        if rule.arguments and permission != Permission.SEND:
            yield rule, method


@pytest.fixture
def foreign_ids(world: World, owner: Any, flask_app: Flask) -> dict[str, str]:
    """Ids that exist, in Alice's organisation alone."""
    alice: Tenant = world.alice
    sent = alice.send(flask_app.test_client(), {"eventName": "secret"}).get_json()
    with owner.cursor() as cursor:
        cursor.execute("UPDATE apps SET slug = 'secret-app' WHERE id = %s", (alice.app.id,))
        cursor.execute("INSERT INTO users (email, password_hash) VALUES ('a@example.com', '') RETURNING id")
        (user_id,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO known_devices (user_id, token_hash) VALUES (%s, 'x') RETURNING id", (user_id,)
        )
        (device_id,) = cursor.fetchone()
        cursor.execute("INSERT INTO memberships VALUES (%s, %s, 'viewer')", (alice.organisation_id, user_id))
        cursor.execute(
            "INSERT INTO invitations (organisation_id, email, role) VALUES (%s, 'b@example.com', 'viewer')"
            " RETURNING id",
            (alice.organisation_id,),
        )
        (invitation_id,) = cursor.fetchone()
        # One id for both kinds, which no key of Charlie's can have: ids go on from test to test.
        key_id = 888_888_888
        cursor.execute(
            "INSERT INTO write_keys (id, organisation_id, app_id, key_hash, prefix) OVERRIDING SYSTEM VALUE"
            " VALUES (%s, %s, %s, 'w', 'lvw_')",
            (key_id, alice.organisation_id, alice.app.id),
        )
        cursor.execute(
            "INSERT INTO api_keys (id, organisation_id, key_hash, prefix, scopes) OVERRIDING SYSTEM VALUE"
            " VALUES (%s, %s, 'a', 'lva_', '{read}')",
            (key_id, alice.organisation_id),
        )
        cursor.execute(
            "INSERT INTO deletions (organisation_id, app_id, filters, starts_at)"
            " VALUES (%s, %s, '{}', now() + interval '1 hour') RETURNING id",
            (alice.organisation_id, alice.app.id),
        )
        (deletion_id,) = cursor.fetchone()
    return {
        "app_id": "secret-app",
        "deletion_id": str(deletion_id),
        "event_id": sent["results"][0]["event_id"],
        "user_id": str(user_id),
        "device_id": str(device_id),
        "invitation_id": str(invitation_id),
        "key_id": str(key_id),
        "token": "no-such-token",
    }


UNKNOWN_IDS = {
    "app_id": "never-was",
    "deletion_id": "999999999",
    "event_id": "0190b0c0-0000-7000-8000-000000000000",
    "user_id": "999999999",
    "device_id": "999999999",
    "invitation_id": "999999999",
    "key_id": "999999999",
    "token": "never-was",
}


def shape(answer: TestResponse, path: str) -> tuple[int, str]:
    """What an answer shows, without what differs from one request to the next."""
    text = re.sub(r'(csrf_token"[^>]*value=")[^"]*', r"\1", answer.text)
    return answer.status_code, text.replace(path, "PATH")


def test_a_foreign_id_is_as_unknown_as_one_that_never_was(
    flask_app: Flask, visitor: Visitor, world: World, foreign_ids: dict[str, str]
) -> None:
    """As an owner elsewhere; and as a key that manages, with an app of its own and a foreign id within it."""
    visitor.join()
    askers = [(by_session(visitor), {}), (by_key(flask_app, world.charlie.api_key), {})]
    askers.append((by_key(flask_app, world.charlie.api_key), {"app_id": "shop"}))
    asked, told_apart = 0, []
    for rule, method in with_ids(flask_app):
        for ask, own in askers:
            if own and (not rule.rule.startswith("/api/") or not rule.arguments - own.keys()):
                continue
            if not rule.rule.startswith("/api/") and ask is not askers[0][0]:
                continue  # keys do not open pages
            if ask is not askers[0][0] and GUARDED[rule.endpoint] not in SCOPES["manage"]:
                continue  # what no key may is refused before anything is looked up
            foreign, unknown = (path_of(rule, ids | own) for ids in (foreign_ids, UNKNOWN_IDS))
            first, second = shape(ask(method, foreign), foreign), shape(ask(method, unknown), unknown)
            if first[0] != 404 or first != second:
                told_apart.append((method, rule.rule, first, second))
            asked += 1
    assert told_apart == []
    assert asked > 20
