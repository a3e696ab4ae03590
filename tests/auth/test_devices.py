"""Known browsers: one may skip the mailed code for 30 days, each is listed and forgotten, a new one is told by mail."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.auth import devices
from app.config import Settings
from tests.auth.test_reset import reset, token_for
from tests.auth.visitor import PASSWORD, Visitor, do_jobs

Owner = psycopg2.extensions.connection
NEW_PASSWORD = "nine loud badgers sing"
NEW_DEVICE = "New sign-in to your account"
SKIPPED = (200, None)
ASKED = (202, "verify")


def rows(owner: Owner, query: str) -> list[Any]:
    with owner.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def run(owner: Owner, statement: str) -> None:
    with owner.cursor() as cursor:
        cursor.execute(statement)


def outcome(answer: TestResponse) -> tuple[int, str | None]:
    return answer.status_code, answer.get_json()["next"]


def sign_in(who: Visitor, **also: str) -> None:
    """With the password and a code."""
    assert outcome(who.login()) == ASKED
    fields = {"email": who.email, "code": who.mailed_code(), **also}
    assert who.post("/auth/verify", fields).status_code == 200


def sign_out(who: Visitor) -> Visitor:
    who.post("/auth/logout")
    assert not who.is_signed_in()
    return who


@pytest.fixture
def remembered(visitor: Visitor) -> Visitor:
    """Somebody signed out, in a browser that asks for no code."""
    visitor.join()
    sign_in(sign_out(visitor), remember="yes")
    return sign_out(visitor)


def test_a_remembered_browser_asks_for_no_code(remembered: Visitor) -> None:
    answer = remembered.login()
    assert outcome(answer) == SKIPPED
    assert answer.get_json()["csrf_token"]
    assert remembered.is_signed_in()


def test_the_form_says_so_too_and_lands_where_one_wanted(remembered: Visitor) -> None:
    remembered.ask("GET", "/auth/login", query_string={"next": "/apps/shop"})
    answer = remembered.submit("/auth/login", email=remembered.email, password=PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/apps/shop")


def test_it_still_asks_for_the_password(remembered: Visitor) -> None:
    assert remembered.login("eight slow turtles hum").status_code == 401
    assert not remembered.is_signed_in()


def test_a_browser_that_nobody_asked_to_remember_asks_every_time(visitor: Visitor) -> None:
    visitor.join()
    sign_in(sign_out(visitor))
    assert outcome(sign_out(visitor).login()) == ASKED


def test_no_other_browser_skips_it(remembered: Visitor, another: Callable[..., Visitor]) -> None:
    assert outcome(another(remembered.email).login()) == ASKED


def test_another_persons_remembered_browser_skips_nothing(
    remembered: Visitor, another: Callable[..., Visitor]
) -> None:
    other = another().join()
    remembered.email = other.email
    assert outcome(remembered.login()) == ASKED


def test_thirty_days_by_the_databases_clock(remembered: Visitor, owner: Owner) -> None:
    left = "SELECT round(extract(epoch FROM remembered_until - now()) / 86400) FROM known_devices"
    assert rows(owner, left) == [(30,)]
    run(owner, "UPDATE known_devices SET remembered_until = now() - interval '1 second'")
    assert outcome(remembered.login()) == ASKED


def test_signing_in_does_not_make_them_longer(remembered: Visitor, owner: Owner) -> None:
    run(owner, "UPDATE known_devices SET remembered_until = now() + interval '1 day'")
    assert outcome(remembered.login()) == SKIPPED
    assert rows(
        owner, "SELECT count(*) FROM known_devices WHERE remembered_until < now() + interval '2 days'"
    )


def test_the_cookie_is_new_at_every_sign_in_and_a_copy_of_the_old_one_is_worth_nothing(
    remembered: Visitor, another: Callable[..., Visitor]
) -> None:
    copy = remembered.client.get_cookie("device")
    assert copy
    assert outcome(remembered.login()) == SKIPPED
    thief = another(remembered.email)
    thief.client.set_cookie("device", copy.value)
    assert outcome(thief.login()) == ASKED
    assert outcome(sign_out(remembered).login()) == SKIPPED


def test_the_cookie_is_kept_as_a_hash_and_well_dressed(remembered: Visitor, owner: Owner) -> None:
    cookie = remembered.client.get_cookie("device")
    assert cookie
    assert len(cookie.value) == 43
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.value not in str(rows(owner, "SELECT d::text FROM known_devices d"))


def test_behind_https_it_is_bound_to_the_host(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Https:
        is_https = True

    monkeypatch.setattr(devices, "settings", Https)
    assert devices._cookie_name() == "__Host-device"


@pytest.mark.parametrize("value", ["", "x", "x" * 43, "ä" * 43, "x" * 4000])
def test_what_is_no_token_is_nobodys(remembered: Visitor, value: str) -> None:
    remembered.client.set_cookie("device", value)
    assert outcome(remembered.login()) == ASKED


def test_a_new_password_forgets_every_browser(
    remembered: Visitor, another: Callable[..., Visitor], owner: Owner
) -> None:
    forgetful = another(remembered.email)
    assert reset(forgetful, token_for(forgetful)).status_code == 200
    assert rows(owner, "SELECT id FROM known_devices") == []
    assert outcome(remembered.login(NEW_PASSWORD)) == ASKED


def test_a_change_forgets_them_too_but_still_knows_the_browser_that_made_it(
    remembered: Visitor, owner: Owner
) -> None:
    assert outcome(remembered.login()) == SKIPPED
    assert remembered.submit("/account/password", current=PASSWORD, password=NEW_PASSWORD).status_code == 303
    assert rows(owner, "SELECT remembered_until FROM known_devices") == [(None,)]
    assert outcome(sign_out(remembered).login(NEW_PASSWORD)) == ASKED
    fields = {"email": remembered.email, "code": remembered.mailed_code()}
    assert remembered.post("/auth/verify", fields).status_code == 200
    do_jobs(remembered.flask_app)
    assert remembered.mailbox is not None
    assert NEW_DEVICE not in [mail["subject"] for mail in remembered.mailbox(remembered.email)]


def test_a_sign_in_and_a_reset_at_once_leave_nobody_in_with_the_old_password(
    remembered: Visitor, another: Callable[..., Visitor], owner: Owner
) -> None:
    """Whichever comes first: what the old password opened ends with it."""
    forgetful = another(remembered.email)
    token = token_for(forgetful)
    remembered.token()
    with ThreadPoolExecutor(2) as threads:
        login, done = threads.submit(remembered.login), threads.submit(reset, forgetful, token)
    assert done.result().status_code == 200
    assert login.result().status_code in (200, 202, 401)
    assert rows(owner, "SELECT id FROM auth_sessions WHERE revoked_at IS NULL") == []


def test_they_are_listed_on_ones_own_page_and_forgotten_there(remembered: Visitor, owner: Owner) -> None:
    assert outcome(remembered.login()) == SKIPPED
    page = remembered.ask("GET", "/account").text
    assert "Asks for no code until" in page
    (path,) = re.findall(r"/account/devices/\d+/forget", page)
    assert remembered.submit(path).status_code == 303
    assert remembered.is_signed_in(), "the session goes on"
    assert "Asks for no code until" not in remembered.ask("GET", "/account").text
    assert remembered.submit(path).status_code == 404
    assert outcome(sign_out(remembered).login()) == ASKED
    assert rows(owner, "SELECT kind FROM audit_log WHERE action = 'account_changed'") == [("device",)]


def test_nobody_forgets_another_persons_browser(
    remembered: Visitor, another: Callable[..., Visitor], owner: Owner
) -> None:
    ((device_id,),) = rows(owner, "SELECT id FROM known_devices")
    assert another().join().submit(f"/account/devices/{device_id}/forget").status_code == 404
    assert outcome(remembered.login()) == SKIPPED


def test_a_sign_in_from_a_new_browser_is_told_by_mail_and_from_a_known_one_is_not(
    visitor: Visitor, another: Callable[..., Visitor], flask_app: Flask
) -> None:
    visitor.join()
    assert visitor.mailbox is not None
    sign_in(sign_out(visitor))
    do_jobs(flask_app)
    assert NEW_DEVICE not in [mail["subject"] for mail in visitor.mailbox(visitor.email)]
    sign_in(another(visitor.email))
    do_jobs(flask_app)
    mail = visitor.mailbox(visitor.email)[0]
    assert mail["subject"] == NEW_DEVICE
    assert "this machine" in mail["text"]
    assert "/auth/forgot" in mail["text"]
    assert not re.search(r"\d{6,}", mail["text"])


def test_fifty_browsers_are_known_and_the_longest_unused_goes(visitor: Visitor, owner: Owner) -> None:
    visitor.join()
    run(
        owner,
        "INSERT INTO known_devices (user_id, token_hash, last_used_at)"
        " SELECT u.id, n::text::bytea, now() - n * interval '1 hour' FROM users u, generate_series(1, 50) n",
    )
    visitor.client.delete_cookie("device")
    sign_in(sign_out(visitor))
    assert rows(owner, "SELECT count(*) FROM known_devices") == [(50,)]
    assert rows(owner, "SELECT id FROM known_devices WHERE token_hash = '50'") == []
