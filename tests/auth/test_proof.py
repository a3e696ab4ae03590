"""Step-up: a dangerous change asks for a fresh proof, and loses nothing that was typed."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.auth.visitor import PASSWORD, Mailbox, Visitor, code_in, do_jobs
from tests.world import World

Another = Callable[..., Visitor]
KEYS = "/organisation/keys"
TYPED = {"scopes": "manage", "name": "Café <CI>", "expires_in_days": "30"}


@pytest.fixture
def long_ago(visitor: Visitor, owner: Any) -> Visitor:
    """Signed in, and last proven eleven minutes ago."""
    visitor.join()
    age(owner)
    return visitor


def age(owner: Any) -> None:
    with owner.cursor() as cursor:
        cursor.execute("UPDATE auth_sessions SET proven_at = now() - interval '10 minutes 1 second'")


def keys_made(owner: Any) -> list[tuple[str, list[str]]]:
    with owner.cursor() as cursor:
        cursor.execute("SELECT name, scopes FROM api_keys")
        return cursor.fetchall()


def hidden(page: TestResponse) -> dict[str, str]:
    """What the page carries on, as a browser would send it."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return {name: html.unescape(value) for name, value in found if name != "csrf_token"}


def test_soon_after_signing_in_nothing_is_asked(visitor: Visitor, owner: Any) -> None:
    visitor.join()
    assert visitor.submit(KEYS, **TYPED).status_code == 201


def test_later_a_proof_is_asked_and_nothing_has_happened(long_ago: Visitor, owner: Any) -> None:
    answer = long_ago.submit(KEYS, **TYPED)
    assert answer.status_code == 403
    assert "Confirm that it is you" in answer.text
    assert keys_made(owner) == []


def test_what_was_typed_is_carried_on_and_done_after_the_proof(long_ago: Visitor, owner: Any) -> None:
    carried = hidden(long_ago.submit(KEYS, **TYPED))
    assert TYPED.items() <= carried.items()
    before = long_ago.cookie
    answer = long_ago.submit(KEYS, **carried, proof_password=PASSWORD)
    assert answer.status_code == 201
    assert keys_made(owner) == [("Café <CI>", ["manage"])]
    assert long_ago.cookie != before, "a new id at every privilege change"
    assert long_ago.submit(KEYS, **TYPED).status_code == 201, "proven for ten minutes"


def test_a_field_that_came_twice_is_carried_twice(long_ago: Visitor) -> None:
    fields = {"scopes": ["read", "manage"], "name": "both", "csrf_token": long_ago.token()}
    page = long_ago.ask("POST", KEYS, data=fields).text
    assert len(re.findall(r'name="scopes" value="(?:read|manage)"', page)) == 2


@pytest.mark.parametrize("wrong", [{"proof_password": "not my password"}, {"proof_code": "12345678"}])
def test_a_wrong_proof_is_said_logged_and_loses_nothing(
    long_ago: Visitor, owner: Any, wrong: dict[str, str]
) -> None:
    answer = long_ago.submit(KEYS, **TYPED, **wrong)
    assert answer.status_code == 403
    assert "This is not right" in answer.text
    assert TYPED.items() <= hidden(answer).items()
    assert not wrong.items() & hidden(answer).items(), "a password is not carried on"
    assert keys_made(owner) == []
    with owner.cursor() as cursor:
        cursor.execute("SELECT details FROM audit_log WHERE action = 'sign_in_failed'")
        assert cursor.fetchall() == [({"step": "proof"},)]


def test_a_mailed_code_is_a_proof(long_ago: Visitor, owner: Any, mailbox: Mailbox) -> None:
    asked = hidden(long_ago.submit(KEYS, **TYPED))
    page = long_ago.submit("/auth/proof/mail", **asked)
    assert page.status_code == 200
    assert f'action="{KEYS}"' in page.text
    assert TYPED.items() <= hidden(page).items()
    do_jobs(long_ago.flask_app)
    mail = mailbox(long_ago.email)[0]
    assert mail["subject"] == "Your code to confirm a change"
    assert long_ago.submit(KEYS, **hidden(page), proof_code=code_in(mail)).status_code == 201
    age(owner)
    again = long_ago.submit(KEYS, **TYPED, proof_code=code_in(mail))
    assert again.status_code == 403, "once"


