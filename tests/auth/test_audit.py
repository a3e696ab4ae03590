"""The audit log: written with the change, by whoever made it, and never changed again."""

from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config import Settings
from app.extensions import db
from app.store import audit, tenancy
from app.store.audit import Action, Asked
from tests.auth.visitor import Visitor
from tests.world import World


def lines(organisation_id: int, **asked: Any) -> list[audit.Line]:
    with tenancy.inside(organisation_id):
        return audit.page(organisation_id, Asked(**asked), 100)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET who = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
def test_the_apps_role_cannot_change_a_line(flask_app: Flask, settings: Settings, statement: str) -> None:
    connection = psycopg2.connect(settings.database_url)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def test_a_change_that_is_rolled_back_leaves_no_line(world: World) -> None:
    audit.record(Action.DELETED, "app", "shop", organisation_id=world.alice.organisation_id)
    db.session.rollback()
    assert lines(world.alice.organisation_id) == []
    audit.record(Action.DELETED, "app", "shop", organisation_id=world.alice.organisation_id)
    db.session.commit()
    (line,) = lines(world.alice.organisation_id)
    assert (line.actor, line.action, line.kind, line.object) == ("system", "deleted", "app", "shop")
    assert lines(world.charlie.organisation_id) == []


def test_a_key_that_makes_an_app_and_a_key_is_named(client: FlaskClient, world: World) -> None:
    assert world.alice.post(client, "/api/apps", {"name": "Two", "app_id": "two"}).status_code == 201
    headers = {
        "Authorization": f"Bearer {world.alice.api_key}",
        "X-Request-Id": "0123456789abcdef0123456789abcdef",
    }
    made = client.post("/api/keys", json={"scopes": ["read"]}, headers=headers)
    assert made.status_code == 201
    found = lines(world.alice.organisation_id)
    assert [(line.action, line.actor, line.who) for line in found] == [
        ("key_made", "key", world.alice.api_key[:10]),
        ("app_made", "key", world.alice.api_key[:10]),
    ]
    assert {line.address for line in found} == {"127.0.0.1"}
    assert found[0].request_id == headers["X-Request-Id"]
    assert made.get_json()["api_key"] not in str(found), "no secret"


def test_signing_in_and_out_and_failing_to(visitor: Visitor, owner: Any) -> None:
    visitor.join()
    assert visitor.post("/auth/logout").status_code == 200
    assert visitor.login("not the right one").status_code == 401
    with owner.cursor() as cursor:
        cursor.execute("SELECT action, who, organisation_id IS NOT NULL FROM audit_log ORDER BY id")
        found = cursor.fetchall()
    assert found == [
        (action, visitor.email, True)
        for action in ("organisation_made", "signed_in", "signed_out", "sign_in_failed")
    ]


def test_a_failure_at_an_unknown_address_is_nobodys_line(visitor: Visitor, owner: Any, world: World) -> None:
    assert visitor.login("whatever it may be").status_code == 401
    with owner.cursor() as cursor:
        cursor.execute("SELECT action, who, organisation_id, user_id FROM audit_log")
        assert cursor.fetchall() == [("sign_in_failed", "", None, None)]
    assert lines(world.alice.organisation_id) == []


def test_filters_and_pages(world: World) -> None:
    organisation_id = world.alice.organisation_id
    for n in range(5):
        action = Action.EXPORTED if n % 2 else Action.DELETED
        audit.record(action, "app", n, organisation_id=organisation_id)
    db.session.commit()
    assert [line.object for line in lines(organisation_id, action="exported")] == ["3", "1"]
    first = audit.page(organisation_id, Asked(), 2)
    assert [line.object for line in audit.page(organisation_id, Asked(), 9, first[-1].id)] == ["2", "1", "0"]
    assert [line.object for line in audit.every(organisation_id, Asked())] == ["4", "3", "2", "1", "0"]
    assert lines(organisation_id, who="nobody") == []
