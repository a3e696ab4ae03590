"""What nginx promises, one by one: the repository's configuration before two instances of which all is known."""

import gzip
import http.client
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from local import edge
from local.places import Places
from tests.conftest import ROOT, eventually, free_port

LONG = b'{"events": "' + b"x" * 2000 + b'"}'


class Instance(ThreadingHTTPServer):
    """Stands where a Gunicorn would: notes what reaches it, and answers, dies or streams as it is told."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.does = "answer"
        self.connections = 0
        self.heard: list[tuple[str, dict[str, str]]] = []  # path, headers
        self.go_on = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    """One connection from nginx."""

    protocol_version = "HTTP/1.1"
    server: Instance

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def handle_any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.heard.append((self.path, dict(self.headers)))
        match self.server.does:
            case "die":
                self.close_connection = True
            case "busy":
                self._say(503, "application/json", b'{"code":"busy"}')
            case "stream":
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                self.wfile.write(b"data: 1\n\n")
                assert self.server.go_on.wait(10)
                self.wfile.write(b"data: 2\n\n")
                self.close_connection = True
            case _:
                kind = "application/json" if self.path.startswith("/api/") else "text/html"
                self._say(200, kind, LONG)

    do_GET = do_POST = handle_any  # noqa: N815  (the names that the library asks for)

    def _say(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: what was heard is in `heard`."""


class Said(NamedTuple):
    """An answer, whole."""

    status: int
    headers: Message
    body: bytes


class Edge:
    """nginx, and the two behind it."""

    def __init__(self, folder: Path, *, shields_loopback: bool = False) -> None:
        self.instances = Instance(), Instance()
        self.port = free_port()
        places = Places.prepare(folder / "var")
        program = edge.program(places, self.port, [i.server_port for i in self.instances], ["localhost"])
        if shields_loopback:
            part = places.run / "nginx" / "http.conf"
            text = part.read_text()
            part.unlink()
            part.write_text(text.replace("127.0.0.0/8 0;", ""))
        self._nginx = subprocess.Popen(program.argv, stderr=subprocess.DEVNULL)
        eventually(self._is_open)

    def _is_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def connection(self) -> closing[http.client.HTTPConnection]:
        return closing(http.client.HTTPConnection("localhost", self.port, timeout=20))

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> "Said":
        with self.connection() as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Said(answer.status, answer.headers, answer.read())

    def status(self, method: str, path: str, body: bytes = b"") -> int:
        return self.ask(method, path, body).status

    def do(self, first: str, second: str = "answer") -> None:
        for instance, does in zip(self.instances, (first, second), strict=True):
            instance.does = does

    def heard(self) -> list[tuple[str, dict[str, str]]]:
        return [heard for instance in self.instances for heard in instance.heard]

    def end(self) -> None:
        self._nginx.terminate()
        self._nginx.wait(timeout=10)
        for instance in self.instances:
            instance.go_on.set()
            instance.shutdown()
            instance.server_close()


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Edge]:
    made = Edge(tmp_path)
    yield made
    made.end()


def test_connections_to_the_instances_are_kept(front: Edge) -> None:
    for _ in range(40):
        assert front.status("GET", "/api/apps") == 200
    assert len(front.heard()) == 40
    assert sum(instance.connections for instance in front.instances) <= 4


def test_events_are_sent_again_to_the_other_when_one_dies_with_them(front: Edge) -> None:
    """Under the same request id, by which an event without an id of its own is stored once."""
    front.do("die")
    for _ in range(4):
        assert front.status("POST", "/api/logs/shop", b"{}") == 200
    dead, alive = front.instances
    assert len(dead.heard) >= 1
    ids = [headers["X-Request-Id"] for _, headers in alive.heard]
    assert len(set(ids)) == 4
    assert {headers["X-Request-Id"] for _, headers in dead.heard} <= set(ids)


@pytest.mark.parametrize("path", ["/auth/login", "/auth/verify", "/api/apps", "/api/logs/shop/batches"])
def test_nothing_else_is_sent_twice(front: Edge, path: str) -> None:
    front.do("die", "die")
    answer = front.ask("POST", path, b"{}")
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert len(front.heard()) == 1


def test_an_instance_that_says_busy_is_believed(front: Edge) -> None:
    front.do("busy", "busy")
    answer = front.ask("POST", "/api/logs/shop", b"{}")
    assert (answer.status, answer.body) == (503, b'{"code":"busy"}')
    assert len(front.heard()) == 1


