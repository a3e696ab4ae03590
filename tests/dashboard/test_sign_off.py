"""The page to sign: one page whatever it tells, the figures of the overview, and nothing of it read as markup."""

import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import psycopg2
import pypdf
import pytest
from flask.testing import FlaskClient

from app.dashboard.reports import sign_off
from app.dashboard.reports.sign_off import OpenViolation, SignOff
from tests.dashboard.test_pages import Owner, alice  # noqa: F401  (a fixture)
from tests.dashboard.test_reports import EVENTS, SHEET, fill, take
from tests.world import World

LONG = "a name that goes on and on " * 30


def read(body: bytes) -> str:
    """The words of a PDF of one page."""
    (page,) = pypdf.PdfReader(io.BytesIO(body)).pages
    return " ".join(page.extract_text().split())


def told(**changed: Any) -> SignOff:
    figures: dict[str, Any] = {
        "organisation": "Alice & friends",
        "app": "Shop",
        "app_id": "shop",
        "plan_version": 7,
        "scope": "Last 7 days",
        "made_at": datetime(2026, 1, 31, 12, tzinfo=UTC),
        "asked_by": "alice@example.com",
        "received": 12_345_678_901,
        "counts": {"valid": 12_345_678_901, "invalid": 0, "unplanned": 0, "exempt": 0},
        "pass_rate": "100%",
        "coverage": "50%",
        "seen": 1,
        "planned": 2,
        "missing": ["never"],
        "excluded": 0,
        "open_": [],
    }
    return SignOff(**figures | changed)


def test_it_has_the_plan_the_scope_the_figures_and_who_asked(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection
) -> None:
    fill(client, world)
    answer = take(client, world, "sign-off?range=all")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="shop-sign-off-20')
    words = read(answer.data)
    for said in ("Shop", "Alice & friends", "version 1", "All time", "an API key without a name"):
        assert said in words
    assert "66.6% 2 of 3 planned events seen" in words.replace("Coverage ", "")
    assert "1 valid, 2 invalid" in words
    assert "33.3%" in words
    assert "never" in words.partition("Planned, not seen")[2].partition("Open violations")[0]
    for group in world.alice.get(client, "/api/apps/shop/violations?range=all").get_json()["violations"]:
        assert f"{group['event']} {group['path']}".strip() in words.partition("Open violations")[2]
    with owner.cursor() as cursor:
        cursor.execute("SELECT action, kind, details->>'format' FROM audit_log ORDER BY id DESC LIMIT 1")
        assert cursor.fetchone() == ("exported", "sign-off", "pdf")


def test_a_violation_that_was_settled_is_not_open(client: FlaskClient, world: World) -> None:
    fill(client, world)
    before = read(take(client, world, "sign-off?range=all").data)
    group = world.alice.get(client, "/api/apps/shop/violations?range=all").get_json()["violations"][0]
    path = f"/api/apps/shop/violations/{group['id']}/decision"
    assert world.alice.post(client, path, {"state": "known"}).status_code == 200
    after = read(take(client, world, "sign-off?range=all").data)
    name = f"{group['event']} {group['path']}".strip()
    assert before.count(name) == after.count(name) + 1


def test_a_person_who_asks_is_named(alice: Owner) -> None:  # noqa: F811
    key = alice.make_app("shop")
    alice.ask(
        "POST",
        "/api/apps/shop/plan/import?format=csv&publish=true",
        data=SHEET,
        headers={"X-CSRF-Token": alice.token()},
    )
    alice.send("shop", key, EVENTS)
    answer = alice.ask("GET", "/api/apps/shop/reports/sign-off?range=day&platform=ios")
    words = read(answer.data)
    assert alice.email in words
    assert "Last 24 hours, since" in words
    assert "platform ios" in words


@pytest.mark.parametrize("count", [0, 1, 500])
def test_it_is_one_page_however_much_there_is_and_says_what_is_left_out(count: int) -> None:
    open_ = [OpenViolation(f"{n} {LONG}", LONG, LONG, "error", 10**9) for n in range(count)]
    names = {"organisation": LONG, "app": LONG, "scope": LONG, "asked_by": LONG}
    words = read(sign_off.page(told(open_=open_, missing=[f"{n} {LONG}" for n in range(count)], **names)))
    assert ("more groups of violations" in words) == (count > sign_off.MOST_OPEN)
    assert ("more events" in words) == (count > sign_off.MOST_MISSING)
    assert f" {told().received:,} " in words, "no figure is cut"
    assert words.count("1,000,000,000 ×") == min(count, sign_off.MOST_OPEN)
    assert words.endswith("Name Signature Date")


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server that writes down what it is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_names_are_text_and_nothing_is_fetched(listener: tuple[str, list[str]]) -> None:
    url, asked = listener
    hostile = f'<img src="{url}/x.png"/>'
    body = sign_off.page(
        told(app=hostile, missing=[hostile], open_=[OpenViolation(hostile, hostile, "</para>", "error", 1)])
    )
    assert "<img src=" in read(body)
    assert "</para>" in read(body)
    assert asked == []
    page = pypdf.PdfReader(io.BytesIO(body)).pages[0]
    assert "/Annots" not in page, "no link"
    assert not page.images


def test_a_character_that_the_font_has_not_is_marked() -> None:
    assert "Caf\u00e9 \u00bf\u00bf" in read(sign_off.page(told(app="Caf\u00e9 \u4e2d\x07")))
