"""Whatever the API's document allows, and much that it does not, asked of a running stack: nothing is our mistake."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.blackbox.test_live import Tenant
from tests.conftest import Stack

SEED = "20261125"
SECONDS = 15
# A program of its own: it does not bear greenlets in place of its threads.
SCHEMATHESIS = (sys.executable, "-m", "schemathesis.cli", "run")
OPTIONS = (
    *("--phases", "examples,coverage,fuzzing", "--checks", "not_a_server_error"),
    *("--seed", SEED, "--max-time", str(SECONDS), "--workers", "1", "--request-timeout", "10"),
    *("--max-examples", "30", "--no-shrink", "--continue-on-failure", "--generation-database", "none"),
    *("--generation-with-security-parameters", "false", "--warnings", "off", "--no-color"),
)
KEEP_OUT = (
    *("--exclude-name", "DELETE /api/keys/{key_id}"),  # it might revoke the key that asks
    *("--exclude-name", "POST /api/logs/{app_id}/batches"),  # lines are nothing that it can make
)
# Ingest first: what is asked of the rest may disable the app.
PARTS = {
    "ingest": ("--include-path-regex", "^/api/logs"),
    "the rest": ("--exclude-path-regex", "^/api/logs|/live$"),  # a stream does not end
}


@pytest.fixture(scope="module")
def tenant(stack: Stack) -> Tenant:
    return Tenant(stack)


@pytest.mark.parametrize("part", PARTS)
def test_no_request_is_answered_with_a_mistake_of_ours(tenant: Tenant, tmp_path: Path, part: str) -> None:
    key = tenant.sending if part == "ingest" else tenant.managing
    header = f"Authorization: {key['Authorization']}"
    done = subprocess.run(
        [*SCHEMATHESIS, f"{tenant.url}/openapi.json", *OPTIONS, *KEEP_OUT, *PARTS[part], "-H", header],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout[:9000] + done.stderr[-2000:]
    assert "Test cases:" in done.stdout, done.stdout[-3000:]
    assert requests.get(f"{tenant.url}/api/keys", headers=tenant.managing, timeout=10).status_code == 200
