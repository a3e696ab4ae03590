"""What a publication costs: a plan of 10,000 rules, every one of them changed, published while events come in.

`publish_enforced_ms`: until the last process judges by it, from the product's own account. `publish_p99_ratio`: the
wait of an event (99 % wait less) from when a version is asked for until it is in force, against as long before.
"""

import http.client
import random
import statistics
import threading
import time
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import requests

from loadtests.people import Shop
from loadtests.stacks import Stack
from local.demo import Trouble

EVENTS: Final = 100
RULES: Final = 100  # of each event
SENDERS: Final = 4
EVENTS_PER_SECOND: Final = 50  # of each sender
SECONDS: Final = 1.0  # at least, before and after
PUBLICATIONS: Final = 4  # a run; a second has too few events for a hundredth of them
REPORT_SECONDS: Final = 30
TYPES: Final = ("text", "number", "integer", "boolean")
Figure = dict[str, Any]


class Sender(threading.Thread):
    """Sends at a steady pace, and notes when each event was sent and for how long it waited."""

    def __init__(self, stack: Stack, shop: Shop) -> None:
        super().__init__(daemon=True)
        self._address = urlsplit(stack.url)
        self._shop = shop
        self._is_over = threading.Event()
        self.waited: list[tuple[float, float]] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=30)
        payload = {f"p{n}": "x" if n % 4 == 0 else 1 if n % 4 != 3 else True for n in range(10)}  # noqa: PLR2004
        due = time.monotonic()
        while not self._is_over.is_set():
            body = orjson.dumps({"event": f"event_{random.randrange(EVENTS)}", "payload": payload})  # noqa: S311
            began = time.monotonic()
            connection.request("POST", self._shop.path, body, self._shop.sending)
            answer = connection.getresponse()
            answer.read()
            self.waited.append((began, time.monotonic() - began))
            if answer.status != 200:  # noqa: PLR2004
                raise Trouble(f"an event was answered {answer.status}")
            due += 1 / EVENTS_PER_SECOND
            time.sleep(max(0, due - time.monotonic()))

    def end(self) -> None:
        self._is_over.set()
        self.join()


def publish(stack: Stack, shop: Shop, runs: int) -> dict[str, Figure]:
    """Publish so often; both figures, each with all repetitions."""
    _ask("POST", stack, shop, "/draft/publish", {"revision": _draft(stack, shop, 0)})
    senders = [Sender(stack, shop) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    time.sleep(3)  # every process has judged every event by now, and compiled it
    enforced, ratios = [], []
    for run in range(runs):
        before, after, times = [], [], []
        for turn in range(run * PUBLICATIONS + 1, (run + 1) * PUBLICATIONS + 1):
            revision = _draft(stack, shop, turn)
            time.sleep(2 * SECONDS)
            began = time.monotonic()
            version = _ask("POST", stack, shop, "/draft/publish", {"revision": revision})["plan_version"]
            times.append(_reported(stack, shop, version))
            length = max(SECONDS, time.monotonic() - began)
            time.sleep(max(0, began + length - time.monotonic()))
            waited = [pair for sender in senders for pair in tuple(sender.waited)]
            before += _within(waited, began - length, began)
            after += _within(waited, began, began + length)
        enforced.append(max(times))
        ratios.append(_slow(after) / _slow(before))
    for sender in senders:
        sender.end()
    return {"publish_enforced_ms": _figure(enforced, "ms"), "publish_p99_ratio": _figure(ratios, "ratio")}


def _draft(stack: Stack, shop: Shop, turn: int) -> int:
    """Make the draft a plan in which every rule has another type than the turn before; its revision."""
    events = {
        f"event_{event}": {
            "rules": [
                {"path": f"p{rule}", "type": TYPES[(rule + turn) % len(TYPES)]} for rule in range(RULES)
            ]
        }
        for event in range(EVENTS)
    }
    draft = _ask("GET", stack, shop, "/draft")
    replaced = {"op": "replace", "content": {"events": events}}
    body = {"revision": draft["revision"], "operations": [replaced]}
    return _ask("POST", stack, shop, "/draft", body)["revision"]


def _ask(method: str, stack: Stack, shop: Shop, path: str, body: Any = None) -> Any:
    """What the plan's API answers. Raises Trouble."""
    url = f"{stack.url}/api/apps/{shop.app_id}/plan{path}"
    answer = requests.request(method, url, json=body, headers=shop.reading, timeout=60)
    if not answer.ok:
        raise Trouble(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
    return answer.json()


def _reported(stack: Stack, shop: Shop, version: int) -> float:
    """After how many milliseconds the last process judged by this version. Raises Trouble where none says so."""
    ends_at = time.monotonic() + REPORT_SECONDS
    processes = len(stack.gunicorn_urls())
    while time.monotonic() < ends_at:
        versions = _ask("GET", stack, shop, "/versions")["versions"]
        found = next(each for each in versions if each["version"] == version)
        if found["processes"] >= processes:
            return found["milliseconds"]
        time.sleep(0.1)
    raise Trouble(f"version {version} is not in force everywhere after {REPORT_SECONDS} s")


def _within(waited: list[tuple[float, float]], begin: float, end: float) -> list[float]:
    return [took for began, took in waited if begin <= began < end]


def _slow(waits: list[float]) -> float:
    """What 99 % of them stayed below."""
    return statistics.quantiles(waits, n=100)[98]


def _figure(runs: list[float], unit: str) -> Figure:
    return {"median": round(statistics.median(runs), 3), "runs": [round(r, 3) for r in runs], "unit": unit}
