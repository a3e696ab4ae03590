"""The authenticator app: set up, asked for instead of a mailed code, each code once; recovery codes; removed."""

import base64
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pyotp
import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from app.auth import authenticator
from app.config import Settings
from app.store import sealed
from tests.auth.visitor import Mailbox, Visitor, do_jobs

Another = Callable[..., Visitor]
STEP = authenticator.STEP_SECONDS


class Clock:
    """The time that the authenticator sees, in the middle of a step; moved by hand."""

    def __init__(self) -> None:
        self.now = time.time() // STEP * STEP + STEP / 2

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stopped = Clock()
    monkeypatch.setattr(authenticator, "time", stopped)
    return stopped


class Phone:
    """The app on somebody's phone."""

    def __init__(self, clock: Clock, secret: str) -> None:
        self._clock, self._app = clock, pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        return self._app.at(int(self._clock.now + steps * STEP))


def shown_secret(visitor: Visitor) -> str:
    page = visitor.ask("GET", "/account/authenticator").text
    found = re.search(r'data-text="([a-z2-7 ]{39})"', page)
    assert found, page
    return found[1].replace(" ", "").upper()


def set_up(visitor: Visitor, clock: Clock) -> tuple[Phone, list[str]]:
    """The phone, and the recovery codes."""
    assert visitor.submit("/account/authenticator/begin").status_code == 303
    phone = Phone(clock, shown_secret(visitor))
    answer = visitor.submit("/account/authenticator/confirm", code=phone.code())
    assert answer.status_code == 200
    recovery = re.findall(r"\b[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}\b", answer.text.split("</pre>")[0])
    assert len(set(recovery)) == 10
    clock.now += STEP
    return phone, recovery


@pytest.fixture
def owner_of_a_phone(visitor: Visitor, clock: Clock) -> tuple[Visitor, Phone, list[str]]:
    visitor.join()
    phone, recovery = set_up(visitor, clock)
    visitor.post("/auth/logout")
    return visitor, phone, recovery


def test_from_then_on_the_apps_code_is_asked_for_and_none_is_mailed(
    owner_of_a_phone: tuple[Visitor, Phone, list[str]], mailbox: Mailbox
) -> None:
    visitor, phone, _ = owner_of_a_phone
    do_jobs(visitor.flask_app)
    before = len(mailbox(visitor.email))
    assert visitor.login().status_code == 202
    do_jobs(visitor.flask_app)
    assert len(mailbox(visitor.email)) == before
    assert "authenticator app shows" in visitor.ask("GET", "/auth/verify").text
    assert visitor.verify(phone.code()).status_code == 200
    assert visitor.is_signed_in()


def test_the_owner_is_told(owner_of_a_phone: tuple[Visitor, Phone, list[str]], mailbox: Mailbox) -> None:
    visitor, _, _ = owner_of_a_phone
    do_jobs(visitor.flask_app)
    assert mailbox(visitor.email)[0]["subject"] == "Authenticator app added"


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
def test_a_clock_may_be_a_step_off_and_no_more(
    owner_of_a_phone: tuple[Visitor, Phone, list[str]], clock: Clock, steps: int, status: int
) -> None:
    visitor, phone, _ = owner_of_a_phone
    clock.now += 4 * STEP  # past the step that setting it up used
    visitor.login()
    assert visitor.verify(phone.code(steps)).status_code == status


def test_a_code_works_once_also_in_another_sign_in_and_so_do_those_before_it(
    owner_of_a_phone: tuple[Visitor, Phone, list[str]], another: Another, clock: Clock
) -> None:
    visitor, phone, _ = owner_of_a_phone
    clock.now += 2 * STEP
    visitor.login()
    assert visitor.verify(phone.code()).status_code == 200
    onlooker = another(email=visitor.email)
    onlooker.login()
    assert onlooker.verify(phone.code()).status_code == 401
    assert onlooker.verify(phone.code(-1)).status_code == 401
    assert onlooker.verify(phone.code(1)).status_code == 200


