"""Reloading and restarting under load: no request fails, and whoever looks on misses nothing."""

import signal
import threading
from pathlib import Path

import psutil
import pytest
import requests

from loadtests import faults, stacks, viewers
from loadtests.ledger import Books, reckon
from loadtests.stacks import Stack
from tests.conftest import UNHURRIED, eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]

SENDERS = 4
KEPT_BETWEEN = 100
UNLIMITED = dict.fromkeys(
    (
        "KEY_EVENTS_PER_SECOND",
        "KEY_EVENTS_BURST",
        "ORGANISATION_EVENTS_PER_SECOND",
        "ORGANISATION_EVENTS_BURST",
    ),
    "1000000",
)


def is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", headers={"Host": "localhost"}, timeout=5).ok
    except requests.RequestException:
        return False


def are_both_up(stack: Stack) -> bool:
    try:
        urls = stack.gunicorn_urls()
    except psutil.NoSuchProcess:  # stack.json still names the one that ended
        return False
    return len(urls) == 2 and all(map(is_up, urls))


def workers_of(master: int) -> set[int]:
    return {child.pid for child in psutil.Process(master).children()}


def reload(stack: Stack, master: int) -> None:
    """HUP, until all old workers are gone and a new one answers."""
    before = workers_of(master)
    psutil.Process(master).send_signal(signal.SIGHUP)
    eventually(lambda: (now := workers_of(master)) and not now & before, 60)
    eventually(lambda: are_both_up(stack), 60)


def restart(stack: Stack, pid: int) -> None:
    """TERM, until it ended, supervisord began it anew, and it answers."""
    master = psutil.Process(pid)
    master.send_signal(signal.SIGTERM)
    master.wait(30)
    eventually(lambda: are_both_up(stack), 60)


def test_reloads_and_restarts_cost_no_request_and_no_viewer_an_event(tmp_path: Path) -> None:
    with stacks.own({**UNHURRIED, **UNLIMITED}) as stack:
        desk = faults.open_desk(stack)
        looking = viewers.Viewer(desk, "watched")
        looking.start()
        eventually(lambda: looking.connections)
        shown = viewers.Sender(desk, ["watched"], rate=20, seconds=0)
        shown.send(0)
        eventually(lambda: looking.seen)
        stop, books = threading.Event(), Books(tmp_path / "ledger")
        senders = desk.send(books, stop, SENDERS, seed=1)
        try:
            first, second = stack.pids("gunicorn")
            for n, (disturb, master) in enumerate(
                ((reload, first), (reload, second), (restart, first), (restart, second)), 1
            ):
                kept = len(books.kept)
                eventually(lambda kept=kept: len(books.kept) > kept + KEPT_BETWEEN)  # type: ignore[misc]
                disturb(stack, master)
                shown.send(n)
            kept = len(books.kept)
            eventually(lambda: len(books.kept) > kept + KEPT_BETWEEN)
        finally:
            stop.set()
            for sender in senders:
                sender.join(30)
        assert set(books.statuses) == {200}, dict(books.statuses)
        found = reckon(desk, books)
        assert found.is_clean, str(found)
        wanted = set(shown.kept["watched"])
        eventually(lambda: wanted <= looking.seen.keys())
        assert set(looking.seen.values()) == {1}
        assert looking.connections > 1, "the stream's instance was restarted, too"
        looking.is_over = True
