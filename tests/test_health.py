"""Alive, ready, degraded: what an instance says of itself."""

import re

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from app.store import schema


def test_alive_asks_nobody(client: FlaskClient) -> None:
    assert client.get("/health").get_json() == {"status": "ok"}


def test_ready_while_events_can_be_taken(client: FlaskClient) -> None:
    answer = client.get("/ready")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "ok")


@pytest.mark.parametrize(("found", "status"), [("older", 503), ("0001", 503), ("9999", 200)])
def test_an_older_schema_is_not_ready_and_a_newer_one_is(
    client: FlaskClient, owner: psycopg2.extensions.connection, found: str, status: int
) -> None:
    """A newer one: the next release's migrations ran, and this release still serves."""
    with owner.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = %s", (found,))
        try:
            answer = client.get("/ready")
        finally:
            cursor.execute("UPDATE alembic_version SET version_num = %s", (schema.revision(),))
    assert answer.status_code == status
    if status == 503:
        reasons = {"postgres": "schema_older"}
        assert answer.get_json() == {"status": "unavailable", "parts": ["postgres"], "reasons": reasons}


def test_a_silent_redis_degrades(client: FlaskClient, redis_operator: Redis) -> None:
    redis_operator.client_pause(2000)
    try:
        answer = client.get("/ready")
    finally:
        redis_operator.client_unpause()
    degraded = {"status": "degraded", "parts": ["redis"], "reasons": {"redis": "away"}}
    assert (answer.status_code, answer.get_json()) == (200, degraded)


def test_metrics_are_prometheus_text(flask_app: Flask, client: FlaskClient) -> None:
    client.get("/health")
    text = client.get("/metrics").text
    assert re.search(r'lvd_requests_total\{method="GET",route="/health",status="200"\} \d', text)
