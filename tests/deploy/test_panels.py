"""A real Prometheus scrapes a real stack as deploy/prometheus says, and answers what every Grafana panel asks."""

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import yaml

from app.config import RELEASE
from loadtests import stacks
from local import promtool
from local.demo import Client
from tests.blackbox.test_live import Tenant
from tests.conftest import ROOT, Stack, eventually, free_port
from tests.deploy.test_prometheus import PANELS, PROMETHEUS

SCRAPE = "1s"


@pytest.fixture(scope="module")
def targets(stack: Stack) -> list[str]:
    """Where each process group of the stack tells its metrics."""
    running = stacks.Stack(Path(stack.var))
    worker = running.pids("worker")[-1]  # one that is being replaced stands before its successor
    gunicorns = [url.partition("//")[2] for url in running.gunicorn_urls()]
    return [*gunicorns, psutil.Process(worker).environ()["WORKER_METRICS"]]


@pytest.fixture(scope="module")
def prometheus(targets: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address. The repository's configuration, but for the addresses and how often it asks."""
    program = promtool.found("prometheus")
    if program is None:
        assert os.environ.get("CI") != "true", "CI has no Prometheus"
        pytest.skip("NO PROMETHEUS: run `make test` once with network")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    told = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    (job,) = told["scrape_configs"]
    assert len(job["static_configs"][0]["targets"]) == len(targets)
    job["static_configs"][0]["targets"] = targets
    told["global"] = {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE}
    told["rule_files"] = [str(PROMETHEUS / name) for name in told["rule_files"]]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(told))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(prometheus: str, query: str) -> list[dict[str, Any]]:
    """The series that answer; none while it starts."""
    try:
        answer = requests.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=5)
        answer.raise_for_status()
    except requests.RequestException:
        return []
    return answer.json()["data"]["result"]


@pytest.fixture(scope="module")
def busy(stack: Stack, prometheus: str) -> str:
    """Something happened, between two scrapes, of all that panels ask for."""
    eventually(lambda: len(ask(prometheus, "up == 1")) == 3)
    tenant = Tenant(stack)
    client = Client(stack.url, stack.mailbox_url)
    client.register(f"panels-{uuid.uuid4().hex[:8]}@example.com", uuid.uuid4().hex)
    for _ in range(3):
        tenant.send(uuid.uuid4().hex)
        requests.post(f"{stack.url}/api/logs/live", data=b"broken", headers=tenant.sending, timeout=10)
        requests.get(f"{stack.url}/api/apps/live/summary", headers=tenant.reading, timeout=10)
        time.sleep(1.1)  # the time between two scrapes is what makes a rate
    return prometheus


def test_every_target_is_scraped(prometheus: str, targets: list[str]) -> None:
    def all_up() -> bool:
        return {series["metric"]["instance"] for series in ask(prometheus, "up == 1")} == set(targets)

    eventually(all_up)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_s_question_is_answered(busy: str, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        eventually(lambda query=target["expr"]: ask(busy, query))


def test_the_rules_are_evaluated(busy: str) -> None:
    groups = requests.get(f"{busy}/api/v1/rules", timeout=5).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert rules
    eventually(
        lambda: all(
            rule["health"] == "ok"
            for group in requests.get(f"{busy}/api/v1/rules", timeout=5).json()["data"]["groups"]
            for rule in group["rules"]
        )
    )


def test_the_counts_are_those_of_the_stack(busy: str, stack: Stack) -> None:
    """What one instance counted is told by it alone, so that the sum over the targets is the truth."""
    before = sum(float(s["value"][1]) for s in ask(busy, "sum(lvd_verdicts_total)"))
    tenant = Tenant(stack)
    for _ in range(5):
        tenant.send(*(uuid.uuid4().hex for _ in range(7)))
    eventually(lambda: sum(float(s["value"][1]) for s in ask(busy, "sum(lvd_verdicts_total)")) == before + 35)


def test_the_release_is_the_project_s() -> None:
    assert f'version = "{RELEASE}"' in (ROOT / "pyproject.toml").read_text()
