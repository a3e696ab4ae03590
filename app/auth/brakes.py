"""Brakes on guessing passwords and codes: per account and per network, each try counted before it is looked at.

A stranger who guesses brakes strangers, not the owner: a browser that the account knows has a brake of its own and
passes by the network's, and a mailed link to a new password lets go of all. Counted in PostgreSQL, so that the loss of
Redis gives nobody new tries. Road not taken: locking accounts, which hands every stranger a switch; one counter for
everybody, which hands them the main one; and waiting longer and longer, which holds a connection meanwhile.
"""

import enum
import hmac
import ipaddress
from dataclasses import dataclass

from flask import request

from app import metrics
from app.auth import devices
from app.errors import Refusal
from app.extensions import db, settings
from app.store import brakes
from app.store.brakes import Pace


class Guess(enum.StrEnum):
    """What is being guessed."""

    PASSWORD = "password"  # noqa: S105  (a word, not one)
    CODE = "code"


OTHER_WAYS = "Or use a browser that you signed in with before, or choose a new password by mail."
# NIST SP 800-63B 5.2.2: no more than 100 failures in a row, ever.
ACCOUNT = Pace(most=10, minutes=15, most_in_a_row=100)
NETWORK = Pace(most=100, minutes=15, most_in_a_row=2**31 - 1)
# What one household or office has, and one attacker rents: RFC 6177 gives a site a /56 at most.
NETWORK_BITS = {4: 24, 6: 56}


@dataclass(frozen=True, slots=True)
class Tried:
    """A try that was counted. `right()` takes it back."""

    guess: Guess
    whom: bytes
    network: bytes | None

    def right(self) -> None:
        """It was no guess: what failed before is forgotten. The caller commits."""
        brakes.forgive(self.guess, self.whom)
        if self.network:
            brakes.give_back(self.guess, self.network)


def count(guess: Guess, account: str) -> Tried:
    """Count a try on this account, for good. Raises Refusal `rate_limited` (429) where none is left.

    account: its address; unknown ones count alike, so that nobody learns which exist.
    """
    device_id = devices.of_account(account)
    whom = _hashed(f"device {device_id}" if device_id else f"account {account}")
    network = None if device_id else _network()
    _press(guess, whom, ACCOUNT, "account")
    if network:
        _press(guess, network, NETWORK, "network")
    db.session.commit()
    return Tried(guess, whom, network)


def let_go(account: str) -> None:
    """The account's owner came by another way: strangers' failures count no more. The caller commits."""
    for guess in Guess:
        brakes.forgive(guess, _hashed(f"account {account}"))


def _press(guess: Guess, whom: bytes, pace: Pace, scope: str) -> None:
    if brakes.count(guess, whom, pace):
        return
    seconds = brakes.seconds_left(guess, whom, pace)
    db.session.rollback()
    metrics.LIMITED.labels(scope).inc()
    if seconds is None:
        raise Refusal("rate_limited", f"Too many wrong tries. {OTHER_WAYS}", 429)
    minutes = -(-seconds // 60)
    wait = "a minute" if minutes <= 1 else f"{minutes} minutes"
    message = f"Too many wrong tries. Wait {wait}. {OTHER_WAYS}"
    raise Refusal("rate_limited", message, 429, headers={"Retry-After": str(max(1, seconds))})


def _network() -> bytes | None:
    """The asker's network; none for this machine's own, where everybody would be one network."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:  # a unix socket has none
        return None
    if address.is_loopback:
        return None
    bits = NETWORK_BITS[address.version]
    return _hashed(f"network {ipaddress.ip_network((address, bits), strict=False)}")


def _hashed(whom: str) -> bytes:
    """Under a key: the rows name nobody, not even those whose address was only tried."""
    key = hmac.digest(settings().secret_key.encode(), b"live validation: brakes", "sha256")
    return hmac.digest(key, whom.encode("utf-8", "surrogatepass"), "sha256")
