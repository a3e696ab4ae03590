"""Mails to members: who is told of which change, once, and what no mail says."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from app.auth import keys
from tests.auth.test_members import ids, member
from tests.auth.visitor import Mailbox, Visitor, do_jobs

Another = Callable[..., Visitor]


@pytest.fixture
def alice(visitor: Visitor) -> Visitor:
    """The owner of an organisation."""
    return visitor.join()


def call(who: Visitor, method: str, path: str, body: Any = None) -> Any:
    answer = who.ask(method, path, headers={"X-CSRF-Token": who.token()}, json=body)
    assert answer.status_code in (200, 201, 204), answer.text
    return answer.get_json()


def newest(who: Visitor, mailbox: Mailbox, subject: str) -> str:
    """The text of the newest mail with this subject; waiting mails are sent first."""
    do_jobs(who.flask_app)
    return next(mail["text"] for mail in mailbox(who.email) if mail["subject"] == subject)


def subjects(who: Visitor, mailbox: Mailbox) -> list[str]:
    do_jobs(who.flask_app)
    return [mail["subject"] for mail in mailbox(who.email)]


def test_owners_and_admins_are_told_of_every_key_and_of_nothing_that_is_in_it(
    alice: Visitor, another: Another, mailbox: Mailbox, owner: Any
) -> None:
    admin, viewer = member(alice, another, "admin"), member(alice, another, "viewer")
    made = call(alice, "POST", "/api/apps", {"name": "Kiosk", "app_id": "kiosk"})
    given = [made["write_key"]]
    for who in (alice, admin):
        text = newest(who, mailbox, "A key was made")
        assert "A new write key was made" in text
        assert "Kiosk" in text
        assert alice.email in text
    staging = call(alice, "POST", "/api/apps/kiosk/keys", {"name": "staging"})
    given.append(staging["write_key"])
    assert "staging" in newest(admin, mailbox, "A key was made")
    ci = call(alice, "POST", "/api/keys", {"name": "CI", "scopes": ["manage"]})
    given.append(ci["api_key"])
    text = newest(admin, mailbox, "A key was made")
    assert "A new API key was made" in text
    assert "CI" in text
    call(alice, "DELETE", f"/api/apps/kiosk/keys/{staging['id']}")
    text = newest(admin, mailbox, "A key was revoked")
    assert "The write key was revoked" in text
    assert "staging" in text
    call(alice, "DELETE", f"/api/keys/{ci['id']}")
    assert "CI" in newest(admin, mailbox, "A key was revoked")
    assert not [s for s in subjects(viewer, mailbox) if "key" in s]
    assert subjects(admin, mailbox).count("A key was made") == 3, "once each"
    everything = str([mailbox(who.email) for who in (alice, admin, viewer)])
    assert not keys.LOOKS_LIKE_A_KEY.search(everything)
    assert not any(key[4:10] in everything for key in given)
    with owner.cursor() as cursor:
        cursor.execute("SELECT arguments::text FROM outbox")
        arguments = str(cursor.fetchall())
    assert "@" not in arguments, "no address"
    assert not any(key[4:10] in arguments for key in given)


def test_a_key_that_makes_a_key_is_named(alice: Visitor, mailbox: Mailbox) -> None:
    ci = call(alice, "POST", "/api/keys", {"name": "CI", "scopes": ["manage"]})["api_key"]
    headers = {"Authorization": f"Bearer {ci}"}
    client = alice.flask_app.test_client()
    assert client.post("/api/apps", json={"name": "Kiosk"}, headers=headers).status_code == 201
    assert "By:   the API key “CI”" in newest(alice, mailbox, "A key was made")


def test_who_runs_the_organisation_hears_who_comes_and_goes(
    alice: Visitor, another: Another, mailbox: Mailbox, owner: Any
) -> None:
    bob, carol = member(alice, another, "editor"), member(alice, another)
    assert f"{carol.email} joined" in newest(alice, mailbox, "Somebody joined your organisation")
    assert subjects(alice, mailbox).count("Somebody joined your organisation") == 2
    assert "Somebody joined your organisation" not in subjects(bob, mailbox), "an editor"
    assert alice.submit(f"/organisation/members/{ids(owner, bob)[0]}/remove").status_code == 303
    text = newest(alice, mailbox, "Somebody left your organisation")
    assert re.sub(r"\s+", " ", text).count(f"{bob.email} was removed from") == 1
    assert "You were removed from an organisation" in subjects(bob, mailbox)
    assert carol.submit("/organisation/leave").status_code == 303
    assert f"{carol.email} left" in newest(alice, mailbox, "Somebody left your organisation")


def test_no_name_looks_like_a_code(alice: Visitor, mailbox: Mailbox) -> None:
    assert alice.submit("/organisation/rename", name="12345678 & sons").status_code == 303
    call(alice, "POST", "/api/keys", {"name": "87654321", "scopes": ["read"]})
    text = newest(alice, mailbox, "A key was made")
    assert "& sons" in text
    assert not re.search(r"\d{6,}", text)


def test_a_change_that_is_refused_mails_nobody(alice: Visitor, mailbox: Mailbox, owner: Any) -> None:
    headers = {"X-CSRF-Token": alice.token()}
    assert alice.ask("DELETE", "/api/keys/999999", headers=headers).status_code == 404
    assert alice.ask("POST", "/api/keys", json={"scopes": []}, headers=headers).status_code == 422
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outbox WHERE job LIKE '%%notice'")
        assert cursor.fetchone() == (0,)
