"""One canonical line per request: who asked what and what came of it, and nothing that is nobody's business."""

from typing import Any

from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from tests.world import World

CANARY = "canary-5f1c"


def test_a_request_leaves_one_line_with_its_facts(client: FlaskClient, world: World, lines: Any) -> None:
    request_id = "0123456789abcdef0123456789abcdef"
    event = {"event": CANARY, "payload": {"secret": CANARY}, "identity": CANARY}
    world.alice.send(client, [event, event], **{"X-Request-Id": request_id})
    (line,), text = lines()
    assert (line["event"], line["level"], line["request_id"]) == ("request_answered", "info", request_id)
    assert (line["method"], line["route"], line["status"]) == ("POST", "/api/logs/<app_id>", 200)
    assert (line["organisation_id"], line["events"]) == (world.alice.organisation_id, 2)
    assert line["milliseconds"] > 0
    assert CANARY not in text
    assert world.alice.write_key not in text


def test_a_refusal_names_its_reason(client: FlaskClient, world: World, lines: Any) -> None:
    world.alice.send(client, b"{" + CANARY.encode())
    client.post(f"/api/logs/shop?key={CANARY}", data=b"{}")
    (first, second), text = lines()
    assert (first["status"], first["reason"]) == (400, "bad_json")
    assert (second["status"], second["reason"]) == (400, "key_in_url")
    assert CANARY not in text


def test_a_line_break_cannot_forge_a_line(client: FlaskClient, lines: Any) -> None:
    client.get("/nothing%0a%7b%22event%22:%22forged%22%7d", headers={"X-Request-Id": 'a" "b'})
    (line,), _ = lines()
    assert (line["status"], line["route"]) == (404, "unknown")


def test_probes_are_quiet(client: FlaskClient, lines: Any) -> None:
    client.get("/health")
    assert lines() == ([], "")


def test_an_invented_method_makes_no_metric_of_its_own(client: FlaskClient) -> None:
    """Each would be kept for ever: a sender could fill the memory with names."""
    client.open("/health", method="BREW")
    methods = {
        sample.labels["method"]
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "lvd_requests_total"
    }
    assert "other" in methods
    assert "BREW" not in methods
