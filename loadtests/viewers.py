"""`make viewers`: many look on while events come fast, nginx reloads, a Gunicorn worker dies; then books are compared.

Each viewer follows one session, by a filter that the server applies, and writes down what it saw; the sender writes
down what was answered. Every viewer must have seen each event of its session once, and nothing else.
"""

import http.client
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import orjson
import psutil
import requests

from loadtests import faults, stacks
from loadtests.ledger import AGAIN, ANSWER_SECONDS, Desk
from loadtests.stacks import Stack
from local.trouble import Trouble

VIEWERS, SESSIONS, RATE, SECONDS = 100, 10, 500, 30.0
BATCH = 10
OPENING_SECONDS = 30.0
CATCH_UP_SECONDS = 60.0
SILENCE_SECONDS = 20.0  # longer than the product's heartbeat
PAUSE_SECONDS = 0.2
READ_BYTES = 65_536


class Viewer(threading.Thread):
    """An open stream that comes back by its cursor, and what it showed."""

    def __init__(self, desk: Desk, session: str) -> None:
        super().__init__(daemon=True)
        self.session = session
        self.seen: Counter[str] = Counter()
        self.delays: list[float] = []  # seconds from an event's receipt to here
        self.connections = 0
        self.is_over = False
        self._host = urlsplit(desk.url).netloc
        self._path = f"/api/apps/{desk.app_id}/live?session={session}"
        self._headers = {"Authorization": f"Bearer {desk.api_key}", "Accept": "text/event-stream"}

    def run(self) -> None:
        while not self.is_over:
            try:
                self._follow()
            except (OSError, http.client.HTTPException):
                time.sleep(PAUSE_SECONDS)

    def _follow(self) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=SILENCE_SECONDS)
        try:
            connection.request("GET", self._path, headers=self._headers)
            answer = connection.getresponse()
            if answer.status != 200:
                time.sleep(PAUSE_SECONDS)
                return
            waiting = b""
            while not self.is_over and (more := answer.read1(READ_BYTES)):
                *frames, waiting = (waiting + more).split(b"\n\n")
                for frame in frames:
                    self._note(frame)
        finally:
            connection.close()

    def _note(self, frame: bytes) -> None:
        if frame.startswith(b": connected"):
            self.connections += 1
            return
        fields = dict(line.split(b": ", 1) for line in frame.split(b"\n") if not line.startswith(b":"))
        if b"data" not in fields:
            return
        now = time.time()
        for entry in orjson.loads(fields[b"data"]):
            self.seen[entry["message_id"]] += 1
            self.delays.append(now - datetime.fromisoformat(entry["received_at"]).timestamp())
        self._headers["Last-Event-ID"] = fields[b"id"].decode()  # after its entries, as a browser does


