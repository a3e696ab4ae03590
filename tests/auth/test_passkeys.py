"""Passkeys: made, used, named, removed; and every answer that is not the one that was asked for."""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.config import Settings
from app.extensions import db
from app.store import passkeys
from tests.auth.device import PRESENT, Device
from tests.auth.visitor import PASSWORD, Mailbox, Visitor, do_jobs

Another = Callable[..., Visitor]
SIGN_IN, OPTIONS = "/auth/passkey", "/auth/passkey/options"


def registration_options(visitor: Visitor, name: str = "My phone") -> dict[str, Any]:
    page = visitor.submit("/account/passkeys/new", name=name)
    assert page.status_code == 200
    found = re.search(r'<script type="application/json" id="passkey-options">(.*?)</script>', page.text)
    assert found
    return json.loads(found[1])


def make(visitor: Visitor, device: Device, name: str = "My phone") -> TestResponse:
    credential = device.make(registration_options(visitor, name))
    return visitor.post("/account/passkeys", {"credential": credential, "name": name})


def sign_in(visitor: Visitor, device: Device) -> TestResponse:
    return visitor.post(SIGN_IN, {"credential": device.sign(visitor.post(OPTIONS).get_json())})


@pytest.fixture
def device(settings: Settings) -> Device:
    return Device(settings.public_url.rstrip("/"))


@pytest.fixture
def holder(visitor: Visitor, device: Device) -> Visitor:
    """Somebody with a passkey on their device."""
    visitor.join()
    assert make(visitor, device).status_code == 201
    return visitor


def test_one_signs_in_with_it_and_types_nothing(holder: Visitor, device: Device, another: Another) -> None:
    stranger = another()
    before = stranger.token() and stranger.cookie
    answer = sign_in(stranger, device)
    assert (answer.status_code, answer.get_json()["next"]) == (200, "/dashboard")
    assert stranger.is_signed_in()
    assert stranger.cookie != before
    assert holder.email in stranger.ask("GET", "/account").text
    assert stranger.submit("/organisation/keys", scopes="manage", name="k").status_code == 201, (
        "it is a proof"
    )


def test_the_challenge_asks_for_a_verified_owner_and_names_nobody(holder: Visitor, another: Another) -> None:
    options = another().post(OPTIONS).get_json()
    assert options["userVerification"] == "required"
    assert options["rpId"] == "localhost"
    assert options.get("allowCredentials", []) == []
    made = registration_options(holder)
    assert made["authenticatorSelection"]["residentKey"] == "required"
    assert made["authenticatorSelection"]["userVerification"] == "required"
    assert len(made["excludeCredentials"]) == 1, "a device is not asked to make a second one"


def test_the_owner_is_told(holder: Visitor, mailbox: Mailbox) -> None:
    do_jobs(holder.flask_app)
    assert mailbox(holder.email)[0]["subject"] == "Passkey added"


def test_an_answer_counts_once(holder: Visitor, device: Device, another: Another) -> None:
    stranger = another()
    credential = device.sign(stranger.post(OPTIONS).get_json())
    assert stranger.post(SIGN_IN, {"credential": credential}).status_code == 200
    stranger.post("/auth/logout")
    assert stranger.post(SIGN_IN, {"credential": credential}).status_code == 401


def test_a_wrong_answer_uses_the_challenge_up(holder: Visitor, device: Device, another: Another) -> None:
    stranger = another()
    credential = device.sign(stranger.post(OPTIONS).get_json())
    assert stranger.post(SIGN_IN, {"credential": {}}).status_code == 401
    assert stranger.post(SIGN_IN, {"credential": credential}).status_code == 401


def test_another_browsers_challenge_is_not_mine(holder: Visitor, device: Device, another: Another) -> None:
    thief, victim = another(), another()
    thief.post(OPTIONS)
    credential = device.sign(victim.post(OPTIONS).get_json())
    assert thief.post(SIGN_IN, {"credential": credential}).status_code == 401


def test_a_challenge_of_another_purpose_is_not_this_one(holder: Visitor, device: Device) -> None:
    options = holder.post("/auth/proof/passkey").get_json()
    assert holder.post(SIGN_IN, {"credential": device.sign(options)}).status_code == 401


