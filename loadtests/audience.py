"""The viewers of a live page and one sender: a program of its own, for it waits in greenlets and the bench in threads.

What it needs (bench_live.Task) comes as JSON on stdin; what was seen goes as JSON to stdout.
"""

from gevent import monkey

monkey.patch_all()

import http.client  # noqa: E402
import json  # noqa: E402
import re  # noqa: E402
import secrets  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from typing import Final  # noqa: E402
from urllib.parse import urlsplit  # noqa: E402

import gevent  # noqa: E402
from gevent.event import AsyncResult  # noqa: E402

from loadtests.bench_live import EVENTS_A_POST, Task  # noqa: E402
from loadtests.verdict import percentile  # noqa: E402
from local.demo import Trouble  # noqa: E402

LAST_SIGHT_SECONDS: Final = 15.0
ARRIVAL_SECONDS: Final = 0.02  # from one viewer to the next
READ_BYTES: Final = 64 * 1024
SEEN: Final = re.compile(rb'"message_id":"sight-[0-9a-f]+-(\d+)"')


class Audience:
    """The viewers, and when each event was sent (`perf_counter`)."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._place = urlsplit(task.url)
        self._name = secrets.token_hex(4)
        self.sent_at: list[float] = []
        self.waits: list[float] = []
        self.seen = [Counter[int]() for _ in range(task.viewers)]

    def watch(self, viewer: int, is_watching: AsyncResult) -> None:
        """One viewer: an SSE stream, read until it is cut."""
        gevent.sleep(viewer * ARRIVAL_SECONDS)
        while (answer := self._stream()).status == http.client.SERVICE_UNAVAILABLE:
            gevent.sleep(1)  # as Retry-After says, and as a browser does
        if answer.status != http.client.OK:
            raise Trouble(f"the stream answered {answer.status}")
        rest, seen = b"", self.seen[viewer]
        while piece := answer.read1(READ_BYTES):
            now = time.perf_counter()
            is_watching.set(True)
            data = rest + piece
            end = 0
            for found in SEEN.finditer(data):
                number, end = int(found[1]), found.end()
                seen[number] += 1
                self.waits.append(now - self.sent_at[number])
            rest = data[max(end, len(data) - 64) :]

    def _stream(self) -> http.client.HTTPResponse:
        connection = self._connection()
        path = f"/api/apps/{self._task.app_id}/live"
        connection.request("GET", path, headers={"Authorization": f"Bearer {self._task.api_key}"})
        return connection.getresponse()

    def send(self) -> None:
        """Posts of some events each, evenly in time; a late answer delays no other post."""
        posts = int(self._task.seconds * self._task.rate / EVENTS_A_POST)
        began = time.perf_counter()
        free: list[http.client.HTTPConnection] = []
        sending = []
        for number in range(posts):
            gevent.sleep(max(0.0, began + number * EVENTS_A_POST / self._task.rate - time.perf_counter()))
            first = len(self.sent_at)
            self.sent_at += [time.perf_counter()] * EVENTS_A_POST
            sending.append(gevent.spawn(self._post, free, first))
        gevent.joinall(sending, raise_error=True)

    def _post(self, free: list[http.client.HTTPConnection], first: int) -> None:
        connection = free.pop() if free else self._connection()
        events = [
            {
                "eventName": "product_viewed",
                "messageId": f"sight-{self._name}-{first + n}",
                "payload": {"product_id": "P-1"},
            }
            for n in range(EVENTS_A_POST)
        ]
        headers = {"Authorization": f"Bearer {self._task.write_key}", "Content-Type": "application/json"}
        connection.request("POST", f"/api/logs/{self._task.app_id}", json.dumps(events), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        if body.get("accepted") != EVENTS_A_POST:
            raise Trouble(f"a post was answered {answer.status}: {str(body)[:200]}")
        free.append(connection)

    def _connection(self) -> http.client.HTTPConnection:
        assert self._place.hostname is not None
        return http.client.HTTPConnection(self._place.hostname, self._place.port, timeout=30)

    def missed(self) -> int:
        return sum(len(self.sent_at) - len(seen) for seen in self.seen)

    def doubled(self) -> int:
        return sum(count - 1 for seen in self.seen for count in seen.values())


def main() -> None:
    audience = Audience(task := Task(**json.load(sys.stdin)))
    ready = [AsyncResult() for _ in range(task.viewers)]
    watching = [gevent.spawn(audience.watch, n, is_watching) for n, is_watching in enumerate(ready)]
    if len(gevent.wait(ready, timeout=30)) < task.viewers:
        raise Trouble("not every viewer could open its stream")
    audience.send()
    ends_at = time.perf_counter() + LAST_SIGHT_SECONDS
    while audience.missed() and time.perf_counter() < ends_at:
        gevent.sleep(0.05)
    gevent.sleep(0.2)  # a second sight would come now
    gevent.killall(watching)
    waits = [wait * 1000 for wait in audience.waits]
    found = {
        "sent": len(audience.sent_at),
        "missed": audience.missed(),
        "doubled": audience.doubled(),
        "p50_ms": percentile(waits, 0.5),
        "p99_ms": percentile(waits, 0.99),
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
