"""Broken and hostile HTTP on raw sockets, through nginx and straight at a Gunicorn: an answer with a code, never 500.

What is answered 200 was stored, once;
what is refused was not, and no second request hides in a first.
"""

import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from loadtests import stacks
from tests.blackbox.test_live import Tenant
from tests.conftest import Stack, eventually

EVENT = b'{"event":"wired"}'
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
ANSWER_SECONDS = 10.0  # the rule is one second; a busy machine gets patience, a hanging server does not


@dataclass(frozen=True)
class Door:
    """Where requests go: nginx, or a Gunicorn itself."""

    name: str
    port: int
    tenant: Tenant

    def ask(self, request: bytes, *, hang_up: bool = False) -> bytes:
        """All that is answered to exactly these bytes, with the sender's key in place of KEY.

        hang_up: say that no more comes; nginx takes that for a client that has left.
        """
        with socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS) as connection:
            try:
                connection.sendall(request.replace(b"KEY", self.key))
                if hang_up or self.name == "gunicorn":
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before all of it was said: the answer is there to be read
            received = b""
            try:
                while more := connection.recv(65536):
                    received += more
            except ConnectionResetError:
                pass
        return received

    @property
    def key(self) -> bytes:
        return self.tenant.sending["Authorization"].partition(" ")[2].encode()

    def stored(self) -> int:
        """How many events there are."""
        answer = requests.get(
            f"{self.tenant.url}/api/apps/live/summary", headers=self.tenant.reading, timeout=10
        )
        return sum(answer.json()["verdicts"].values())


@pytest.fixture(scope="module")
def tenant(stack: Stack) -> Tenant:
    return Tenant(stack)


@pytest.fixture(params=["nginx", "gunicorn"])
def door(request: pytest.FixtureRequest, stack: Stack, tenant: Tenant) -> Iterator[Door]:
    urls = {"nginx": stack.url, "gunicorn": stacks.Stack(Path(stack.var)).gunicorn_urls()[0]}
    there = Door(request.param, int(urls[request.param].rpartition(":")[2]), tenant)
    yield there
    assert status(there.ask(post())) == 200, "a good event is no longer taken"


def post(
    headers: bytes = b"",
    body: bytes = EVENT,
    *,
    line: bytes = b"POST /api/logs HTTP/1.1",
    host: bytes = b"Host: localhost\r\n",
    length: bytes | None = b"?",
) -> bytes:
    """A request of one event. length: of the body, or what is said instead; None: nothing is said."""
    said = b"" if length is None else b"Content-Length: %s\r\n" % length.replace(b"?", b"%d" % len(body))
    return b"%s\r\n%sAuthorization: Bearer KEY\r\nConnection: close\r\n%s%s\r\n%s" % (
        line,
        host,
        said,
        headers,
        body,
    )


def statuses(answer: bytes) -> list[int]:
    """Of all the answers."""
    return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


def status(answer: bytes) -> int:
    """Of the last answer; 0 where there is none with a status line."""
    return (statuses(answer) or [0])[-1]


def code(answer: bytes) -> Any:
    return json.loads(answer.rpartition(b"\r\n\r\n")[2])["code"]


def header(name: bytes, value: bytes) -> bytes:
    return b"%s: %s\r\n" % (name, value)


