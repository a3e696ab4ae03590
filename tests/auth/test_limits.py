"""Limits on pages and API: whose allowance a request uses, what is answered beyond it, and without Redis."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from redis import Redis
from structlog.testing import CapturingLogger

from app import create_app
from app.auth import limits
from app.config import LIMIT_STRATEGIES, ConfigurationError, Settings
from tests.auth.visitor import Visitor
from tests.conftest import eventually
from tests.world import World

LIMITS = {
    "auth_limit": "5/minute",
    "address_limit": "8/minute",
    "user_limit": "6/minute",
    "organisation_limit": "7/minute",
    "endpoint_limits": (("keys_api.create_api_key", "2/minute"),),
}
OPEN_PATH = "/auth/csrf"


@pytest.fixture
def limited(flask_app: Flask, settings: Settings) -> Callable[..., Flask]:
    """A product with small limits."""

    def make(**changed: Any) -> Flask:
        made = create_app(replace(settings, **(LIMITS | changed)))
        made.test_client_class = flask_app.test_client_class
        return made

    return make


def ask(client: FlaskClient, path: str, address: str = "10.0.0.1", **headers: str) -> Any:
    return client.get(path, headers={"X-Forwarded-For": address, **headers})


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("strategy", LIMIT_STRATEGIES)
def test_an_address_has_so_many_tries_at_the_door_and_no_more(
    limited: Callable[..., Flask], strategy: str
) -> None:
    client = limited(limit_strategy=strategy).test_client()
    before = counted("lvd_limited_total", scope="auth"), counted("lvd_refusals_total", reason="rate_limited")
    answers = [ask(client, OPEN_PATH) for _ in range(6)]
    assert [a.status_code for a in answers] == [200] * 5 + [429]
    assert answers[5].get_json()["code"] == "rate_limited"
    assert "address" in answers[5].get_json()["message"]
    after = counted("lvd_limited_total", scope="auth"), counted("lvd_refusals_total", reason="rate_limited")
    assert after == (before[0] + 1, before[1] + 1)
    assert ask(client, OPEN_PATH, "10.0.0.2").status_code == 200, "a neighbour is not hindered"


def test_every_counted_answer_says_what_is_left_in_both_dialects(limited: Callable[..., Flask]) -> None:
    client = limited().test_client()
    for remaining in (4, 3, 2, 1, 0, 0):
        headers = ask(client, OPEN_PATH).headers
        assert headers["RateLimit-Limit"] == headers["X-RateLimit-Limit"] == "5"
        assert headers["RateLimit-Remaining"] == headers["X-RateLimit-Remaining"] == str(remaining)
        assert 0 <= int(headers["RateLimit-Reset"]) <= 120
        assert abs(int(headers["X-RateLimit-Reset"]) - time.time() - int(headers["RateLimit-Reset"])) < 2
        assert headers["RateLimit-Policy"] == "5;w=60"
    assert 1 <= int(headers["Retry-After"]) <= 120
    assert "Retry-After" not in ask(client, OPEN_PATH, "10.0.0.2").headers


def test_a_token_bucket_lets_a_burst_through_and_then_a_steady_flow(limited: Callable[..., Flask]) -> None:
    client = limited(limit_strategy="token-bucket", auth_limit="10/second").test_client()
    statuses = [ask(client, OPEN_PATH).status_code for _ in range(12)]
    assert statuses[:10] == [200] * 10
    assert 429 in statuses
    eventually(lambda: ask(client, OPEN_PATH).status_code == 200, 2)


def test_wrong_keys_are_counted_by_address_before_anybody_asks_who_it_is(
    limited: Callable[..., Flask],
) -> None:
    client = limited().test_client()
    wrong = {"Authorization": "Bearer lva_" + "0" * 32}
    statuses = [ask(client, "/api/apps/shop/events", **wrong).status_code for _ in range(9)]
    assert statuses == [401] * 8 + [429]


def test_an_organisation_has_one_allowance_for_all_its_addresses(
    limited: Callable[..., Flask], world: World
) -> None:
    client = limited().test_client()

    def read(n: int, key: str) -> Any:
        return ask(client, "/api/apps/shop/summary", f"10.0.1.{n}", Authorization=f"Bearer {key}")

    answers = [read(n, world.alice.api_key) for n in range(8)]
    assert [a.status_code for a in answers] == [200] * 7 + [429]
    assert "organisation" in answers[7].get_json()["message"]
    assert read(9, world.charlie.api_key).status_code == 200


def test_a_signed_in_user_has_one_allowance_for_all_addresses(
    limited: Callable[..., Flask], mailbox: Any
) -> None:
    person = Visitor(limited(auth_limit="1000/minute"), mailbox)
    person.join()

    def look(n: int) -> Any:
        return person.ask("GET", "/dashboard", headers={"X-Forwarded-For": f"10.0.2.{n}"})

    answers = [look(n) for n in range(7)]
    assert [a.status_code for a in answers] == [200] * 6 + [429]
    assert "text/html" in answers[6].headers["Content-Type"]
    assert answers[6].headers["Retry-After"]


def test_an_endpoint_may_have_a_limit_of_its_own(limited: Callable[..., Flask], world: World) -> None:
    client = limited().test_client()
    answers = [world.alice.post(client, "/api/keys", {"scopes": ["read"]}) for _ in range(3)]
    assert [a.status_code for a in answers] == [201, 201, 429]
    assert world.alice.get(client, "/api/apps/shop/summary").status_code == 200


def test_an_ipv6_network_is_one_address(limited: Callable[..., Flask]) -> None:
    client = limited().test_client()
    statuses = [ask(client, OPEN_PATH, f"2001:db8:0:1::{n}").status_code for n in range(6)]
    assert statuses == [200] * 5 + [429]
    assert ask(client, OPEN_PATH, "2001:db8:0:2::1").status_code == 200
    assert ask(client, OPEN_PATH, "::ffff:10.0.0.9").status_code == 200


def test_nobody_gets_a_new_allowance_by_lying_about_the_address(limited: Callable[..., Flask]) -> None:
    """Past the proxy (REMOTE_ADDR is no trusted one) the header does not count; through it only its last word."""
    client = limited().test_client()
    stranger = {"REMOTE_ADDR": "203.0.113.7"}
    for first in range(5):
        lie = {"X-Forwarded-For": f"10.1.1.{first}", "Forwarded": f"for=10.1.1.{first}"}
        assert client.get(OPEN_PATH, headers=lie, environ_base=stranger).status_code == 200
    last = client.get(OPEN_PATH, headers={"X-Forwarded-For": "10.1.1.99"}, environ_base=stranger)
    assert last.status_code == 429
    statuses = [ask(client, OPEN_PATH, f"10.1.2.{n}, 10.0.0.5").status_code for n in range(6)]
    assert statuses == [200] * 5 + [429]


def test_probes_and_senders_are_not_counted_here(limited: Callable[..., Flask], world: World) -> None:
    client = limited().test_client()
    assert {client.get("/health").status_code for _ in range(12)} == {200}
    assert {world.alice.send(client, {"event": "a"}).status_code for _ in range(12)} == {200}


NO_REDIS = "unix:///nonexistent/redis.sock"


def test_without_redis_the_door_counts_for_itself_loudly_and_is_not_open(
    limited: Callable[..., Flask], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = CapturingLogger()
    monkeypatch.setattr(limits, "log", written)
    client = limited(redis_url=NO_REDIS).test_client()
    before = counted("lvd_local_limits_total")

    def read() -> int:
        return ask(
            client, "/api/apps/shop/summary", Authorization=f"Bearer {world.alice.api_key}"
        ).status_code

    assert [read() for _ in range(8)] == [200] * 7 + [429]
    assert counted("lvd_local_limits_total") == before + 8
    assert {(c.method_name, c.args[0]) for c in written.calls} == {("warning", "limits_local")}
    statuses = [ask(client, "/auth/login", Accept="application/json").status_code for _ in range(6)]
    assert statuses == [503] * 5 + [429], "no session can be had; but nobody may try for ever"


def test_when_redis_forgets_its_scripts_nobody_notices(
    limited: Callable[..., Flask], redis_operator: Redis
) -> None:
    client = limited(limit_strategy="token-bucket").test_client()
    assert ask(client, OPEN_PATH).status_code == 200
    redis_operator.script_flush()
    redis_operator.flushdb()
    assert ask(client, OPEN_PATH).status_code == 200


def test_an_unknown_strategy_is_refused_at_start(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="LIMIT_STRATEGY"):
        Settings.from_environment(environment | {"LIMIT_STRATEGY": "leaky"})


def test_what_is_not_counted_is_not_asked_about(limited: Callable[..., Flask]) -> None:
    """Flask-Limiter's own hooks would run for every event and take a twentieth of its time."""
    made = limited()
    hooks = [
        hook
        for by_blueprint in (made.before_request_funcs, made.after_request_funcs, made.teardown_request_funcs)
        for hook in by_blueprint.get(None, [])
    ]
    ours = [getattr(hook, "func", hook) for hook in hooks]
    assert [hook for hook in ours if hook.__module__.startswith("flask_limiter")] == []
    ask(made.test_client(), "/health")
    assert "X-RateLimit-Limit" not in ask(made.test_client(), "/health").headers
    assert "X-RateLimit-Limit" in ask(made.test_client(), OPEN_PATH).headers
