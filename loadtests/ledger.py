"""A sender that keeps books: each attempt is written down before it is sent, each outcome after.

What Jepsen's set checker asks of a store, asked of ours after any fault: nothing answered is lost, nothing is there
that was never sent, nothing is there twice, nothing changed, and the counts agree with the rows.
"""

import os
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

ANSWER_SECONDS = 12.0  # longer than the product's and nginx's own patience
AGAIN = {429, 502, 503, 504}
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
KEPT = {"stored", "duplicate"}
MOST_PER_REQUEST = 5
PAGE = 1000
# A reader waits out a restart, 25 s in all: workers outlive a killed nginx master for a moment and answer /ready,
# and then the port is closed before it is opened anew.
PATIENCE = Retry(total=8, backoff_factor=0.2, backoff_max=8, status_forcelist=AGAIN)


@dataclass(frozen=True)
class Attempt:
    """One event that was, or was about to be, sent. `entry` is its place in the books and in its payload."""

    entry: str
    message_id: str | None
    digest: str

    @property
    def payload(self) -> dict[str, str]:
        return {"entry": self.entry, "filler": self.digest}

    def event(self, name: str) -> dict[str, Any]:
        ids = {"messageId": self.message_id} if self.message_id else {}
        return {"eventName": name, "payload": self.payload, **ids}


class Books:
    """The file of attempts and outcomes, one JSON line each, written through at once: a killed sender's are whole.

    Each has an event name of its own, by which the store's side is told apart from that of other books.
    """

    def __init__(self, path: Path) -> None:
        self.event_name = f"ledger_{uuid.uuid4().hex[:12]}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        self.attempted: dict[str, Attempt] = {}
        self.kept: set[str] = set()
        self.refused: set[str] = set()
        self.statuses: Counter[int] = Counter()

    def begin(self, attempts: Iterable[Attempt]) -> None:
        with self._lock:
            for attempt in attempts:
                self._write({"attempt": attempt.entry, "id": attempt.message_id, "digest": attempt.digest})
                self.attempted[attempt.entry] = attempt

    def answered(self, status: int) -> None:
        """0: no answer at all."""
        with self._lock:
            self.statuses[status] += 1

    def end(self, attempt: Attempt, outcome: str) -> None:
        """The answer's status of this event. What never got one stays unknown: it may be kept or not."""
        with self._lock:
            self._write({"outcome": attempt.entry, "status": outcome})
            (self.kept if outcome in KEPT else self.refused).add(attempt.entry)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._file, orjson.dumps(line) + b"\n")


class Sender(threading.Thread):
    """Sends small batches until told to stop. Events with ids are repeated until answered, those without are not."""

    def __init__(self, books: Books, url: str, write_key: str, stop: threading.Event, seed: int) -> None:
        super().__init__(daemon=True)
        self._books, self._url, self._halt = books, url, stop
        self._chance = random.Random(seed)
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {write_key}"

    def run(self) -> None:
        while not self._halt.is_set():
            has_ids = self._chance.random() < 0.8
            attempts = [self._new(has_ids) for _ in range(self._chance.randint(1, MOST_PER_REQUEST))]
            self._books.begin(attempts)
            self._deliver(attempts, may_repeat=has_ids)

    def _new(self, has_id: bool) -> Attempt:
        entry = uuid.UUID(int=self._chance.getrandbits(128)).hex
        return Attempt(
            entry,
            f"{self._books.event_name}-{entry}" if has_id else None,
            f"{self._chance.getrandbits(256):064x}",
        )

    def _deliver(self, attempts: list[Attempt], *, may_repeat: bool) -> None:
        pause = FIRST_PAUSE_SECONDS
        while (results := self._post(attempts)) is None and may_repeat:
            if self._halt.is_set() and pause >= LONGEST_PAUSE_SECONDS:
                return
            time.sleep(pause * self._chance.uniform(0.5, 1.5))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        for attempt, result in zip(attempts, results or (), strict=False):
            self._books.end(attempt, result["status"])

    def _post(self, attempts: list[Attempt]) -> list[dict[str, Any]] | None:
        """The results, or None where the answer is "again" or none came."""
        body = orjson.dumps([attempt.event(self._books.event_name) for attempt in attempts])
        try:
            answer = self._http.post(self._url, data=body, timeout=ANSWER_SECONDS)
        except requests.RequestException:
            self._books.answered(0)
            return None
        self._books.answered(answer.status_code)
        if answer.status_code == 200:
            return answer.json()["results"]
        if answer.status_code in AGAIN:
            return None
        return [{"status": f"refused {answer.status_code}"}] * len(attempts)


