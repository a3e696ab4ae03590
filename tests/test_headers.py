"""What every answer carries, and whose word about the sender counts."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from app import create_app
from app.config import Settings
from tests.world import World

PATHS = ["/health", "/auth/login", "/nothing", "/api/apps/shop/events", "/api/logs/shop"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_dressed(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.endswith("report-uri /csp-reports; report-to csp")
    assert answer.headers["Reporting-Endpoints"] == 'csp="/csp-reports"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in answer.headers, "plain http on loopback"


def test_behind_tls_browsers_are_told_to_stay_there(settings: Settings) -> None:
    secure = create_app(
        replace(settings, public_url="https://events.example.com", encryption_keys=("k" * 32,))
    )
    answer = secure.test_client().get("/health", base_url="https://events.example.com")
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]", "[::1]:8080"])
def test_this_machines_own_names_are_trusted(client: FlaskClient, host: str) -> None:
    assert client.get("/auth/login", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.2", "[::2]", "[", "a b", "::1"]
)
def test_a_foreign_host_is_refused(client: FlaskClient, host: str) -> None:
    assert client.get("/auth/login", headers={"Host": host}).status_code == 400


def test_the_proxys_last_word_counts_and_no_other(flask_app: Flask, world: World) -> None:
    seen: list[Any] = []

    def note() -> None:
        seen.append((request.remote_addr, request.host))

    flask_app.before_request_funcs[None].append(note)
    try:
        headers = {
            "X-Forwarded-For": "6.6.6.6, 10.0.0.7",
            "X-Forwarded-Host": "evil.example",
            "X-Real-IP": "6.6.6.6",
        }
        flask_app.test_client().get("/health", headers=headers)
    finally:
        flask_app.before_request_funcs[None].pop()
    assert seen == [("10.0.0.7", "localhost")]


def test_probes_ask_by_address(client: FlaskClient) -> None:
    for path in ("/health", "/ready", "/metrics"):
        assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200
