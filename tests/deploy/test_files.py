"""The files of deploy/ by their own linters, and what no linter knows: no default password, nobody is root."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
MANIFESTS = DEPLOY / "kubernetes" / "live-validation.yaml"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
NEVER_RUN_AS_A_WHOLE = [DEPLOY / "docker" / "Dockerfile", COMPOSE, MANIFESTS]
LINTERS = {
    "yamllint": ("yamllint", "--strict", "-c", "deploy/yamllint.yml", "deploy", ".github"),
    "hadolint": ("hadolint", "deploy/docker/Dockerfile"),
    "kubernetes": ("kubernetes-validate", "--strict", str(MANIFESTS)),
    "compose": ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)),
    "workflow": (
        "check-jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        ".github/workflows/check.yml",
    ),
}


def pods() -> dict[str, dict[str, Any]]:
    """Pod specs by the name of what makes them."""
    documents = [d for d in yaml.safe_load_all(MANIFESTS.read_text()) if d]
    return {
        d["metadata"]["name"]: d["spec"]["template"]["spec"]
        for d in documents
        if "template" in d.get("spec", {})
    }


@pytest.mark.parametrize("linter", LINTERS)
def test_a_linter_finds_nothing(linter: str) -> None:
    program, *arguments = LINTERS[linter]
    done = subprocess.run(
        [Path(sys.executable).parent / program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    """Verified with a command that is there, since the product's is installed elsewhere."""
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("NO SYSTEMD HERE: `apt-get install systemd` brings systemd-analyze")
    tried = tmp_path / unit.name
    tried.write_text(re.sub(r"/srv/live-validation/\.venv/bin/\w+", "/bin/true", unit.read_text()))
    done = subprocess.run([verify, "verify", str(tried)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", NEVER_RUN_AS_A_WHOLE, ids=lambda path: path.name)
def test_a_file_that_was_never_run_as_a_whole_says_so_first(path: Path) -> None:
    assert "never" in path.read_text().splitlines()[0] + path.read_text().splitlines()[1]


def test_no_file_holds_a_password() -> None:
    """URLs with one, and variables that would set one, appear only as names of files."""
    for path in [*NEVER_RUN_AS_A_WHOLE, *UNITS]:
        for line in path.read_text().splitlines():
            if not line.startswith("#"):
                assert not re.search(r"://[^\s/$]+:[^\s/@]+@", line), (path.name, line)
                assert not re.search(
                    r"(PASSWORD|SECRET_KEY|_URL): (?!https://events\.example|\$\{PUBLIC)", line
                ), line


def test_every_container_of_a_pod_is_nobody_and_writes_nowhere() -> None:
    assert set(pods()) == {"web", "worker", "prepare"}
    for pod in pods().values():
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_every_service_of_ours_is_read_only_and_powerless() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    for name in ("prepare", "web-1", "web-2", "worker", "edge", "redis", "redis-cache"):
        assert services[name]["read_only"], name
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
    assert [name for name, service in services.items() if "ports" in service] == ["edge"]


def test_a_dockerfile_s_last_word_is_not_root() -> None:
    stages = (DEPLOY / "docker" / "Dockerfile").read_text().split("\nFROM ")[1:]
    users = {
        stage.split()[2]: re.findall(r"^USER (\d+)$", stage, re.MULTILINE)
        for stage in stages
        if " AS " in stage
    }
    assert (users["product"], users["edge"]) == (["10001"], ["101"])