def test_an_old_challenge_is_dead(holder: Visitor, device: Device, another: Another, owner: Any) -> None:
    stranger = another()
    credential = device.sign(stranger.post(OPTIONS).get_json())
    with owner.cursor() as cursor:
        cursor.execute("UPDATE passkey_challenges SET created_at = now() - interval '5 minutes 1 second'")
    assert stranger.post(SIGN_IN, {"credential": credential}).status_code == 401


@pytest.mark.parametrize(
    "bent",
    [
        {"origin": "http://localhost:9999"},
        {"origin": "https://localhost.evil.example"},
        {"flags": PRESENT},
        {"flags": 0},
        {"handle": bytes(16)},
        {"key": Device("").key},
        {"credential_id": b"nobody's"},
    ],
    ids=["port", "host", "not verified", "nobody there", "another's handle", "another's key", "unknown"],
)
def test_what_does_not_fit_signs_nobody_in(
    holder: Visitor, device: Device, another: Another, bent: dict[str, Any]
) -> None:
    for name, value in bent.items():
        setattr(device, name, value)
    stranger = another()
    answer = sign_in(stranger, device)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "bad_passkey")
    assert not stranger.is_signed_in()


def test_a_counter_that_does_not_rise_is_a_copys(holder: Visitor, device: Device, another: Another) -> None:
    assert sign_in(another(), device).status_code == 200
    device.count = 0
    assert sign_in(another(), device).status_code == 401
    device.count = 5
    assert sign_in(another(), device).status_code == 200


def test_a_device_that_does_not_count_is_fine(holder: Visitor, device: Device, another: Another) -> None:
    for _ in range(2):
        device.count = -1
        assert sign_in(another(), device).status_code == 200


def test_fifty_times_the_same_answer_make_one_session(
    holder: Visitor, device: Device, another: Another, flask_app: Flask, owner: Any
) -> None:
    holder.post("/auth/logout")
    stranger = another()
    credential = device.sign(stranger.post(OPTIONS).get_json())
    token, cookie = stranger.token(), stranger.cookie

    def submit(_: int) -> int:
        double = Visitor(flask_app)
        double.client.set_cookie("session", cookie or "")
        return double.post(SIGN_IN, {"credential": credential}, X_CSRF_Token=token).status_code

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(submit, range(50)))
    assert statuses.count(200) == 1
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auth_sessions WHERE revoked_at IS NULL")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize(
    "credential",
    [
        None,
        "",
        "{",
        [],
        7,
        {"id": "x"},
        {"id": "AA", "rawId": "AA", "type": "public-key", "response": {}},
        {"id": "AA", "rawId": "!", "type": "public-key", "response": {"clientDataJSON": 1}},
        {"id": "AA", "rawId": "AA", "type": "x", "response": None},
        {
            "id": "AA",
            "rawId": "AA",
            "type": "public-key",
            "response": {
                "clientDataJSON": "AA",
                "authenticatorData": "AA",
                "signature": "AA",
                "userHandle": 5,
            },
        },
    ],
)
def test_nonsense_is_refused_and_no_error(holder: Visitor, another: Another, credential: Any) -> None:
    stranger = another()
    stranger.post(OPTIONS)
    assert stranger.post(SIGN_IN, {"credential": credential}).status_code == 401
    registration_options(holder)
    answer = holder.post("/account/passkeys", {"credential": credential, "name": "n"})
    assert answer.status_code == 422


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
def test_a_broken_part_is_refused_and_no_error(
    holder: Visitor, device: Device, another: Another, part: str
) -> None:
    for broken in ("AA", "", urlsafe_b64encode(b"\xff" * 300).decode(), urlsafe_b64encode(b"[]").decode()):
        stranger = another()
        credential = device.sign(stranger.post(OPTIONS).get_json())
        credential["response"][part] = broken
        assert stranger.post(SIGN_IN, {"credential": credential}).status_code == 401


@pytest.mark.parametrize(
    "broken", ["AA", "", "oA", "o2NmbXRkbm9uZQ", urlsafe_b64encode(b"\xa1" * 99).decode()]
)
def test_a_broken_new_passkey_is_refused_and_no_error(visitor: Visitor, device: Device, broken: str) -> None:
    visitor.join()
    credential = device.make(registration_options(visitor))
    credential["response"]["attestationObject"] = broken
    answer = visitor.post("/account/passkeys", {"credential": credential, "name": "n"})
    assert answer.status_code == 422