def test_fifty_correct_submits_of_an_apps_code_make_one_session(
    owner_of_a_phone: tuple[Visitor, Phone, list[str]], flask_app: Flask, owner: Any
) -> None:
    visitor, phone, _ = owner_of_a_phone
    visitor.login()
    token, cookie, code = visitor.token(), visitor.cookie, phone.code()

    def submit(_: int) -> int:
        double = Visitor(flask_app, email=visitor.email)
        double.client.set_cookie("session", cookie or "")
        return double.verify(code, X_CSRF_Token=token).status_code

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(submit, range(50)))
    assert statuses.count(200) == 1
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auth_sessions WHERE revoked_at IS NULL")
        assert cursor.fetchone() == (1,)


def test_five_guesses_and_then_not_even_the_right_code(
    owner_of_a_phone: tuple[Visitor, Phone, list[str]],
) -> None:
    visitor, phone, _ = owner_of_a_phone
    visitor.login()
    wrong = f"{(int(phone.code()) + 7) % 10**6:06}"
    for _ in range(5):
        assert visitor.verify(wrong).status_code == 401
    assert visitor.verify(phone.code()).status_code == 401


def test_asking_for_another_code_mails_none(
    owner_of_a_phone: tuple[Visitor, Phone, list[str]], mailbox: Mailbox
) -> None:
    visitor, phone, _ = owner_of_a_phone
    visitor.login()
    do_jobs(visitor.flask_app)
    before = len(mailbox(visitor.email))
    assert visitor.submit("/auth/resend").status_code < 400
    do_jobs(visitor.flask_app)
    assert len(mailbox(visitor.email)) == before
    assert visitor.verify(phone.code()).status_code == 200


def test_a_mailed_code_does_not_do_instead(
    owner_of_a_phone: tuple[Visitor, Phone, list[str]], owner: Any
) -> None:
    """The challenge has no code of its own: eight digits fit nothing."""
    visitor, _, _ = owner_of_a_phone
    visitor.login()
    for code in ("00000000", "12345678"):
        assert visitor.verify(code).status_code == 401


def test_a_recovery_code_works_once_and_its_owner_is_told(
    owner_of_a_phone: tuple[Visitor, Phone, list[str]], another: Another, mailbox: Mailbox
) -> None:
    visitor, _, recovery = owner_of_a_phone
    visitor.login()
    assert visitor.verify(recovery[0].upper()).status_code == 200
    do_jobs(visitor.flask_app)
    assert "A recovery code was used" in [mail["subject"] for mail in mailbox(visitor.email)]
    assert "9 of its recovery codes are unused" in visitor.ask("GET", "/account").text
    again = another(email=visitor.email)
    again.login()
    assert again.verify(recovery[0]).status_code == 401
    assert again.verify(recovery[1].replace("-", "")).status_code == 200


def test_new_recovery_codes_kill_the_old(visitor: Visitor, clock: Clock, another: Another) -> None:
    visitor.join()
    _, old = set_up(visitor, clock)
    answer = visitor.submit("/account/authenticator/recovery-codes")
    assert answer.status_code == 200
    again = another(email=visitor.email)
    again.login()
    assert again.verify(old[0]).status_code == 401
    new = re.search(r"\b[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}\b", answer.text)
    assert new
    assert again.verify(new[0]).status_code == 200


def test_recovery_codes_can_be_downloaded(visitor: Visitor, clock: Clock) -> None:
    visitor.join()
    visitor.submit("/account/authenticator/begin")
    phone = Phone(clock, shown_secret(visitor))
    page = visitor.submit("/account/authenticator/confirm", code=phone.code()).text
    (link,) = re.findall(r'href="data:text/plain;charset=utf-8,([^"]+)" download=', page)
    assert len(re.findall(r"^[a-z2-9]{4}(?:-[a-z2-9]{4}){2}$", unquote(link), re.MULTILINE)) == 10


def test_until_its_first_code_nothing_has_changed(visitor: Visitor, clock: Clock) -> None:
    visitor.join()
    visitor.submit("/account/authenticator/begin")
    answer = visitor.submit("/account/authenticator/confirm", code="000000")
    assert answer.status_code == 422
    assert "Wait for its next one" in answer.text, "the picture is still there, with the reason"
    visitor.post("/auth/logout")
    visitor.login()
    assert visitor.verify(visitor.mailed_code()).status_code == 200