def test_a_sign_in_code_is_no_proof(long_ago: Visitor, another: Another, mailbox: Mailbox) -> None:
    elsewhere = another(email=long_ago.email)
    elsewhere.login()
    assert long_ago.submit(KEYS, **TYPED, proof_code=elsewhere.mailed_code()).status_code == 403


def test_somebody_elses_password_is_no_proof(long_ago: Visitor, another: Another) -> None:
    other = another()
    other.register("another quiet otter paints")
    assert other.verify(other.mailed_code()).status_code == 200
    assert long_ago.submit(KEYS, **TYPED, proof_password="another quiet otter paints").status_code == 403


def test_guessing_ends(long_ago: Visitor, owner: Any) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO challenges (id, purpose, email, browser_hash, expires_at)"
            " SELECT gen_random_uuid(), 'proof', %s, 'x', now() FROM generate_series(1, 20)",
            (long_ago.email,),
        )
    answer = long_ago.submit(KEYS, **TYPED, proof_password=PASSWORD)
    assert answer.status_code == 429
    assert "Too many tries" in answer.text
    assert TYPED.items() <= hidden(answer).items()


def test_a_program_is_told_and_can_prove_it_over_json(long_ago: Visitor, owner: Any) -> None:
    refused = long_ago.post("/api/keys", {"scopes": ["manage"]})
    assert (refused.status_code, refused.get_json()["code"]) == (403, "proof_needed")
    assert long_ago.post("/auth/proof", {"password": "wrong"}).status_code == 403
    assert long_ago.post("/auth/proof", {"password": PASSWORD}).get_json()["proven"] is True
    assert long_ago.post("/api/keys", {"scopes": ["manage"]}).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/api/members/1/owner", {}), ("PATCH", "/api/members/1", {"role": "owner"})],
)
def test_so_is_a_program_that_hands_the_organisation_over(
    long_ago: Visitor, method: str, path: str, body: dict[str, str]
) -> None:
    answer = long_ago.ask(method, path, json=body, headers={"X-CSRF-Token": long_ago.token()})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "proof_needed")


def test_reading_keys_and_what_is_harmless_ask_for_nothing(long_ago: Visitor) -> None:
    assert long_ago.submit(KEYS, scopes="read", name="reads").status_code == 201
    assert long_ago.post("/api/keys", {"scopes": ["read"]}).status_code == 201


def test_a_key_is_its_own_proof(world: World, flask_app: Any) -> None:
    made = world.alice.post(flask_app.test_client(), "/api/keys", {"scopes": ["manage"]})
    assert made.status_code == 201


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/organisation/members/1/owner", {}),
        ("/organisation/members/1/role", {"role": "owner"}),
        ("/organisation/close", {"name": "x"}),
        ("/account/authenticator/begin", {}),
        ("/account/authenticator/confirm", {"code": "123456"}),
        ("/account/authenticator/recovery-codes", {}),
        ("/account/passkeys/new", {"name": "phone"}),
        ("/account/passkeys/1/remove", {}),
        ("/account/authenticator/remove", {}),
    ],
)
def test_every_dangerous_change_asks(long_ago: Visitor, path: str, fields: dict[str, str]) -> None:
    answer = long_ago.submit(path, **fields)
    assert answer.status_code == 403
    assert "Confirm that it is you" in answer.text
    assert f'action="{path}"' in answer.text


def test_working_in_another_organisation_proves_nothing(long_ago: Visitor, owner: Any) -> None:
    with owner.cursor() as cursor:
        cursor.execute("INSERT INTO organisations (name) VALUES ('other') RETURNING id")
        (other,) = cursor.fetchone()
        cursor.execute("INSERT INTO memberships SELECT %s, id, 'owner' FROM users", (other,))
    assert long_ago.submit("/organisation/switch", organisation_id=str(other)).status_code == 303
    assert long_ago.submit(KEYS, **TYPED).status_code == 403


def test_the_mail_button_leads_nowhere_else(long_ago: Visitor) -> None:
    answer = long_ago.submit("/auth/proof/mail", proof_path="//evil.example/x")
    assert answer.status_code == 400