def test_a_new_passkey_needs_a_verified_owner_and_our_origin(visitor: Visitor, settings: Settings) -> None:
    visitor.join()
    for device in (Device("https://evil.example"), Device(settings.public_url.rstrip("/"), flags=PRESENT)):
        assert make(visitor, device).status_code == 422


def test_a_passkey_is_nobody_elses(holder: Visitor, device: Device, another: Another, owner: Any) -> None:
    other = another().join()
    assert make(other, device).status_code == 422, "known already"
    with owner.cursor() as cursor:
        cursor.execute("SELECT id FROM passkeys")
        ((passkey_id,),) = cursor.fetchall()
    assert other.submit(f"/account/passkeys/{passkey_id}/rename", name="mine").status_code == 404
    assert other.submit(f"/account/passkeys/{passkey_id}/remove").status_code == 404
    assert 'auto">My phone' not in other.ask("GET", "/account").text


def test_it_is_renamed_and_removed_and_then_signs_in_no_more(
    holder: Visitor, device: Device, another: Another, owner: Any, mailbox: Mailbox
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("SELECT id FROM passkeys")
        ((passkey_id,),) = cursor.fetchall()
    path = f"/account/passkeys/{passkey_id}"
    assert holder.submit(f"{path}/rename", name="Key <blue>").status_code == 303
    assert "Key &lt;blue&gt;" in holder.ask("GET", "/account").text
    for bad in ("", "x" * 61, "a\x00b"):
        assert holder.submit(f"{path}/rename", name=bad).status_code == 422
    assert holder.submit(f"{path}/remove").status_code == 303
    do_jobs(holder.flask_app)
    assert mailbox(holder.email)[0]["subject"] == "Passkey removed"
    assert sign_in(another(), device).status_code == 401
    with owner.cursor() as cursor:
        cursor.execute("SELECT details ->> 'change' FROM audit_log WHERE kind = 'passkey' ORDER BY id")
        assert [row[0] for row in cursor] == ["added", "removed"]


def test_several_devices_each_sign_in(holder: Visitor, settings: Settings, another: Another) -> None:
    second = Device(settings.public_url.rstrip("/"))
    assert make(holder, second, "Laptop").status_code == 201
    assert sign_in(another(), second).status_code == 200


def test_a_disabled_person_is_not_let_in(
    holder: Visitor, device: Device, another: Another, owner: Any
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("UPDATE users SET disabled_at = now()")
    assert sign_in(another(), device).status_code == 401


def test_it_is_a_proof_for_dangerous_changes_of_its_owner_alone(
    holder: Visitor, device: Device, settings: Settings, another: Another, owner: Any
) -> None:
    other, others = another().join(), Device(settings.public_url.rstrip("/"))
    make(other, others)
    with owner.cursor() as cursor:
        cursor.execute("UPDATE auth_sessions SET proven_at = now() - interval '1 hour'")
    asked = {"scopes": "manage", "name": "by passkey"}
    page = holder.submit("/organisation/keys", **asked)
    assert page.status_code == 403
    assert 'data-passkey="proof"' in page.text
    options = holder.post("/auth/proof/passkey").get_json()
    assert len(options["allowCredentials"]) == 1
    wrong = json.dumps(others.sign(options))
    assert holder.submit("/organisation/keys", **asked, proof_passkey=wrong).status_code == 403
    right = json.dumps(device.sign(holder.post("/auth/proof/passkey").get_json()))
    assert holder.submit("/organisation/keys", **asked, proof_passkey=right).status_code == 201


def test_without_a_password_nobody_adds_one_later(holder: Visitor, owner: Any) -> None:
    """A session left open is not enough to make a way in that outlives it."""
    with owner.cursor() as cursor:
        cursor.execute("UPDATE auth_sessions SET proven_at = now() - interval '1 hour'")
    assert holder.submit("/account/passkeys/new", name="n").status_code == 403
    page = holder.submit("/account/passkeys/new", name="n", proof_password=PASSWORD)
    assert page.status_code == 200
    assert 'data-name="n"' in page.text


def test_old_challenges_are_forgotten(holder: Visitor, another: Another, owner: Any) -> None:
    another().post(OPTIONS)
    with owner.cursor() as cursor:
        cursor.execute("UPDATE passkey_challenges SET created_at = now() - interval '2 hours'")
    passkeys.prune()
    db.session.commit()
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM passkey_challenges")
        assert cursor.fetchone() == (0,)
