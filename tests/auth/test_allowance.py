"""Senders' limits: exact over processes, no question on a request's way, and a share without Redis."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import gevent
import pytest
from flask import Flask
from prometheus_client import REGISTRY
from structlog.testing import CapturingLogger

from app import create_app
from app.auth import allowance as allowance_module
from app.auth.allowance import Allowance
from app.config import Settings
from app.errors import Refusal
from app.extensions import connect_redis
from tests.conftest import eventually
from tests.world import World

RATE, BURST = 1_000, 2_000


@pytest.fixture
def make(flask_app: Flask, settings: Settings) -> Iterator[Callable[..., Allowance]]:
    """Allowances as of several processes: each with a connection, a name and shares of its own."""
    made = []

    def one(url: str = settings.redis_url, rate: int = RATE, burst: int = BURST) -> Allowance:
        limits = {"key": (rate, burst), "organisation": (rate * 10, burst * 10)}
        made.append(Allowance(connect_redis(url, most_connections=2), limits))
        return made[-1]

    yield one
    for allowance in made:
        allowance.close()


def spent(allowance: Allowance, seconds: float, size: int = 1, pause: float = 0.0) -> int:
    """How many events a sender that never stops gets through."""
    through, ends_at = 0, time.monotonic() + seconds
    while time.monotonic() < ends_at:
        try:
            allowance.spend(size, key=1, organisation=1)
            through += size
        except Refusal as refusal:
            if refusal.code != "rate_limited":
                raise
            gevent.sleep(0.005)
        gevent.sleep(pause)
    return through


@pytest.mark.parametrize("processes", [1, 4])
@pytest.mark.parametrize("size", [1, 50])
def test_all_processes_together_spend_the_limit_within_five_percent(
    make: Callable[..., Allowance], processes: int, size: int
) -> None:
    seconds = 2.0
    began = time.monotonic()
    senders = [gevent.spawn(spent, make(), seconds, size) for _ in range(processes)]
    gevent.joinall(senders, raise_error=True)
    allowed = BURST + RATE * (time.monotonic() - began)
    assert allowed * 0.95 <= sum(s.value for s in senders) <= allowed * 1.01


def test_an_unequal_pair_of_processes_gets_it_all(make: Callable[..., Allowance]) -> None:
    """What the quiet one holds is a slice at most."""
    quiet, busy = make(), make()
    quiet.spend(1, key=1, organisation=1)
    began = time.monotonic()
    through = spent(busy, 1.5, 10)
    assert through >= 0.95 * (BURST + RATE * (time.monotonic() - began))


def test_a_key_that_is_empty_does_not_empty_its_neighbour(make: Callable[..., Allowance]) -> None:
    allowance = make()
    spent(allowance, 0.5, 100)
    allowance.spend(100, key=2, organisation=1)
    with pytest.raises(Refusal):
        allowance.spend(1000, key=1, organisation=1)


def test_an_organisation_is_limited_over_all_its_keys(make: Callable[..., Allowance]) -> None:
    allowance = make(rate=10, burst=20)  # of the organisation: 100 and 200

    def send_with_every_key() -> None:
        for key in range(1_000):
            allowance.spend(10, key=key, organisation=1)

    with pytest.raises(Refusal) as refused:
        send_with_every_key()
    assert "Your organisation" in refused.value.message


def test_a_request_asks_redis_nothing(
    make: Callable[..., Allowance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender below its limit finds its tokens leased; 1,000 events cost some slices, not 1,000 round trips."""
    allowance = make()
    asked = []
    take = allowance._buckets.take
    monkeypatch.setattr(allowance._buckets, "take", lambda wishes: asked.append(1) or take(wishes))
    for _ in range(500):
        allowance.spend(1, key=1, organisation=1)
        gevent.sleep(0.001)
    assert 1 <= len(asked) < 60
    began = time.perf_counter()
    for _ in range(20):
        allowance.spend(1, key=1, organisation=1)
    assert (time.perf_counter() - began) / 20 < 0.000_5, "microseconds, on any machine"


def test_without_redis_each_process_grants_its_share_loudly(
    make: Callable[..., Allowance], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = CapturingLogger()
    monkeypatch.setattr(allowance_module, "log", written)
    lost = REGISTRY.get_sample_value("lvd_leases_total", {"outcome": "lost"}) or 0.0
    allowance = make(url="unix:///nonexistent/redis.sock")
    began = time.monotonic()
    through = spent(allowance, 1.5, 10)
    assert through <= 1.01 * (BURST + RATE * (time.monotonic() - began))
    assert through >= BURST * 0.95
    assert (REGISTRY.get_sample_value("lvd_leases_total", {"outcome": "lost"}) or 0.0) > lost
    assert [(c.method_name, c.args[0]) for c in written.calls] == [("warning", "allowance_local")], "once"


def test_a_process_knows_how_many_share(make: Callable[..., Allowance]) -> None:
    pair = [make(), make()]
    for allowance in pair:
        allowance.spend(1, key=1, organisation=1)
    eventually(
        lambda: [allowance.spend(1, key=1, organisation=1) or allowance._crew for allowance in pair] == [2, 2]
    )


def test_a_sender_beyond_its_limit_is_told_when_to_come_back(
    flask_app: Flask, settings: Settings, world: World
) -> None:
    limited = create_app(replace(settings, key_events_per_second=10, key_events_burst=20))
    client = limited.test_client()
    before = REGISTRY.get_sample_value("lvd_limited_total", {"scope": "key"}) or 0.0
    assert world.alice.send(client, [{"event": "a"}] * 20).status_code == 200
    answer = world.alice.send(client, [{"event": "a"}] * 20)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
    assert answer.headers["Retry-After"] in ("1", "2")
    for name in ("Limit", "Remaining", "Reset"):
        assert answer.headers[f"RateLimit-{name}"] is not None
        assert answer.headers[f"X-RateLimit-{name}"] is not None
    assert (REGISTRY.get_sample_value("lvd_limited_total", {"scope": "key"}) or 0.0) == before + 1
    assert world.charlie.send(client, {"event": "a"}).status_code == 200
    eventually(lambda: world.alice.send(client, {"event": "a"}).status_code == 200, 5)


def test_checking_costs_the_same_as_sending(flask_app: Flask, settings: Settings, world: World) -> None:
    client = create_app(replace(settings, key_events_per_second=1, key_events_burst=20)).test_client()
    path = "/api/logs/shop/validate"
    assert world.alice.send(client, [{"event": "a"}] * 20, path).status_code == 200
    assert world.alice.send(client, [{"event": "a"}] * 10, path).status_code == 429