BAD = (400, "bad_request")
# Which request, and how it is answered by nginx and by Gunicorn; 200 stands for an event that is stored.
CASES: dict[str, tuple[bytes, Any, Any]] = {
    "1 length and chunks": (post(CHUNKED, CHUNKS), BAD, BAD),
    **{
        f"2 length {said!r}": (post(length=said), BAD, BAD)
        for said in (b"5, 5", b"17, 17", b"+17", b"0x11", b"-1", b"1_7", b"", b"seventeen")
    },
    "2 length with spaces": (post(length=b" 17 "), 200, 200),
    "2 length beyond 64 bits": (post(length=b"9" * 20), BAD, (413, "too_large")),
    "2 two lengths": (post(b"Content-Length: 5\r\n"), BAD, BAD),
    "2 the same length twice": (post(b"Content-Length: 17\r\n"), BAD, BAD),
    **{
        f"3 coding {said!r}": (
            post(header(b"Transfer-Encoding", said), CHUNKS, length=None),
            (501, "not_implemented"),
            BAD,
        )
        for said in (b"xchunked", b"chunked, identity", b"\x0bchunked", b"identity")
    },
    "3 coding in capitals": (post(b"Transfer-Encoding: CHUNKED\r\n", CHUNKS, length=None), 200, 200),
    "3 coding twice": (post(CHUNKED * 2, CHUNKS, length=None), BAD, BAD),
    "4 chunks": (post(CHUNKED, CHUNKS, length=None), 200, 200),
    "4 with an extension": (
        post(CHUNKED, CHUNKS.replace(b"11\r\n", b"11;a=b\r\n", 1), length=None),
        200,
        200,
    ),
    "4 with a trailer": (post(CHUNKED, CHUNKS[:-2] + b"X-Late: a\r\n\r\n", length=None), 200, 200),
    "4 size 0x11": (post(CHUNKED, b"0x" + CHUNKS, length=None), BAD, BAD),
    "4 size below zero": (post(CHUNKED, b"-" + CHUNKS, length=None), BAD, BAD),
    "4 no size": (post(CHUNKED, b"\r\n" + EVENT, length=None), BAD, BAD),
    "4 CR in an extension": (post(CHUNKED, b"11;a\rb\r\n" + CHUNKS[4:], length=None), BAD, BAD),
    "6 no body and no length": (post(body=b"", length=None), (400, "empty_body"), (400, "empty_body")),
    "7 expects to go on": (post(b"Expect: 100-continue\r\n"), 200, 200),
    "7 expects something else": (post(b"Expect: a-miracle\r\n"), 200, (417, "expectation_failed")),
    "8 a folded header": (post(b"X-A: b\r\n c\r\n"), BAD, 200),
    "8 a space before the colon": (post(b"X-A : b\r\n"), BAD, BAD),
    "8 NUL in a header": (post(b"X-A: a\0b\r\n"), BAD, BAD),
    "8 CR in a header": (post(b"X-A: a\rb\r\n"), BAD, BAD),
    "8 a twin with underscores": (post(b"X_Api_Key: lvw_other\r\n"), 200, 200),
    "9 two hosts": (post(b"Host: localhost\r\n"), BAD, BAD),
    "9 two keys": (post(b"Authorization: Bearer lvw_other\r\n"), BAD, (401, "bad_key")),
    "9 two types": (post(b"Content-Type: application/json\r\nContent-Type: text/plain\r\n"), BAD, BAD),
    "10 a whole address": (post(line=b"POST http://localhost/api/logs HTTP/1.1"), 200, 200),
    "10 a host and port": (post(line=b"POST localhost:80 HTTP/1.1"), BAD, BAD),
    "10 a star": (post(line=b"POST * HTTP/1.1"), BAD, BAD),
    "10 NUL in the path": (post(line=b"POST /api/logs/%00 HTTP/1.1"), BAD, (404, "unknown_app")),
    "10 overlong UTF-8": (
        post(line=b"POST /api/logs/%c0%af HTTP/1.1"),
        (404, "unknown_app"),
        (404, "unknown_app"),
    ),
    "10 bytes that are no ASCII": (post(line=b"POST /api/logs/\xc0\xaf HTTP/1.1"), BAD, BAD),
    "10 dots": (
        post(line=b"POST /api/logs/..%2f..%2fmetrics HTTP/1.1"),
        (404, "not_found"),
        (404, "not_found"),
    ),
    "10 9,000 letters": (
        post(line=b"POST /api/logs/%s HTTP/1.1" % (b"a" * 9000)),
        (414, "uri_too_long"),
        (414, "uri_too_long"),
    ),
    **{
        f"11 {method.decode()}": (
            post(line=method + b" /api/logs HTTP/1.1"),
            (405, "method_not_allowed"),
            (405, "method_not_allowed"),
        )
        for method in (b"TRACE", b"TRACK", b"PUT", b"DELETE")
    },
    "11 CONNECT": (post(line=b"CONNECT /api/logs HTTP/1.1"), BAD, (405, "method_not_allowed")),
    "11 post": (post(line=b"post /api/logs HTTP/1.1"), BAD, BAD),
    "11 a hundred letters": (post(line=b"A" * 100 + b" /api/logs HTTP/1.1"), BAD, BAD),
    "12 HTTP/1.0 with chunks": (
        post(CHUNKED, CHUNKS, line=b"POST /api/logs HTTP/1.0", length=None),
        BAD,
        BAD,
    ),
    "12 HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD, BAD),
    "12 HTTP/3.7": (post(line=b"POST /api/logs HTTP/3.7"), (505, "not_implemented"), BAD),
    "12 an upgrade to h2c": (post(b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), 200, 200),
    "13 80 more headers": (post(b"".join(header(b"X-%d" % n, b"a") for n in range(80))), 200, 200),
    "13 200 more headers": (
        post(b"".join(header(b"X-%d" % n, b"a") for n in range(200))),
        (431, "headers_too_large"),
        (431, "headers_too_large"),
    ),
    "13 a cookie of 16 kB": (post(header(b"Cookie", b"a=" + b"x" * 16384)), BAD, (431, "headers_too_large")),
    **{
        f"16 {said[:30].decode('latin-1')}": (post(said + b"\r\n"), 200, 200)
        for said in (
            b"X-Forwarded-For: 1.2.3.4",
            b"X-Forwarded-For: " + b", ".join([b"1.2.3.4"] * 50),
            b"X-Forwarded-For: unknown",
            b"X-Forwarded-For: ::1",
            b"X-Forwarded-For: \xff\xfe",
            b"X-Real-IP: nobody",
            b"Forwarded: for=a;host=evil",
            b"X-Forwarded-Host: evil",
            b"X-Forwarded-Proto: javascript",
            b"X-Forwarded-Port: 99999",
            b"X-Forwarded-Prefix: /evil",
            b"X-Original-URL: /metrics",
            b"X-HTTP-Method-Override: DELETE",
        )
    },
    "17 a foreign host": (post(host=b"Host: evil\r\n"), None, (400, "unknown_host")),
    "17 another port": (post(host=b"Host: localhost:9\r\n"), 200, 200),
    "17 a user before it": (post(host=b"Host: a@localhost\r\n"), BAD, (400, "unknown_host")),
    "17 an empty host": (post(host=b"Host: \r\n"), BAD, (400, "unknown_host")),
    "17 two in one": (post(host=b"Host: localhost, evil\r\n"), BAD, (400, "unknown_host")),
    "18 SCRIPT_NAME": (post(b"SCRIPT_NAME: /x\r\n"), 200, 200),
    "18 PATH_INFO": (post(b"PATH_INFO: /metrics\r\n"), 200, 200),
    "18 Proxy": (post(b"Proxy: http://evil\r\n"), 200, 200),
    "18 X-Accel-Redirect": (post(b"X-Accel-Redirect: /metrics\r\n"), 200, 200),
    "19 a request id of 8 kB": (post(header(b"X-Request-Id", b"x" * 8000)), 200, 200),
    "19 a control character in it": (post(b"X-Request-Id: a\x01b\r\n"), 200, BAD),
    "19 two of them": (post(b"X-Request-Id: a\r\nX-Request-Id: b\r\n"), 200, 200),
}


