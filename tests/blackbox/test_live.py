"""The live stream of a running stack: each event once, in the order of commits, also across reconnects."""

import uuid
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import requests

from local.demo import Client
from tests.conftest import Stack


def make_key(client: Client, scope: str) -> str:
    return client.post("/api/keys", {"scopes": [scope]})["api_key"]


class Tenant:
    """A new organisation on the stack, with one app."""

    def __init__(self, stack: Stack) -> None:
        client = Client(stack.url, stack.mailbox_url)
        client.register(f"live-{uuid.uuid4().hex[:8]}@example.com", uuid.uuid4().hex)
        app = client.post("/api/apps", {"name": "Live", "app_id": "live"})
        self.url = stack.url
        self.sending = {"Authorization": f"Bearer {app['write_key']}"}
        self.reading = {"Authorization": f"Bearer {make_key(client, 'read')}"}
        self.managing = {"Authorization": f"Bearer {make_key(client, 'manage')}"}

    def send(self, *ids: str) -> None:
        events = [{"event": "seen" if n % 2 else "heard", "messageId": id_} for n, id_ in enumerate(ids)]
        answer = requests.post(f"{self.url}/api/logs/live", json=events, headers=self.sending, timeout=10)
        assert answer.json()["accepted"] == len(ids)

    def open(self, last_id: str | None = None, query: str = "") -> "Stream":
        return Stream(f"{self.url}/api/apps/live/live{query}", self.reading, last_id)


class Stream:
    """An SSE client: frames as (cursor, entries)."""

    def __init__(self, url: str, headers: dict[str, str], last_id: str | None) -> None:
        extra = {"Last-Event-ID": last_id} if last_id else {}
        self.answer = requests.get(url, headers=headers | extra, stream=True, timeout=10)
        assert self.answer.status_code == 200
        assert self.answer.headers["Content-Type"].startswith("text/event-stream")
        self._lines = self.answer.iter_lines(chunk_size=1)
        assert next(self._lines).startswith(b":"), "a comment at once"

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()

    def frames(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        cursor, name = "", ""
        for line in self._lines:
            field, _, value = line.partition(b": ")
            if field == b"id":
                cursor = value.decode()
            elif field == b"event":
                name = value.decode()
            elif field == b"data":
                assert name == "log_entry"
                yield cursor, orjson.loads(value)

    def read(self, count: int) -> tuple[str, list[str]]:
        """Message ids until there are so many, and the cursor after the last."""
        ids: list[str] = []
        for cursor, entries in self.frames():
            ids += [entry["message_id"] for entry in entries]
            if len(ids) >= count:
                return cursor, ids
        raise AssertionError("the stream ended")


@pytest.fixture(scope="module")
def tenant(stack: Stack) -> Tenant:
    return Tenant(stack)


def test_an_event_is_on_the_stream_with_its_verdict(tenant: Tenant) -> None:
    with tenant.open() as stream:
        message_id = uuid.uuid4().hex
        tenant.send(message_id)
        _, entries = next(stream.frames())
    (entry,) = entries
    assert (entry["message_id"], entry["name"], entry["verdict"]) == (message_id, "heard", "unplanned")
    assert entry["violations"][0]["message"]
    assert entry["payload"] == {}
    assert entry["received_at"].endswith("+00:00")


def test_after_a_reconnect_nothing_is_missing_and_nothing_comes_twice(tenant: Tenant) -> None:
    ids = [uuid.uuid4().hex for _ in range(60)]
    with tenant.open() as stream:
        tenant.send(*ids[:20])
        cursor, seen = stream.read(20)
    for n in range(20, 40):
        tenant.send(ids[n])  # while nobody looks
    with tenant.open(last_id=cursor) as stream:
        tenant.send(*ids[40:])
        _, later = stream.read(40)
    assert sorted(seen + later) == sorted(ids)


def test_many_viewers_on_both_instances_see_each_event_once(tenant: Tenant) -> None:
    streams = [tenant.open() for _ in range(10)]
    ids = [uuid.uuid4().hex for _ in range(50)]
    for start in range(0, 50, 5):
        tenant.send(*ids[start : start + 5])
    for stream in streams:
        with stream:
            _, seen = stream.read(50)
            assert sorted(seen) == sorted(ids)


def test_a_filter_is_applied_by_the_server(tenant: Tenant) -> None:
    with tenant.open(query="?event=seen") as stream:
        ids = [uuid.uuid4().hex for _ in range(4)]
        tenant.send(*ids)
        _, seen = stream.read(2)
    assert sorted(seen) == sorted([ids[1], ids[3]])


@pytest.mark.parametrize("query", ["to=2026-01-01", "from=2026-01-01T00:00:00Z", "verdict=good"])
def test_what_the_stream_cannot_do_is_refused(tenant: Tenant, query: str) -> None:
    answer = requests.get(f"{tenant.url}/api/apps/live/live?{query}", headers=tenant.reading, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_filter")


def test_a_made_up_cursor_is_refused(tenant: Tenant) -> None:
    for cursor in ("garbage", "9" * 10_000, "1-2", "-1-00000000-0000-0000-0000-000000000000"):
        answer = requests.get(
            f"{tenant.url}/api/apps/live/live", headers=tenant.reading | {"Last-Event-ID": cursor}, timeout=10
        )
        assert answer.status_code in (400, 431), cursor


def test_a_stranger_sees_no_such_app(tenant: Tenant, stack: Stack) -> None:
    stranger = Tenant(stack)
    answer = requests.get(f"{stack.url}/api/apps/shop/live", headers=stranger.reading, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_app")
