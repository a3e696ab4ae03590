"""Real servers win: where their URLs are set, the embedded ones are not started, and nobody connects as superuser."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import requests

from local import servers
from tests.conftest import ROOT, eventually, free_port, with_database
from tests.local.conftest import START_SECONDS

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

DATABASE = "elsewhere"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[servers.Servers]:
    """Servers of this test's own: the stack will set its roles' passwords on them."""
    with servers.start(tmp_path / "elsewhere") as started:
        yield started


def test_the_stack_runs_on_servers_that_are_there_already(tmp_path: Path, elsewhere: servers.Servers) -> None:
    given = elsewhere.environment
    admin = psycopg2.connect(elsewhere.admin_dsn)
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE}")
    var, port = tmp_path / "var", free_port()
    stack = subprocess.Popen(
        [sys.executable, "-m", "local", "run"],
        cwd=ROOT,
        env={
            **os.environ,
            "VAR": str(var),
            "PORT": str(port),
            "DATABASE_URL": with_database(elsewhere.admin_dsn, DATABASE),
            "REDIS_URL": elsewhere.redis_operator_url,
            "REDIS_CACHE_URL": given["REDIS_CACHE_URL"],
            "MAIL_URL": given["MAIL_URL"],
        },
    )
    try:
        eventually(lambda: (var / "stack.json").exists() or stack.poll() is not None, START_SECONDS)
        assert stack.poll() is None
        roles = {process["role"] for process in json.loads((var / "stack.json").read_text())["processes"]}
        assert roles == {"nginx", "gunicorn", "worker"}
        answer = requests.get(f"http://localhost:{port}/ready", timeout=10)
        assert answer.json() == {"status": "ok", "parts": []}
        with admin.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT usename, usesuper FROM pg_stat_activity JOIN pg_user USING (usename)"
                " WHERE datname = %s",
                [DATABASE],
            )
            connected = dict(cursor.fetchall())
        assert connected.get("live_validation_app") is False
        assert not any(connected.values()), "a superuser is connected"
    finally:
        stack.terminate()
        stack.wait(timeout=30)
        admin.close()
