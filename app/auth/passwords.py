"""Passwords: which are good enough, and Argon2id, never on the event loop.

No composition rules and no expiry: they make people choose worse passwords (OWASP ASVS 5.0 6.2.5, 6.2.10).
"""

import re
from collections.abc import Callable, Iterable
from threading import BoundedSemaphore
from typing import TypeVar

import bcrypt
import gevent
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import Flask, current_app
from gevent import monkey
from zxcvbn import zxcvbn

from app.errors import busy

Result = TypeVar("Result")

SHORTEST = 12
LONGEST = 1024  # characters; more is refused unread, so that nobody can make us hash a megabyte
ENOUGH = 3  # zxcvbn's score from 0 to 4; 3 takes more than 10^8 guesses, so no common password reaches it
LONGEST_JUDGED = 72  # zxcvbn's own limit: its work grows with the square
OUR_NAMES = ["live", "validation", "dashboard", "live validation dashboard"]

# OWASP Password Storage: m = 19 MiB, t = 2, p = 1.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# What an unknown address is checked against: a hash of nobody's password, made with the parameters above.
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$xuaJwhZ1R70GOHSU0DmaOw$Qt56J0c3Ortk6wkDcIPD58Pj9QJgTnBzM5V0oDN2iqk"

# How the reference dashboard kept passwords. Such a hash moves in with its owner and goes at the next sign-in. Until
# then a wrong password takes longer than for an unknown address: bcrypt at cost 12 is ten times Argon2id's work.
BCRYPT = re.compile(r"\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}")
BCRYPT_BYTES = 72  # bcrypt never read more; the library of today refuses what older ones cut off

# Two hashes at a time per process: each takes 19 MiB and a core for some 20 ms, and events need both too.
MOST_AT_ONCE = 2
PATIENCE_SECONDS = 5.0


def init_app(flask_app: Flask) -> None:
    flask_app.extensions["password_turns"] = BoundedSemaphore(MOST_AT_ONCE)


def weakness(password: str, email: str, organisations: Iterable[str] = ()) -> str | None:
    """Why this password is refused, in a sentence for its chooser, or None. Raises Refusal `busy`.

    organisations: the names of those that the chooser belongs to, which a stranger would try first.
    """
    if len(password) < SHORTEST:
        return f"Use at least {SHORTEST} characters. A few unrelated words make a good password."
    if len(password) > LONGEST:
        return f"Use at most {LONGEST} characters."
    if email and email.casefold() in password.casefold():
        return "Leave your e-mail address out of the password."
    return _off_the_hub(lambda: _judge(password, [*_parts(email), *organisations]))


def hashed(password: str) -> str:
    """The password's Argon2id hash. Raises Refusal `busy`."""
    return _off_the_hub(lambda: HASHER.hash(_bytes(password)))


def fits(password: str, password_hash: str | None) -> bool:
    """Is this the password of that hash? With None (nobody's) the same work is done, for nothing.

    Raises Refusal `busy`.
    """
    if len(password) > LONGEST:
        return False  # whoever's it is: the answer depends on what was sent alone
    fitted = _off_the_hub(lambda: _verify(password, password_hash or NOBODY))
    return fitted and password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Was it made with weaker parameters than today's, or by another method?"""
    return is_bcrypt(password_hash) or HASHER.check_needs_rehash(password_hash)


def is_bcrypt(password_hash: str) -> bool:
    """Is it a bcrypt hash, as the reference dashboard made them?"""
    return BCRYPT.fullmatch(password_hash) is not None


def _parts(email: str) -> list[str]:
    return [email, *email.replace("@", " ").replace(".", " ").split()]


def _judge(password: str, names: list[str]) -> str | None:
    found = zxcvbn(password[:LONGEST_JUDGED], user_inputs=[*names, *OUR_NAMES])
    if found["score"] >= ENOUGH:
        return None
    warning = found["feedback"]["warning"] or "This password is easy to guess."
    return f"{warning.rstrip('.')}. Add another word or two; uncommon words are better."


def _verify(password: str, password_hash: str) -> bool:
    if is_bcrypt(password_hash):
        return bcrypt.checkpw(_bytes(password)[:BCRYPT_BYTES], password_hash.encode())
    try:
        return HASHER.verify(password_hash, _bytes(password))
    except (VerificationError, InvalidHashError):
        return False


def _bytes(password: str) -> bytes:
    """As typed: no trimming, no folding. Even a lone surrogate, which UTF-8 lacks, is a character."""
    return password.encode("utf-8", "surrogatepass")


def _off_the_hub(work: Callable[[], Result]) -> Result:
    """Do the work in a real thread where this process is cooperative: the loop would stand still."""
    turns: BoundedSemaphore = current_app.extensions["password_turns"]
    if not turns.acquire(timeout=PATIENCE_SECONDS):
        raise busy()
    try:
        return gevent.get_hub().threadpool.apply(work) if monkey.is_module_patched("threading") else work()
    finally:
        turns.release()