class Sender(threading.Thread):
    """Sends at a steady rate; repeats until answered, so that each event is kept once."""

    def __init__(self, desk: Desk, sessions: list[str], rate: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self.kept: dict[str, list[str]] = {session: [] for session in sessions}
        self._url = f"{desk.url}/api/logs/{desk.app_id}"
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {desk.write_key}"
        self._batches, self._pause = int(rate * seconds / BATCH), BATCH / rate

    def run(self) -> None:
        began = time.monotonic()
        for number in range(self._batches):
            self.send(number)
            time.sleep(max(0.0, began + (number + 1) * self._pause - time.monotonic()))

    def send(self, number: int) -> None:
        """One batch, spread over the sessions."""
        sessions = list(self.kept)
        chosen = [sessions[(number * BATCH + n) % len(sessions)] for n in range(BATCH)]
        events = [
            {"event": "seen", "sessionId": session, "messageId": uuid.uuid4().hex, "payload": {"n": number}}
            for session in chosen
        ]
        while not self._is_answered(events):
            time.sleep(PAUSE_SECONDS)
        for event in events:
            self.kept[str(event["sessionId"])].append(str(event["messageId"]))

    def _is_answered(self, events: list[dict[str, object]]) -> bool:
        try:
            answer = self._http.post(self._url, json=events, timeout=ANSWER_SECONDS)
        except requests.RequestException:
            return False
        if answer.status_code in AGAIN:
            return False
        answer.raise_for_status()
        return True


@dataclass(frozen=True)
class Sight:
    """What all viewers together saw. The first three must be 0."""

    missing: int
    doubled: int
    strange: int
    seen: int
    reconnects: int
    p50: float  # ms, from receipt to the viewer
    p99: float

    @property
    def is_clean(self) -> bool:
        return not (self.missing or self.doubled or self.strange)


def look_on(
    stack: Stack, desk: Desk, viewers: int, sessions: int, rate: int, seconds: float, *, is_hurt: bool
) -> Sight:
    """Let them look on while events come; `is_hurt`: nginx reloads and a Gunicorn worker is killed in between.

    Raises Trouble where the viewers do not get to see the first events.
    """
    names = [uuid.uuid4().hex for _ in range(sessions)]
    watching = [Viewer(desk, names[n % sessions]) for n in range(viewers)]
    for viewer in watching:
        viewer.start()
    _await(lambda: all(viewer.connections for viewer in watching), "not all viewers are connected")
    sender = Sender(desk, names, rate, seconds)
    for number in range(-(-sessions // BATCH)):
        sender.send(number)  # from here on each has a cursor to come back with
    _await(lambda: all(viewer.seen for viewer in watching), "not all viewers saw a first event")
    sender.start()
    if is_hurt:
        time.sleep(seconds / 3)
        psutil.Process(stack.pids("nginx")[0]).send_signal(signal.SIGHUP)
        time.sleep(seconds / 3)
        faults.kill(stack, faults.VICTIMS[0], 0)
    sender.join()
    _settle(watching, sender)
    for viewer in watching:
        viewer.is_over = True
    return _sum_up(watching, sender)


def _await(is_true: Callable[[], bool], trouble: str) -> None:
    ends_at = time.monotonic() + OPENING_SECONDS
    while not is_true():
        if time.monotonic() > ends_at:
            raise Trouble(f"{trouble} within {OPENING_SECONDS:.0f} s")
        time.sleep(faults.LOOK_SECONDS)


def _settle(watching: list[Viewer], sender: Sender) -> None:
    """Until each has seen as much as there is, or the time is over and the books will tell."""
    ends_at = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < ends_at:
        if all(viewer.seen.total() >= len(sender.kept[viewer.session]) for viewer in watching):
            break
        time.sleep(faults.LOOK_SECONDS)
    time.sleep(1.0)  # what came twice may come late


def _sum_up(watching: list[Viewer], sender: Sender) -> Sight:
    missing = doubled = strange = 0
    for viewer in watching:
        wanted = set(sender.kept[viewer.session])
        missing += len(wanted - viewer.seen.keys())
        strange += len(viewer.seen.keys() - wanted)
        doubled += sum(times - 1 for times in viewer.seen.values())
    delays = sorted(delay * 1000 for viewer in watching for delay in viewer.delays)
    reconnects = sum(viewer.connections - 1 for viewer in watching)
    p50, p99 = (delays[len(delays) * part // 100] for part in (50, 99))
    return Sight(missing, doubled, strange, len(delays), reconnects, p50, p99)


def run(environment: Mapping[str, str]) -> bool:
    """Once undisturbed, for the delays; once with the faults, for the books. True where both books agree.

    VIEWERS, RATE (events/s) and DURATION (seconds) change the size.
    """
    viewers, rate = int(environment.get("VIEWERS") or VIEWERS), int(environment.get("RATE") or RATE)
    seconds = float((environment.get("DURATION") or str(SECONDS)).removesuffix("s"))
    print(f"viewers: {viewers} looking on at {rate} events/s for {seconds:g} s", flush=True)
    is_clean = True
    with stacks.own() as stack:
        desk = faults.open_desk(stack)
        for is_hurt in (False, True):
            sight = look_on(stack, desk, viewers, SESSIONS, rate, seconds, is_hurt=is_hurt)
            is_clean = is_clean and sight.is_clean
            print(f"  {'reload and kill' if is_hurt else 'undisturbed'}: {sight}", flush=True)
    print("viewers: each event once" if is_clean else "viewers: THE BOOKS DISAGREE")
    return is_clean
