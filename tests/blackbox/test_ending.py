"""Ending a session closes its open streams within a second, whichever instance holds them."""

import re
import threading
import time
import uuid
from collections.abc import Callable

import pytest
import requests

from local.demo import Client
from tests.conftest import Stack, eventually

PASSWORD = "seven quiet otters paint"
STREAMS = 6  # so that both instances hold some
ENDS_WITHIN_SECONDS = 1.0
MAIL_SECONDS = 40
CODE = re.compile(r"\b\d{8}\b")


class Person(Client):
    """Somebody with an app, and with as many browsers as they like."""

    def __init__(self, stack: Stack, email: str = "") -> None:
        super().__init__(stack.url, stack.mailbox_url)
        self.stack = stack
        self.email = email or f"ending-{uuid.uuid4().hex[:8]}@example.com"

    def joined(self) -> "Person":
        self.register(self.email, PASSWORD)
        self.write_key = self.post("/api/apps", {"name": "Live", "app_id": "live"})["write_key"]
        return self

    def send(self) -> None:
        headers = {"Authorization": f"Bearer {self.write_key}"}
        answer = requests.post(f"{self.url}/api/logs/live", json={"event": "e"}, headers=headers, timeout=10)
        assert answer.status_code == 200

    def submit(self, path: str, **fields: str) -> None:
        self.refresh_token()
        form = {**fields, "csrf_token": self.headers["X-CSRF-Token"]}
        answer = self.http.post(f"{self.url}{path}", data=form, headers={"Origin": self.url}, timeout=10)
        assert answer.ok, answer.text

    def codes(self) -> list[str]:
        """All that were mailed: other mails tell of new browsers."""
        found = requests.get(f"{self.mailbox_url}/messages.json", timeout=10).json()
        return [code for mail in found if mail["to"] == self.email for code in CODE.findall(mail["text"])]

    def in_another_browser(self) -> "Person":
        """Signed in a second time."""
        double = Person(self.stack, self.email)
        before = len(self.codes())
        double.refresh_token()
        double.post("/auth/login", {"email": self.email, "password": PASSWORD})
        eventually(lambda: len(self.codes()) > before, MAIL_SECONDS)
        double.post("/auth/verify", {"email": self.email, "code": double.mailed_code(self.email)})
        return double

    def open_stream(self) -> "Open":
        return Open(
            requests.get(
                f"{self.url}/api/apps/live/live",
                cookies=dict(self.http.cookies),
                stream=True,
                timeout=30,
            )
        )


class Open:
    """A stream that is read until it ends; `ended_at` says when (monotonic seconds)."""

    def __init__(self, answer: requests.Response) -> None:
        assert answer.status_code == 200
        self.is_live = False
        self.ended_at: float | None = None
        self._lines = answer.iter_lines(chunk_size=1)
        assert next(self._lines).startswith(b":")
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        for line in self._lines:
            self.is_live = self.is_live or line.startswith(b"data:")
        self.ended_at = time.monotonic()

    def seconds_after(self, moment: float) -> float:
        self._reading.join(10)
        assert self.ended_at is not None, "still open after ten seconds"
        return self.ended_at - moment


def by_signing_out(person: Person) -> Callable[[], None]:
    double = Person(person.stack, person.email)
    double.http.cookies.update(person.http.cookies)
    return lambda: double.submit("/auth/logout")


def by_the_page(person: Person) -> Callable[[], None]:
    double = person.in_another_browser()
    return lambda: double.submit("/account/sessions/end-others")


@pytest.mark.parametrize("prepare", [by_signing_out, by_the_page])
def test_ending_a_session_closes_its_streams_within_a_second(
    stack: Stack, prepare: Callable[[Person], Callable[[], None]]
) -> None:
    person = Person(stack).joined()
    end = prepare(person)
    streams = [person.open_stream() for _ in range(STREAMS)]
    person.send()
    eventually(lambda: all(stream.is_live for stream in streams))
    end()
    done = time.monotonic()
    took = [stream.seconds_after(done) for stream in streams]
    assert max(took) < ENDS_WITHIN_SECONDS, took
