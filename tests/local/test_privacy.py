"""PostgreSQL and Redis are for the stack's own accounts: a password everywhere, no network, no superuser."""

import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ResponseError
from redis.retry import Retry

from local.roles import roles

TRIES_TO_CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


def socket_folder(dsn: str) -> str:
    return parse_qs(urlsplit(dsn).query)["host"][0]


def redis_socket(url: str) -> str:
    return urlsplit(url).path


def asked(dsn: str, question: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("password", ["", ":wrong"])
def test_postgres_trusts_nobody(environment: Mapping[str, str], password: str) -> None:
    folder = socket_folder(environment["DATABASE_URL"])
    for role in ("live_validation_bootstrap", *(role.name for role in roles.ROLES)):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(f"postgresql://{role}{password}@/postgres?host={folder}")


def test_postgres_asks_for_scram_and_listens_on_no_network(operator: Mapping[str, str]) -> None:
    dsn = operator["admin_dsn"]
    assert asked(dsn, "SELECT DISTINCT auth_method FROM pg_hba_file_rules") == [("scram-sha-256",)]
    assert asked(dsn, "SELECT DISTINCT left(rolpassword, 13) FROM pg_authid WHERE rolcanlogin") == [
        ("SCRAM-SHA-256",)
    ]
    assert asked(dsn, "SHOW listen_addresses") == [("",)]


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit", "data_checksums"])
def test_postgres_keeps_what_it_has_answered(environment: Mapping[str, str], setting: str) -> None:
    assert asked(environment["INGEST_DATABASE_URL"], f"SHOW {setting}") == [("on",)]


def test_the_product_s_roles_have_no_power_over_the_server(operator: Mapping[str, str]) -> None:
    powers = asked(
        operator["admin_dsn"],
        "SELECT rolname, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
        " FROM pg_roles WHERE rolname LIKE 'live_validation_%' AND rolname NOT LIKE '%_bootstrap' ORDER BY 1",
    )
    assert powers == [(name, False) for name in sorted(role.name for role in roles.ROLES)]


@pytest.mark.parametrize(
    ("url", "timeout"), [("INGEST_DATABASE_URL", ("4s", "1s", "5s")), ("DATABASE_URL", ("10s", "5s", "10s"))]
)
def test_no_role_waits_for_ever(environment: Mapping[str, str], url: str, timeout: tuple[str, ...]) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    shown = ", ".join(f"current_setting('{name}')" for name in names)
    assert asked(environment[url], f"SELECT {shown}") == [timeout]


def test_the_stack_s_own_database_is_closed_to_other_roles(operator: Mapping[str, str]) -> None:
    [(access,)] = asked(
        operator["admin_dsn"],
        "SELECT has_database_privilege('pg_monitor', 'live_validation', 'CONNECT')"
        " FROM pg_database WHERE datname = 'live_validation'",
    )
    assert access is False


def test_redis_refuses_who_brings_no_password(environment: Mapping[str, str]) -> None:
    for url in (environment["REDIS_URL"], environment["REDIS_CACHE_URL"]):
        for account in ({}, {"username": "default", "password": ""}, {"password": "wrong"}):
            stranger = Redis(unix_socket_path=redis_socket(url), retry=Retry(NoBackoff(), 0), **account)
            with stranger, pytest.raises(AuthenticationError):
                stranger.ping()


@pytest.mark.parametrize(
    "command",
    [
        "CONFIG GET maxmemory",
        "DEBUG JMAP",
        "SHUTDOWN",
        "MODULE LIST",
        "REPLICAOF NO ONE",
        "KEYS *",
        "FLUSHALL",
        "MONITOR",
        "ACL LIST",
        "SAVE",
        "CLIENT LIST",
        "CLIENT KILL ID 1",
    ],
)
def test_the_product_s_account_cannot_harm_redis(environment: Mapping[str, str], command: str) -> None:
    with Redis.from_url(environment["REDIS_URL"]) as product, pytest.raises(ResponseError):
        product.execute_command(command)


def test_state_is_kept_and_the_cache_may_forget(operator: Mapping[str, str]) -> None:
    with (
        Redis.from_url(operator["redis_operator_url"], decode_responses=True) as state,
        Redis.from_url(operator["cache_operator_url"], decode_responses=True) as cache,
    ):
        assert state.config_get("maxmemory-policy", "appendonly", "save", "appendfsync") == {
            "maxmemory-policy": "noeviction", "appendonly": "yes", "save": "", "appendfsync": "everysec",
        }  # fmt: skip
        assert cache.config_get("maxmemory-policy", "appendonly", "save") == {
            "maxmemory-policy": "allkeys-lru", "appendonly": "no", "save": "",
        }  # fmt: skip
        assert state.config_get("port")["port"] == cache.config_get("port")["port"] == "0"


def test_another_account_of_this_machine_reaches_no_socket(environment: Mapping[str, str]) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT CHECKED: only root can try as another account")
    stranger = pwd.getpwnam("nobody").pw_uid
    folder = socket_folder(environment["DATABASE_URL"])
    sockets = [
        f"{folder}/.s.PGSQL.5432",
        *map(redis_socket, (environment["REDIS_URL"], environment["REDIS_CACHE_URL"])),
    ]
    for path in sockets:
        tried = [sys.executable, "-c", TRIES_TO_CONNECT, path]
        assert subprocess.run(tried, check=False).returncode == 0, f"even we cannot connect to {path}"
        refused = subprocess.run(
            ["/usr/bin/python3", *tried[1:]],
            user=stranger,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "PermissionError" in refused.stderr, path


def test_only_we_can_read_the_secrets(operator: Mapping[str, str]) -> None:
    var = Path(redis_socket(operator["redis_operator_url"])).parent.parent.parent
    assert list(var.glob("secrets/*"))
    for secret in (*var.glob("secrets/*"), *var.glob("run/programs/*"), *var.glob("run/*.acl")):
        assert secret.stat().st_mode & 0o077 == 0 or secret.parent.stat().st_mode & 0o077 == 0, secret
    command_lines = [Path(f"/proc/{pid}/cmdline") for pid in os.listdir("/proc") if pid.isdigit()]
    said = b" ".join(line.read_bytes() for line in command_lines if line.exists())
    for secret in var.glob("secrets/*"):
        assert secret.read_bytes() not in said
