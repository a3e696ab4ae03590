"""Redis behind Sentinels: the product follows the master that they name, also to another one."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError

from app import create_app
from app.config import ConfigurationError, Settings
from app.extensions import connect_redis
from app.live import bell
from local import valkey
from tests.conftest import eventually, free_port

WORD = "made-for-one-test"


class Servers:
    """A master, its replica and a Sentinel that is enough by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = [free_port(), free_port(), free_port()]
        master, replica, sentinel = self.ports
        self.started = [
            self._start(master, "--requirepass", WORD, "--masterauth", WORD),
            self._start(
                replica, "--requirepass", WORD, "--masterauth", WORD, "--replicaof", f"127.0.0.1 {master}"
            ),
        ]
        eventually(lambda: b"connected_slaves:1" in self.told(master))
        conf = folder / "sentinel.conf"
        conf.write_text(
            f"sentinel monitor state 127.0.0.1 {master} 1\nsentinel auth-pass state {WORD}\n"
            "sentinel down-after-milliseconds state 500\nsentinel failover-timeout state 2000\n"
        )
        self.started.append(
            self._run(str(conf), "--port", str(sentinel), "--bind", "127.0.0.1", "--sentinel")
        )
        self.url = f"redis+sentinel://:{WORD}@127.0.0.1:{free_port()},127.0.0.1:{sentinel}/state"

    def told(self, port: int) -> bytes:
        """What a server says of its replication."""
        with Redis(port=port, password=WORD) as client:
            client.set_response_callback("INFO", bytes)
            told: bytes = client.execute_command("INFO", "replication")
            return told

    def _start(self, port: int, *options: str) -> "subprocess.Popen[bytes]":
        started = self._run("--port", str(port), "--bind", "127.0.0.1", "--save", "", *options)
        eventually(lambda: _answers(port))
        return started

    def _run(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([valkey._binary(), *arguments], cwd=self.folder, stdout=subprocess.DEVNULL)


def _answers(port: int) -> bool:
    with Redis(port=port, password=WORD) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.wait()


def test_the_product_follows_the_master(
    servers: Servers, assembled: Flask, environment: Mapping[str, str]
) -> None:
    flask_app = create_app(Settings.from_environment({**environment, "REDIS_URL": servers.url}))
    client = flask_app.test_client()

    def status() -> str:
        """Of Redis alone: these servers keep no log, which is a reason of its own."""
        reasons = client.get("/ready").get_json().get("reasons", {})
        return "degraded" if reasons.get("redis") == "away" else "ok"

    redis = connect_redis(servers.url)
    heard = bell.heard(servers.url)
    next(heard)
    assert status() == "ok"
    redis.set("kept", "yes")
    eventually(lambda: Redis(port=servers.ports[1], password=WORD).get("kept"))
    servers.started[0].kill()
    assert status() == "degraded"
    eventually(lambda: status() == "ok")
    assert redis.get("kept") == b"yes"

    def rings() -> bool:
        redis.publish(bell.CHANNEL, "7")
        return next(heard) == {7}

    eventually(rings)
    redis.close()


def test_a_url_without_a_name_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="looks like"):
        connect_redis("redis+sentinel://:word@127.0.0.1:26379")