def test_the_picture_holds_the_secret_for_this_address(visitor: Visitor, clock: Clock) -> None:
    visitor.join()
    visitor.submit("/account/authenticator/begin")
    secret, page = shown_secret(visitor), visitor.ask("GET", "/account/authenticator")
    assert 'src="data:image/svg+xml' in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert authenticator.as_picture(secret, visitor.email).startswith("data:image/svg+xml")
    assert "img-src 'self' data:" in page.headers["Content-Security-Policy"]


def test_beginning_again_does_not_replace_one_that_is_in_use(visitor: Visitor, clock: Clock) -> None:
    visitor.join()
    phone, _ = set_up(visitor, clock)
    visitor.submit("/account/authenticator/begin")
    assert visitor.ask("GET", "/account/authenticator").status_code == 303
    visitor.post("/auth/logout")
    visitor.login()
    assert visitor.verify(phone.code()).status_code == 200


def test_after_removing_it_codes_are_mailed_again(
    visitor: Visitor, clock: Clock, mailbox: Mailbox, owner: Any
) -> None:
    visitor.join()
    _, recovery = set_up(visitor, clock)
    assert visitor.submit("/account/authenticator/remove").status_code == 303
    do_jobs(visitor.flask_app)
    assert "Authenticator app removed" in [mail["subject"] for mail in mailbox(visitor.email)]
    with owner.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM authenticators), (SELECT count(*) FROM recovery_codes)")
        assert cursor.fetchone() == (0, 0)
    visitor.post("/auth/logout")
    visitor.login()
    assert visitor.verify(recovery[0]).status_code == 401
    assert visitor.verify(visitor.mailed_code()).status_code == 200


# ── at rest ────────────────────────────────────────────────────────────────


def sealed_secret(owner: Any) -> bytes:
    with owner.cursor() as cursor:
        cursor.execute("SELECT sealed_secret FROM authenticators")
        return bytes(cursor.fetchone()[0])


def test_neither_the_secret_nor_a_recovery_code_is_readable_in_the_database(
    visitor: Visitor, clock: Clock, owner: Any
) -> None:
    visitor.join()
    visitor.submit("/account/authenticator/begin")
    secret = shown_secret(visitor)
    assert secret.encode() not in sealed_secret(owner)
    assert base64.b32decode(secret) not in sealed_secret(owner)
    _, recovery = set_up(visitor, clock)
    with owner.cursor() as cursor:
        cursor.execute("SELECT code_hash FROM recovery_codes")
        kept = b"".join(bytes(row[0]) for row in cursor)
    assert recovery[0].replace("-", "").encode() not in kept


def with_keys(settings: Settings, *keys: str) -> Flask:
    return create_app(replace(settings, encryption_keys=keys))


def rotate(flask_app: Flask) -> Result:
    """`flask secrets rotate`, as in a process of its own."""
    return Context().run(flask_app.test_cli_runner().invoke, args=["secrets", "rotate"])


OLD, NEW = "o" * 32, "n" * 32


def test_keys_rotate_without_losing_a_secret(
    flask_app: Flask, settings: Settings, visitor: Visitor, clock: Clock, owner: Any
) -> None:
    visitor.join()
    first = with_keys(settings, OLD)
    with first.app_context():
        kept = sealed.seal(b"secret")
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO authenticators (user_id, sealed_secret) SELECT id, %s FROM users", (kept,)
        )
    both = with_keys(settings, NEW, OLD)
    with both.app_context():
        assert sealed.unseal(kept) == b"secret", "the old key still opens"
    done = rotate(both)
    assert (done.exit_code, done.output) == (0, "1 secrets are sealed under the newest key.\n")
    with with_keys(settings, NEW).app_context():
        assert sealed.unseal(sealed_secret(owner)) == b"secret", "the old key may go"
    with first.app_context():
        assert sealed.unseal(sealed_secret(owner)) is None


def test_a_rotation_that_cannot_read_a_secret_changes_nothing_and_says_so(
    flask_app: Flask, settings: Settings, visitor: Visitor, owner: Any
) -> None:
    visitor.join()
    with with_keys(settings, OLD).app_context():
        kept = sealed.seal(b"secret")
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO authenticators (user_id, sealed_secret) SELECT id, %s FROM users", (kept,)
        )
    done = rotate(with_keys(settings, NEW))
    assert done.exit_code == 1
    assert "Bring the key back" in done.output
    assert sealed_secret(owner) == kept