@pytest.mark.parametrize("case", CASES)
def test_http_that_is_not_as_it_should_be(door: Door, case: str) -> None:
    request, by_nginx, by_gunicorn = CASES[case]
    expected = by_nginx if door.name == "nginx" else by_gunicorn
    before = door.stored()
    answer = door.ask(request)
    if expected is None:
        assert answer == b""
    elif expected == 200:
        assert status(answer) == 200, answer
    else:
        assert (status(answer), code(answer)) == expected
        assert b"evil" not in answer  # nothing of it comes back
    assert door.stored() == before + (expected == 200)


def test_a_body_shorter_than_its_length_is_not_taken(door: Door) -> None:
    before = door.stored()
    answer = door.ask(post(length=b"400"), hang_up=True)
    assert status(answer) in (0, 400)
    assert door.stored() == before


def test_what_stands_behind_a_body_is_no_second_request(door: Door) -> None:
    """The connection is to be closed, so nothing after the length is anybody's."""
    before = door.stored()
    answer = door.ask(post(body=EVENT + post(), length=b"17"))
    assert statuses(answer) == [200]
    assert door.stored() == before + 1


def test_a_good_request_behind_a_refused_one_on_the_same_connection_is_taken(door: Door) -> None:
    before = door.stored()
    refused = post(body=b'{"', length=b"2").replace(b"Connection: close", b"Connection: keep-alive")
    answer = door.ask(refused + post())
    assert statuses(answer) == [400, 200]
    assert door.stored() == before + 1


def test_a_client_that_leaves_at_any_byte_harms_nobody(door: Door) -> None:
    """Every byte of a request of some hundred; nothing but the whole of it is stored."""
    before, whole = door.stored(), post().replace(b"KEY", door.key)
    for end in range(0, len(whole), 3):
        with socket.create_connection(("127.0.0.1", door.port), timeout=ANSWER_SECONDS) as connection:
            connection.sendall(whole[:end])
    assert status(door.ask(whole)) == 200
    eventually(lambda: door.stored() == before + 1)


def test_one_who_trickles_keeps_nobody_waiting(door: Door) -> None:
    """Fifty slow senders of headers, and a quick one between them."""
    slow = [socket.create_connection(("127.0.0.1", door.port), timeout=ANSWER_SECONDS) for _ in range(50)]
    try:
        for connection in slow:
            connection.sendall(b"POST /api/logs HTTP/1.1\r\nHost: localhost\r\nX-Slow: a")
        began = time.monotonic()
        assert status(door.ask(post())) == 200
        assert time.monotonic() - began < ANSWER_SECONDS / 2
    finally:
        for connection in slow:
            connection.close()