@dataclass
class Reckoning:
    """What the books and the store say of each other. Every list but `recovered` must be empty."""

    lost: list[str] = field(default_factory=list)  # answered as kept, and not there
    unexpected: list[str] = field(default_factory=list)  # there, and never sent
    duplicated: list[str] = field(default_factory=list)  # there more than once
    altered: list[str] = field(default_factory=list)  # there with another payload or message id
    refused: list[str] = field(
        default_factory=list
    )  # told never to send again, though nothing was wrong with it
    miscounted: int = 0  # the summary's count less the rows
    broken: int = 0  # answers 500
    kept: int = 0
    recovered: int = 0  # never answered, and there all the same: allowed

    @property
    def is_clean(self) -> bool:
        faults = (self.lost, self.unexpected, self.duplicated, self.altered, self.refused)
        return not any(faults) and not self.miscounted and not self.broken

    def __str__(self) -> str:
        counts = {
            name: len(value) if isinstance(value, list) else value for name, value in vars(self).items()
        }
        return ", ".join(f"{name} {count:,}" for name, count in counts.items())


@dataclass(frozen=True)
class Desk:
    """Where events go and are read again: the stack's address, an app and its two keys."""

    url: str
    app_id: str
    write_key: str
    api_key: str

    def send(self, books: Books, stop: threading.Event, senders: int, seed: int) -> list[Sender]:
        """Start so many senders."""
        url = f"{self.url}/api/logs/{self.app_id}"
        started = [Sender(books, url, self.write_key, stop, seed + n) for n in range(senders)]
        for sender in started:
            sender.start()
        return started

    def stored(self, name: str) -> Iterator[dict[str, Any]]:
        """All of the app's events of that name, page by page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._get("events", event=name, limit=PAGE, cursor=cursor)
            yield from page["events"]
            cursor = page["next_cursor"]

    def counted(self, name: str) -> int:
        """The same by the counters."""
        events = self._get("summary")["events"]
        return sum(sum(n for n in e.values() if isinstance(n, int)) for e in events if e["name"] == name)

    def _get(self, path: str, **params: Any) -> Any:
        with requests.Session() as http:
            http.mount(self.url, HTTPAdapter(max_retries=PATIENCE))
            answer = http.get(
                f"{self.url}/api/apps/{self.app_id}/{path}",
                params=params,
                headers={"Authorization": f"Bearer {self.api_key}"},
                timeout=30,
            )
        answer.raise_for_status()
        return answer.json()


def reckon(desk: Desk, books: Books) -> Reckoning:
    """Compare the books with the store, once nothing is being sent any more."""
    found, seen = Reckoning(broken=books.statuses[500]), Counter[str]()
    for stored in desk.stored(books.event_name):
        entry = str(stored["payload"].get("entry"))
        seen[entry] += 1
        attempt = books.attempted.get(entry)
        if attempt is None:
            found.unexpected.append(entry)
        elif stored["payload"] != attempt.payload or (
            attempt.message_id is not None and stored["message_id"] != attempt.message_id
        ):
            found.altered.append(entry)
    found.lost = sorted(books.kept - seen.keys())
    found.duplicated = sorted(entry for entry, times in seen.items() if times > 1)
    found.refused = sorted(books.refused)
    found.kept = len(books.kept)
    found.recovered = len(seen.keys() - books.kept)
    found.miscounted = desk.counted(books.event_name) - seen.total()
    return found
