"""`make faults`: kill -9 of every kind of process while the ledger sends; then the books are compared."""

import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from loadtests import stacks
from loadtests.ledger import Books, Desk, Reckoning, reckon
from loadtests.people import Member, Postman
from loadtests.stacks import Stack

T = TypeVar("T")

SENDERS = 4
ACKS_BEFORE, ACKS_AFTER = 40, 40
HEALING_SECONDS = 30.0
LOOK_SECONDS = 0.02
DRAIN_SECONDS = 20.0


@dataclass(frozen=True)
class Victim:
    """A kind of process. `find` names one of its living processes; `n` lets it take turns among several."""

    name: str
    find: Callable[[Stack, int], psutil.Process]


def itself(role: str) -> Callable[[Stack, int], psutil.Process]:
    """A process that stack.json names."""

    def find(stack: Stack, n: int) -> psutil.Process:
        return psutil.Process(_taking_turns(stack.pids(role), n))

    return find


def child(role: str, title: str = "") -> Callable[[Stack, int], psutil.Process]:
    """A child of such a process, whose command line holds `title`."""

    def find(stack: Stack, n: int) -> psutil.Process:
        parent = psutil.Process(_taking_turns(stack.pids(role), n))
        return _taking_turns([c for c in parent.children() if title in " ".join(c.cmdline())], n)

    return find


def _taking_turns(living: Sequence[T], n: int) -> T:
    """The n-th of them. Raises psutil.NoSuchProcess where none lives, as between a death and its successor."""
    if not living:
        raise psutil.NoSuchProcess(0)
    return living[n % len(living)]


VICTIMS = (
    Victim("gunicorn worker", child("gunicorn")),
    Victim("gunicorn master", itself("gunicorn")),
    Victim("nginx worker", child("nginx")),
    Victim("nginx master", itself("nginx")),
    Victim("redis", itself("redis")),
    Victim("redis-cache", itself("redis-cache")),
    Victim("postgres backend", child("postgres", "live_validation_ingest")),
    Victim("postgres master", itself("postgres")),
    Victim("queue worker", itself("worker")),
    Victim("mailbox", itself("mailbox")),
)


@dataclass(frozen=True)
class Outcome:
    """One fault's books, and how long it took until events were taken again, in seconds."""

    victim: str
    healed_after: float
    statuses: Mapping[int, int]
    reckoning: Reckoning


def open_desk(stack: Stack) -> Desk:
    """An organisation of the run's own with one app. Raises local.demo.Trouble."""
    shop = Member(stack.url, Postman(stack.mailbox_url)).shop
    return Desk(stack.url, shop.app_id, shop.write_key, shop.api_key)


def strike(stack: Stack, desk: Desk, victim: Victim, n: int, seed: int) -> Outcome:
    """Send, kill, wait until events are taken again, stop, compare. Raises TimeoutError where nothing heals."""
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        books = Books(Path(folder) / "ledger")
        senders = desk.send(books, stop, SENDERS, seed)
        try:
            _await(lambda: len(books.kept) >= ACKS_BEFORE, f"no events before {victim.name}")
            kill(stack, victim, n)
            killed_at, kept = time.monotonic(), len(books.kept)
            _await(lambda: len(books.kept) >= kept + ACKS_AFTER, f"no events after {victim.name}")
            healed_after = time.monotonic() - killed_at
            _await(stack.is_ready, f"not ready again after {victim.name}")
        finally:
            stop.set()
            for sender in senders:
                sender.join(DRAIN_SECONDS)
        found = reckon(desk, books)
        books.close()
    return Outcome(victim.name, healed_after, dict(books.statuses), found)


def kill(stack: Stack, victim: Victim, n: int) -> None:
    """kill -9, and certainty that it hit."""
    ends_at = time.monotonic() + HEALING_SECONDS
    while time.monotonic() < ends_at:
        try:
            process = victim.find(stack, n)
            process.send_signal(signal.SIGKILL)
            process.wait(HEALING_SECONDS)
        except psutil.NoSuchProcess:  # being replaced right now, or not there yet
            time.sleep(LOOK_SECONDS)
        else:
            return
    raise TimeoutError(f"no {victim.name} to kill")


def _await(is_true: Callable[[], bool], trouble: str) -> None:
    ends_at = time.monotonic() + HEALING_SECONDS
    while not is_true():
        if time.monotonic() > ends_at:
            raise TimeoutError(f"{trouble} within {HEALING_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)


def run(environment: Mapping[str, str]) -> bool:
    """Strike every kind, ROUNDS times in turn, on a stack of our own; True where all books agree.

    KINDS: names of victims separated by commas; SEED repeats a run.
    """
    seed = int(environment.get("SEED") or time.time())
    wanted = set(filter(None, (environment.get("KINDS") or "").split(",")))
    victims = [v for v in VICTIMS if not wanted or v.name in wanted]
    print(f"faults: seed {seed}", flush=True)
    is_clean = True
    with stacks.own() as stack:
        desk = open_desk(stack)
        for n in range(int(environment.get("ROUNDS") or 1)):
            for victim in victims:
                found = strike(stack, desk, victim, n, seed + n)
                is_clean = is_clean and found.reckoning.is_clean
                print(_line(found), flush=True)
    print("faults: all books agree" if is_clean else "faults: THE BOOKS DISAGREE")
    return is_clean


def _line(found: Outcome) -> str:
    answers = " ".join(f"{status}×{count}" for status, count in sorted(found.statuses.items()))
    return f"{found.victim:17} events again after {found.healed_after:4.1f} s  {found.reckoning}  answers {answers}"
