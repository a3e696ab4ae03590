"""What browsers report of the policy: taken in both shapes, bounded, and nothing of an address that may be a secret."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
import structlog
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from app import create_app, csp_reports
from app.config import Settings

PATH = "/csp-reports"
SECRET = "s3cr3t"
OLD = {
    "csp-report": {
        "document-uri": f"http://localhost/apps/{SECRET}/events/{SECRET}?q={SECRET}#{SECRET}",
        "violated-directive": "script-src 'self'",
        "effective-directive": "script-src-elem",
        "blocked-uri": f"https://user:{SECRET}@evil.example/{SECRET}.js?{SECRET}",
        "script-sample": SECRET,
        "referrer": SECRET,
    }
}
NEW = {
    "type": "csp-violation",
    "url": f"http://localhost/{SECRET}",
    "body": {
        "documentURL": f"http://localhost/invitation#{SECRET}",
        "effectiveDirective": "connect-src",
        "blockedURL": "inline",
        "sample": SECRET,
    },
}


def report(client: FlaskClient, body: Any, kind: str = "application/csp-report") -> int:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return client.post(PATH, data=data, content_type=kind).status_code


def counted(directive: str) -> float:
    return REGISTRY.get_sample_value("lvd_csp_reports_total", {"directive": directive}) or 0.0


def test_both_shapes_are_counted_and_logged_without_a_secret(
    client: FlaskClient,
    lines: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csp_reports, "log", structlog.get_logger())
    before = counted("script-src"), counted("connect-src")
    assert report(client, OLD) == 204
    assert report(client, [NEW, NEW], "application/reports+json") == 204
    assert (counted("script-src") - before[0], counted("connect-src") - before[1]) == (1, 2)
    written, text = lines()
    violated = [line for line in written if line["event"] == "policy_violated"]
    facts = [(line["directive"], line["blocked"], line["route"]) for line in violated]
    assert facts == [
        ("script-src", "evil.example", "/apps/<app_id>/events/<event_id>"),
        ("connect-src", "inline", "/invitation"),
        ("connect-src", "inline", "/invitation"),
    ]
    assert SECRET not in text


def test_a_label_is_never_what_a_stranger_chose(client: FlaskClient) -> None:
    before = counted("other")
    assert (
        report(
            client,
            {"csp-report": {"effective-directive": "x" * 5000, "blocked-uri": "[", "document-uri": "["}},
        )
        == 204
    )
    assert counted("other") == before + 1
    assert counted("x" * 5000) == 0


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/csp-report", 400),
        (b"{}", "application/json", 415),
        (b"", "application/csp-report", 400),
        (b" " * 20_000, "application/csp-report", 413),
        ([1, None, {"body": []}, {"csp-report": 3}], "application/reports+json", 204),
        ({"csp-report": {"effective-directive": {}, "document-uri": 1}}, "application/csp-report", 204),
    ],
)
def test_nonsense_is_refused_or_passed_over(client: FlaskClient, body: Any, kind: str, status: int) -> None:
    assert report(client, body, kind) == status


def test_of_many_in_one_body_a_few_are_looked_at(client: FlaskClient) -> None:
    before = counted("connect-src")
    assert (
        report(client, [{"body": {"effectiveDirective": "connect-src"}}] * 300, "application/reports+json")
        == 204
    )
    assert counted("connect-src") - before == 10


def test_nobody_fills_the_log(settings: Settings, client: FlaskClient) -> None:
    hurried = create_app(replace(settings)).test_client()
    answers = [report(hurried, {}) for _ in range(40)]
    assert answers.count(204) == 30
    assert answers.count(429) == 10
    assert hurried.get("/auth/login").status_code == 200, "signing in has a limit of its own"
