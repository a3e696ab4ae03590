"""The alerts and the dashboard ask for metrics that exist, and promtool agrees with the rules."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from app import metrics
from local import promtool

ROOT = Path(__file__).parent.parent.parent
PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTS = (PROMETHEUS / "alerts.yml").read_text()
PANELS = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())["panels"]
NAMES = re.findall(r"- alert: (\w+)", ALERTS)
DECLARED = {metric.name for metric in metrics.declared()}


def unknown(query: str) -> set[str]:
    asked = set(re.findall(r"\blvd_\w+", query))
    assert asked, "asks for no metric of ours"
    return {name for name in asked if not {name, re.sub(r"_(bucket|count|sum)$", "", name)} & DECLARED}


def test_alerts_ask_for_declared_metrics() -> None:
    assert unknown(ALERTS) == set()


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_for_declared_metrics(panel: dict) -> None:  # type: ignore[type-arg]
    for target in panel["targets"]:
        assert unknown(target["expr"]) == set()


def test_every_alert_has_its_place_in_the_runbook_and_no_place_is_left_over() -> None:
    runbook = (ROOT / "docs" / "operations" / "runbook.md").read_text()
    assert re.findall(r"^## (\w+)$", runbook, re.M) == NAMES
    assert re.findall(r"runbook_url: \S+#(\w+)", ALERTS) == [name.lower() for name in NAMES]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    program = promtool.found()
    if program is None:
        assert os.environ.get("CI") != "true", "CI has no promtool"
        pytest.skip("NO PROMTOOL: run `make test` once with network")
    done = subprocess.run([program, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
