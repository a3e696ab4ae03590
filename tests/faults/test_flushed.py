"""Redis emptied again and again: whatever was promised happens all the same. So it needs no backup."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from redis import Redis

from loadtests import faults, stacks
from loadtests.ledger import Books, reckon
from loadtests.people import Account, Postman, event, sign_up
from loadtests.stacks import Stack
from local.places import Places
from local.valkey import Valkey
from tests.conftest import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
MAIL_SECONDS = 60.0
EVENTS = 3_000


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """A stack of this test's own, because it is about to be hurt."""
    with stacks.own() as stack:
        yield stack


@contextmanager
def flushing(stack: Stack) -> Iterator[Callable[[], None]]:
    """FLUSHALL on both servers every few milliseconds; what is yielded does it once more."""
    places = Places.prepare(stack.var)
    servers = [Redis.from_url(Valkey(name, places).operator_url) for name in ("redis", "redis-cache")]
    is_over = threading.Event()

    def flush() -> None:
        for server in servers:
            server.flushall()

    def for_ever() -> None:
        while not is_over.is_set():
            flush()
            time.sleep(0.01)

    thread = threading.Thread(target=for_ever)
    thread.start()
    try:
        yield flush
    finally:
        is_over.set()
        thread.join()
        for server in servers:
            server.close()


@contextmanager
def held_still(stack: Stack) -> Iterator[None]:
    """The workers hear of nothing: what wakes them up is gone before they look."""
    parents = [psutil.Process(pid) for pid in stack.pids("worker")]
    children = [child for parent in parents for child in parent.children()]
    for child in children:
        child.suspend()
    try:
        yield
    finally:
        for child in children:
            child.resume()


def register(url: str, address: str) -> None:
    """Ask for a code until the answer says that it was sent: the token's session may be gone before it is used."""
    browser = requests.Session()

    def asked() -> bool:
        answer = browser.get(f"{url}/auth/csrf", timeout=10)
        if not answer.ok:
            return False
        headers = {"X-CSRF-Token": answer.json()["csrf_token"], "Origin": url}
        body = {"email": address, "password": "seven quiet otters paint"}
        return browser.post(f"{url}/auth/register", json=body, headers=headers, timeout=10).status_code == 202

    eventually(asked)


def test_what_was_promised_happens_though_redis_forgets_everything(own_stack: Stack, tmp_path: Path) -> None:
    desk = faults.open_desk(own_stack)
    sending = {"Authorization": f"Bearer {desk.write_key}"}
    waiting = [Account.new() for _ in range(3)]
    books, stop = Books(tmp_path / "ledger"), threading.Event()
    senders = desk.send(books, stop, 2, seed=7)
    with flushing(own_stack) as flush, held_still(own_stack):
        for account in waiting:
            register(own_stack.url, account.email)
        upload = requests.post(
            f"{own_stack.url}/api/logs/{desk.app_id}/batches",
            data=b"\n".join(event(f"flushed-{n}") for n in range(EVENTS)),
            headers={**sending, "Content-Type": "application/x-ndjson"}, timeout=30,
        )  # fmt: skip
        assert upload.status_code == 202, upload.text
        flush()
    promised_at = time.monotonic()

    def mails() -> set[str]:
        return {
            mail["to"] for mail in requests.get(f"{own_stack.mailbox_url}/messages.json", timeout=10).json()
        }

    eventually(lambda: {account.email for account in waiting} <= mails(), MAIL_SECONDS)
    assert time.monotonic() - promised_at < MAIL_SECONDS

    def batch() -> dict[str, Any]:
        path = f"/api/logs/{desk.app_id}/batches/{upload.json()['batch_id']}"
        found: dict[str, Any] = requests.get(f"{own_stack.url}{path}", headers=sending, timeout=10).json()
        return found

    eventually(lambda: batch()["finished_at"], MAIL_SECONDS)
    assert batch()["accepted"] == EVENTS
    stop.set()
    for sender in senders:
        sender.join(20)
    found = reckon(desk, books)
    books.close()
    assert found.is_clean, str(found)
    assert found.kept > 0
    sign_up(
        requests.Session(), own_stack.url, Postman(own_stack.mailbox_url), Account.new()
    )  # and all goes on
