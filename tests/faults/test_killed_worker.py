"""kill -9 of Gunicorn workers in the middle of the demo: what was answered 2xx is in the database."""

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.conftest import ROOT, eventually, free_port

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

KILLS = 4
SENDERS = 4


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stack of this test's own, because it is about to be hurt."""
    var = tmp_path_factory.mktemp("killed") / "var"
    environment = {**os.environ, "VAR": str(var), "PORT": str(free_port())}
    process = subprocess.Popen([sys.executable, "-m", "local", "run"], cwd=ROOT, env=environment)
    try:
        eventually(lambda: (var / "stack.json").exists() or process.poll() is not None, 120)
        assert process.poll() is None, "the stack did not start"
        yield var
    finally:
        process.terminate()
        process.wait(timeout=30)


class Ledger(threading.Thread):
    """Sends events and writes down each id that was answered 2xx, and nothing else."""

    def __init__(self, demo: dict[str, Any], stop: threading.Event) -> None:
        super().__init__()
        self.answered: set[str] = set()
        self._url = f"{demo['url']}/api/logs/shop"
        self._headers = {"Authorization": f"Bearer {demo['apps'][1]['write_key']}"}
        self._stop_asked = stop

    def run(self) -> None:
        while not self._stop_asked.is_set():
            message_id = str(uuid.uuid4())
            event = {"eventName": "ledger", "messageId": message_id, "payload": {}}
            try:
                answer = requests.post(self._url, json=event, headers=self._headers, timeout=10)
            except requests.RequestException:
                continue  # not answered: nothing was promised
            if answer.ok:
                self.answered.add(message_id)


def read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.exists() else None


def worker_of(var: Path, n: int) -> psutil.Process:
    """A worker of one of the two Gunicorns, in turn."""
    masters = [
        p["pid"] for p in json.loads((var / "stack.json").read_text())["processes"] if p["role"] == "gunicorn"
    ]
    workers = eventually(lambda: psutil.Process(masters[n % len(masters)]).children())
    assert isinstance(workers, list)
    return workers[0]


def stored_ids(demo: dict[str, Any]) -> set[str]:
    """All message ids of the app's `ledger` events, page by page."""
    found: set[str] = set()
    cursor = ""
    while cursor is not None:
        page = requests.get(
            f"{demo['url']}/api/apps/shop/events",
            params={"event": "ledger", "limit": 1000, "cursor": cursor},
            headers={"Authorization": f"Bearer {demo['api_key']}"},
            timeout=30,
        ).json()
        found |= {event["message_id"] for event in page["events"]}
        cursor = page["next_cursor"]
    return found


def test_every_event_answered_2xx_is_in_the_database(own_stack: Path) -> None:
    demo_run = subprocess.Popen(
        [sys.executable, "-m", "local.demo"],
        cwd=ROOT,
        env={**os.environ, "VAR": str(own_stack), "DURATION": "20"},
    )
    demo = eventually(lambda: read(own_stack / "demo.json"), 60)
    assert isinstance(demo, dict)
    stop = threading.Event()
    ledgers = [Ledger(demo, stop) for _ in range(SENDERS)]
    for ledger in ledgers:
        ledger.start()
    for n in range(KILLS):
        before = sum(len(ledger.answered) for ledger in ledgers)
        eventually(lambda before=before: sum(len(ledger.answered) for ledger in ledgers) > before + 50)
        worker_of(own_stack, n).send_signal(signal.SIGKILL)
    assert demo_run.wait(timeout=120) == 0, "the demo itself did not survive"
    stop.set()
    for ledger in ledgers:
        ledger.join()
    answered = set().union(*(ledger.answered for ledger in ledgers))
    stored = stored_ids(demo)
    assert len(answered) > 50 * KILLS
    assert answered - stored == set(), "answered but lost"
    github = requests.get(
        f"{demo['url']}/api/apps/github/summary",
        headers={"Authorization": f"Bearer {demo['api_key']}"},
        timeout=30,
    ).json()
    assert sum(github["verdicts"].values()) == 329
