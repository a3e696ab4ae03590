"""Through nginx: limits go by the real address, and nginx's own errors are dressed like the product's."""

import http.client
from urllib.parse import urlsplit

import pytest

from tests.conftest import Stack


def ask(stack: Stack, path: str, source: str, **headers: str) -> http.client.HTTPResponse:
    """A request from an address of the loopback."""
    host = urlsplit(stack.url)
    connection = http.client.HTTPConnection(
        "127.0.0.1", host.port or 80, source_address=(source, 0), timeout=20
    )
    connection.request("GET", path, headers={"Host": host.netloc, **headers})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def remaining(stack: Stack, source: str, **headers: str) -> int:
    return int(ask(stack, "/auth/csrf", source, **headers).headers["RateLimit-Remaining"])


def test_each_address_has_its_own_allowance_and_a_lie_gives_no_other(stack: Stack) -> None:
    first = remaining(stack, "127.0.9.1")
    assert remaining(stack, "127.0.9.1") == first - 1
    for n, name in enumerate(("X-Forwarded-For", "X-Real-IP", "Forwarded"), start=2):
        assert remaining(stack, "127.0.9.1", **{name: "6.6.6.6"}) == first - n, name
    assert remaining(stack, "127.0.9.2") == first


@pytest.mark.parametrize("path", ["/metrics", "/static/none.css", "/health", "/auth/login"])
def test_every_answer_is_dressed_whoever_made_it(stack: Stack, path: str) -> None:
    headers = ask(stack, path, "127.0.9.3").headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Permissions-Policy"] == "camera=(), geolocation=(), microphone=()"
