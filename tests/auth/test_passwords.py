"""Passwords: which are refused, and hashing that neither stops the event loop nor eats the machine."""

import subprocess
import sys
import threading

import pytest
from flask import Flask
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from app.auth import passwords
from app.errors import Refusal
from tests.auth.visitor import PASSWORD

EMAIL = "anna.tester@example.com"


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "elevenchars",
        "password1234",
        "qwertyuiop123",
        "111111111111",
        "abcabcabcabcabc",
        "            ",
        "iloveyou1234",
        "anna.tester@example.com",
        "my anna.tester@EXAMPLE.com!",
        "live validation",
        "x" * 1025,
    ],
)
def test_a_weak_password_is_refused_with_the_reason(flask_app: Flask, password: str) -> None:
    reason = passwords.weakness(password, EMAIL)
    assert reason
    assert reason[0].isupper()
    assert reason.endswith(".")


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "correct horse battery staple",
        "Ünïcödé-Pässwörtchen-für-alle",
        "密码很长而且没有人会猜到它的内容",
        "kV9$wQ2!mZ7@",
        "\0 nul inside is a character",
        "😀😃😄😁 emoji are characters",
        "k9 Wq" * 25 + "abc",
        "trailing space counts too ",
    ],
)
def test_any_character_and_128_of_them_are_fine(flask_app: Flask, password: str) -> None:
    assert passwords.weakness(password, EMAIL) is None
    hashed = passwords.hashed(password)
    assert passwords.fits(password, hashed)
    assert not passwords.fits(password[:-1], hashed)
    assert not passwords.fits(password + "\0", hashed)
    assert not passwords.fits(password.swapcase() + " ", hashed)


def test_no_password_of_the_shipped_list_is_taken(flask_app: Flask) -> None:
    """Thirty thousand common ones; most fall to their length, the others to being on the list."""
    common: list[str] = FREQUENCY_LISTS["passwords"]
    assert len(common) > 10_000
    long = [word for word in common if len(word) >= passwords.SHORTEST]
    assert len(long) > 100
    assert [word for word in long if passwords.weakness(word, EMAIL) is None] == []


def test_the_hash_is_argon2id_with_the_recommended_parameters(flask_app: Flask) -> None:
    first, second = passwords.hashed(PASSWORD), passwords.hashed(PASSWORD)
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert passwords.NOBODY.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not passwords.is_outdated(passwords.NOBODY)


@pytest.mark.parametrize("stored", [None, "", "plain", "$argon2id$broken"])
def test_nobodys_and_broken_hashes_fit_nothing(flask_app: Flask, stored: str | None) -> None:
    assert not passwords.fits(PASSWORD, stored)


def test_too_many_at_once_are_told_busy(flask_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PATIENCE_SECONDS", 0.05)
    turns: threading.Semaphore = flask_app.extensions["password_turns"]
    for _ in range(passwords.MOST_AT_ONCE):
        turns.acquire()
    try:
        with pytest.raises(Refusal, match="busy"):
            passwords.hashed(PASSWORD)
    finally:
        turns.release(passwords.MOST_AT_ONCE)


UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent, time
from flask import Flask
from app.auth import passwords

flask_app = Flask("x")
passwords.init_app(flask_app)
gaps = []

def tick():
    last = time.perf_counter()
    while True:
        gevent.sleep(0.001)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now

def work():
    with flask_app.app_context():
        stored = passwords.hashed("seven quiet otters paint")
        assert passwords.fits("seven quiet otters paint", stored)

ticking = gevent.spawn(tick)
gevent.sleep(0.01)
gevent.joinall([gevent.spawn(work) for _ in range(10)], raise_error=True)
print(len(gaps), max(gaps))
"""


def test_ten_sign_ins_do_not_stop_the_event_loop() -> None:
    done = subprocess.run([sys.executable, "-c", UNDER_GEVENT], capture_output=True, text=True, check=True)
    ticks, longest = done.stdout.split()
    # Twenty hashes of some 20 ms each: on the loop there would be a tick per hash, and gaps as long as one.
    assert int(ticks) > 60
    assert float(longest) < 0.2
