"""The snippets: those that can be run here send an event, the others say the same with balanced brackets."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.dashboard.snippets import EXAMPLE_EVENT, LANGUAGES, snippets

KEY = "lvw_a-Key_of-letters"
RUNNERS = {"Python": [sys.executable], "JavaScript": ["node", "--input-type=module"]}
PAIRS = {"(": ")", "[": "]", "{": "}"}


class Door(BaseHTTPRequestHandler):
    """Notes what it was sent."""

    heard: list[tuple[str, str | None, Any]] = []  # noqa: RUF012  (the class is the server's, once per request)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append((self.path, self.headers["Authorization"], json.loads(body)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"accepted": 1}')

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Door.heard.clear()
    yield f"http://127.0.0.1:{server.server_port}/api/logs/shop"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("language", RUNNERS)
def test_it_runs_and_sends_the_event_with_the_key(language: str, url: str) -> None:
    code = snippets(url, KEY)[language]
    ran = subprocess.run(
        RUNNERS[language], input=code, capture_output=True, text=True, timeout=30, check=False
    )  # noqa: S603
    assert ran.returncode == 0, ran.stderr
    assert "accepted" in ran.stdout
    assert Door.heard == [("/api/logs/shop", f"Bearer {KEY}", json.loads(EXAMPLE_EVENT))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_names_the_address_the_key_and_the_event_and_closes_what_it_opens(language: str) -> None:
    code = snippets("http://localhost/api/logs/shop", KEY)[language]
    assert '"http://localhost/api/logs/shop"' in code
    assert f'"Bearer {KEY}"' in code
    assert EXAMPLE_EVENT in code
    waiting: list[str] = []
    for letter in code:
        if letter in PAIRS:
            waiting.append(PAIRS[letter])
        elif letter in PAIRS.values():
            assert waiting.pop() == letter, code
    assert waiting == []


def test_every_page_that_shows_a_key_shows_the_snippets() -> None:
    templates = Path(__file__).parents[2] / "app" / "templates" / "dashboard"
    for page in ("live.html", "key_shown.html"):
        assert "snippet_blocks(snippets)" in (templates / page).read_text()