def test_an_instance_that_failed_is_asked_again_at_once(front: Edge) -> None:
    """A slow database fails all instances together; to count that against them would be an outage of ten seconds."""
    front.do("die", "die")
    for _ in range(6):
        assert front.status("POST", "/api/logs/shop", b"{}") == 503
    front.do("answer", "answer")
    before = [len(instance.heard) for instance in front.instances]
    assert [front.status("GET", "/api/apps") for _ in range(6)] == [200] * 6
    assert all(len(i.heard) > n for i, n in zip(front.instances, before, strict=True))


def test_a_frame_of_the_live_stream_arrives_before_the_next_is_made(front: Edge) -> None:
    front.do("stream", "stream")
    with front.connection() as connection:
        connection.request("GET", "/api/apps/shop/live", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        assert answer.read1(100) == b"data: 1\n\n"
        assert answer.headers["Content-Encoding"] is None
        for instance in front.instances:
            instance.go_on.set()
        assert answer.read() == b"data: 2\n\n"


@pytest.mark.parametrize(
    ("path", "fits", "too_large"),
    [
        ("/api/logs/shop", 6_000_000, 6_400_000),
        ("/api/logs/shop/validate", 6_000_000, 6_400_000),
        ("/api/logs/shop/batches", 30_000_000, 210_000_000),
        ("/api/apps/shop/plan/import", 20_000_000, 21_200_000),
        ("/api/apps", 1_100_000, 1_300_000),
        ("/auth/login", 1_100_000, 1_300_000),
    ],
)
def test_each_path_takes_as_much_as_it_needs(front: Edge, path: str, fits: int, too_large: int) -> None:
    assert front.status("POST", path, b"0" * fits) == 200
    said = declared(front, path, too_large)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert len(front.heard()) == 1


def declared(front: Edge, path: str, length: int) -> bytes:
    """The answer to a request that only says how long its body would be."""
    with socket.create_connection(("127.0.0.1", front.port), timeout=10) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        return connection.recv(65536)


def test_an_instance_hears_the_visitor_s_address_and_nobody_s_claims(front: Edge) -> None:
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Request-Id": "f" * 32,
    }
    assert front.ask("GET", "/api/apps", **lies).status == 200
    ((_, headers),) = front.heard()
    assert headers["X-Forwarded-For"] in ("127.0.0.1", "::1")
    assert headers["X-Forwarded-Proto"] == "http"
    assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-Id"])
    assert headers["X-Request-Id"] != "f" * 32
    assert not {"X-Real-IP", "Forwarded", "X-Forwarded-Host"} & headers.keys()


def test_answers_for_programs_are_compressed_and_pages_are_not(front: Edge) -> None:
    """A page carries a token beside what its visitor typed, and compressed lengths would tell it (BREACH)."""
    accepting = {"Accept-Encoding": "gzip"}
    answer = front.ask("GET", "/api/apps", **accepting)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == LONG
    assert front.ask("GET", "/dashboard", **accepting).headers["Content-Encoding"] is None


def test_metrics_are_answered_by_nobody(front: Edge) -> None:
    assert front.status("GET", "/metrics") == 404
    assert front.heard() == []


def test_a_flood_is_shielded_with_words_and_a_burst_is_not(tmp_path: Path) -> None:
    """From one address. The loopback is exempt where the product runs; here it is the flooder."""
    front = Edge(tmp_path, shields_loopback=True)
    try:
        request = b"GET /static/none.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.create_connection(("127.0.0.1", front.port), timeout=20) as connection:
            sending = threading.Thread(target=connection.sendall, args=(request * 6000,), daemon=True)
            sending.start()
            said = b""
            ends_at = time.monotonic() + 20
            while said.count(b"HTTP/1.1 ") < 6000 and time.monotonic() < ends_at:
                said += connection.recv(1 << 20)
        refused = said[said.index(b"HTTP/1.1 429 ") :]
        assert said.count(b"HTTP/1.1 404 ") >= 2000
        assert b'{"code":"rate_limited"' in refused
        assert re.search(rb"Retry-After: \d", refused)
    finally:
        front.end()


@pytest.mark.parametrize("file", ["nginx/nginx.conf", "deploy/docker/instances.conf"])
def test_production_counts_no_failure_against_an_instance(file: str) -> None:
    """`make run` writes this line itself; production has files of its own."""
    servers = re.findall(r"^\s*server\s+[^;{]+;", (ROOT / file).read_text(), re.MULTILINE)
    assert servers
    assert all("max_fails=0" in server for server in servers)
