"""A DSN with several hosts: who refuses is passed over at once, who says nothing costs one call and no more."""

import socket
import time
from collections.abc import Iterator
from urllib.parse import quote

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import parse_dsn

from app.config import Settings
from app.hosts import Hosts
from tests.conftest import free_port


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def after(port: int, settings: Settings) -> Hosts:
    """This port first, then the tests' own server."""
    told = parse_dsn(settings.database_url)
    hosts, ports = f"127.0.0.1,{told['host']}", f"{port},5432"
    user, password = quote(told["user"]), quote(told["password"])
    return Hosts(f"postgresql://{user}:{password}@/{told['dbname']}?host={quote(hosts)}&port={ports}")


def test_who_refuses_is_passed_over_at_once(assembled: Flask, settings: Settings) -> None:
    hosts = after(free_port(), settings)
    began = time.monotonic()
    hosts.connect().close()
    assert time.monotonic() - began < 2


def test_who_says_nothing_costs_one_call(assembled: Flask, settings: Settings, silent: int) -> None:
    hosts = after(silent, settings)
    with pytest.raises(psycopg2.OperationalError, match="deadline passed"):
        hosts.connect()
    began = time.monotonic()
    for _ in range(3):
        hosts.connect().close()
    assert time.monotonic() - began < 1.5


def test_where_nobody_answers_the_last_ones_reason_is_told(assembled: Flask) -> None:
    hosts = Hosts(f"postgresql://a:b@127.0.0.1:{free_port()},127.0.0.1:{free_port()}/x")
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        hosts.connect()
