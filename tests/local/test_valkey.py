"""Redis for state comes back from kill -9 with what it had, transactions too, and lets nobody in without a password."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from local.places import Places
from local.valkey import Valkey
from tests.conftest import eventually


@contextmanager
def running(server: Valkey) -> Iterator[Redis]:
    """The server until it is killed, and the product's client of it."""
    process = subprocess.Popen(server.program().argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(server.answers)
        client = Redis.from_url(server.url)
        yield client
        client.close()
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    places = Places.prepare(tmp_path / "var")
    yield Valkey("redis", places)
    places.remove_sockets()


def test_what_a_transaction_wrote_survives_a_kill(server: Valkey) -> None:
    with running(server) as client:
        client.set("alone", "1")
        with client.pipeline(transaction=True) as pipeline:
            pipeline.set("together", "1").rpush("queue", "job").execute()
    with running(server) as client:
        assert (client.get("alone"), client.get("together")) == (b"1", b"1")
        assert client.lrange("queue", 0, -1) == [b"job"]


def test_nobody_is_the_default_user(server: Valkey) -> None:
    with running(server):
        for login in ("", "default:@", ":anything@"):
            stranger = Redis.from_url(f"unix://{login}{urlsplit(server.url).path}")
            with pytest.raises(AuthenticationError):
                stranger.ping()
            stranger.close()
