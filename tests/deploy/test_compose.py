"""Each service of compose.yaml by its own command and health check, on this machine instead of in containers.

What differs is said here: where files lie, which ports are free, where PostgreSQL and Redis are.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
import requests
import yaml
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from local import edge, valkey
from tests.conftest import ROOT, eventually, free_port, with_database
from tests.deploy.test_files import COMPOSE

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
DATABASE = "composed"
HOST = "events.example.com"
MAKER = ROOT / "deploy" / "compose" / "make-secrets.sh"
PROGRAMS = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of secrets as the script makes it."""
    folder = tmp_path_factory.mktemp("compose")
    shutil.copy(MAKER, folder)
    subprocess.run([str(folder / MAKER.name)], check=True, capture_output=True)
    return folder / "secrets"


@pytest.fixture(scope="module")
def secrets(made: Path, operator: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same files, telling of this machine's servers."""
    folder = tmp_path_factory.mktemp("secrets")
    given = operator["environment"]
    told = {
        "admin_database_url": operator["admin_dsn"],
        **{
            f"{name}_url": with_database(given[f"{name.upper()}_URL"], DATABASE)
            for name in ("database", "ingest_database", "migrate_database")
        },
        "redis_url": given["REDIS_URL"],
        "redis-cache_url": given["REDIS_CACHE_URL"],
        "mail_url": given["MAIL_URL"],
        "secret_key": (made / "secret_key").read_text(),
        "encryption_keys": (made / "encryption_keys").read_text(),
    }
    for name, content in told.items():
        (folder / name).write_text(f"{content}\n")
    return folder


@pytest.fixture(scope="module")
def prepared(secrets: Path) -> Path:
    """`prepare` has run, twice: it may be repeated. The database goes with the tests' server."""
    for _ in range(2):
        done = subprocess.run(
            SERVICES["prepare"]["command"],
            cwd=ROOT,
            env=environment("prepare", secrets),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"The database {DATABASE} and its roles are ready." in done.stdout
    return secrets


def environment(service: str, secrets: Path) -> dict[str, str]:
    """The service's own, with its secrets where they are here; `${NAME:-default}` is the default."""
    own = {
        name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value).replace("/run/secrets", str(secrets))
        for name, value in SERVICES[service]["environment"].items()
    }
    granted = {Path(value).name for name, value in own.items() if name.endswith("_FILE")}
    assert granted <= set(SERVICES[service]["secrets"]), "reads a secret that it is not given"
    return {"PATH": PROGRAMS, **own, "PUBLIC_URL": f"https://{HOST}", "TRUSTED_PROXIES": "127.0.0.1"}


class Service:
    """A running service; ends with the test."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT
            )

    def says(self, words: str) -> None:
        eventually(lambda: words in self.log.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    running: list[Service] = []

    def one(name: str, command: Sequence[str], env: Mapping[str, str]) -> Service:
        running.append(Service(command, env, tmp_path / f"{name}.log"))
        return running[-1]

    yield one
    for service in reversed(running):
        service.end()


def is_healthy(service: str, port: int) -> bool:
    """The service's own health check, asked of `port` with a Host that the product knows."""
    _, *check = [word.replace("8000", str(port)) for word in SERVICES[service]["healthcheck"]["test"]]
    return subprocess.run(check, env={"PATH": PROGRAMS}, capture_output=True, check=False).returncode == 0


def test_secrets_are_made_once_and_are_nobody_else_s(made: Path) -> None:
    before = {path.name: path.read_text() for path in made.iterdir()}
    declared = set(yaml.safe_load(COMPOSE.read_text())["secrets"])
    assert set(before) == declared - {"mail_url"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in [made, *made.iterdir()])
    subprocess.run([str(made.parent / MAKER.name)], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in made.iterdir()} == before
    passwords = [urlsplit(text.strip()).password for name, text in before.items() if name.endswith("_url")]
    assert len(set(passwords)) == len(passwords) == 6
    assert all(password and len(password) == 64 for password in passwords)


@pytest.mark.parametrize("name", ["redis", "redis-cache"])
def test_redis_takes_its_command_and_lets_in_whom_its_secret_names(
    name: str, made: Path, tmp_path: Path, start: Any
) -> None:
    port = free_port()
    here = {
        "redis-server": valkey._binary(),
        "/etc/redis/redis.conf": str(ROOT / f"{name}.conf"),
        "6379": str(port),
        "/data": str(tmp_path),
        "/tmp": str(tmp_path),  # noqa: S108
        f"/run/secrets/{name}.acl": str(made / f"{name}.acl"),
    }
    command = SERVICES[name]["command"]
    start(name, [here.get(word, word) for word in command], {"PATH": PROGRAMS})
    url = urlsplit((made / f"{name}_url").read_text().strip())
    assert (url.hostname, url.port) == (name, 6379)
    here_url = urlunsplit(url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{port}"))
    client = Redis.from_url(here_url, retry=None)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except RedisConnectionError:
            return False

    eventually(answers)
    client.close()


def test_web_and_edge_answer_as_behind_a_balancer_with_tls(
    prepared: Path, tmp_path: Path, start: Any
) -> None:
    port, outside = free_port(), free_port()
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    env = environment("web-1", prepared) | {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    env["TRUSTED_HOSTS"] = "127.0.0.1"  # whom the health check asks for
    command = [word.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for word in SERVICES["web-1"]["command"]]
    start("web", command, env)
    eventually(lambda: is_healthy("web-1", port))

    start("edge", edge_command(tmp_path / "edge", port, outside), {"PATH": PROGRAMS})
    url = f"http://127.0.0.1:{outside}"
    balanced = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}

    def is_up() -> bool:
        try:
            return requests.get(f"{url}/ready", headers=balanced, timeout=5).ok
        except requests.ConnectionError:
            return False

    eventually(is_up)
    page = requests.get(f"{url}/auth/csrf", headers=balanced, timeout=10)
    assert "Strict-Transport-Security" in page.headers
    cookies = "; ".join(part.partition(";")[0] for part in page.headers["Set-Cookie"].split(", __Host"))
    wrong = {"email": "nobody@example.com", "password": "not a password of anybody"}
    said = requests.post(
        f"{url}/auth/login",
        json=wrong,
        headers=balanced
        | {"Origin": f"https://{HOST}", "X-CSRF-Token": page.json()["csrf_token"], "Cookie": cookies},
        timeout=10,
    )
    assert (said.status_code, said.json()["code"]) == (401, "bad_credentials")
    static = requests.get(f"{url}/static/build/manifest.json", headers=balanced, timeout=5)
    assert static.headers["Cache-Control"].endswith("immutable")
    assert requests.get(f"{url}/metrics", headers=balanced, timeout=5).status_code == 404
    assert requests.get(url, headers={"Host": "evil.example"}, timeout=5).json()["code"] == "unknown_host"


def edge_command(folder: Path, port: int, outside: int) -> list[str]:
    """The edge image as the Dockerfile fills it, in a folder."""
    folder.mkdir()
    for part in [*ROOT.glob("nginx/*.conf"), ROOT / "deploy/docker/nginx.conf"]:
        content = re.sub(r"(?<= )/tmp/", f"{folder}/", part.read_text())
        content = content.replace("/srv/live-validation/app", str(ROOT / "app"))
        content = content.replace("listen 8080", f"listen 127.0.0.1:{outside}")
        if os.geteuid() == 0:  # the checkout may lie below a home that only root can enter
            content = content.replace("worker_processes auto;", "worker_processes 1; user root root;")
        (folder / part.name).write_text(content)
    (folder / "instances.conf").write_text(f"server 127.0.0.1:{port} max_fails=0;\n")
    program, flag, _, *rest = SERVICES["edge"]["command"]
    assert program == "nginx"
    return [edge._binary(), "-e", "stderr", flag, str(folder / "nginx.conf"), *rest]


def test_a_worker_starts_and_does_a_job(prepared: Path, tmp_path: Path, start: Any) -> None:
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    env = environment("worker", prepared) | {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    start("worker", SERVICES["worker"]["command"], env).says("worker_started")
    database = psycopg2.connect((prepared / "migrate_database_url").read_text().strip())
    database.autocommit = True

    def done() -> bool:
        with database.cursor() as cursor:
            cursor.execute("SELECT count(*) > 0 FROM outbox WHERE state = 'done'")
            return bool(cursor.fetchone()[0])  # type: ignore[index]

    eventually(done)
    database.close()


def test_the_whole_is_the_production_shape() -> None:
    """Compose runs what `make run` runs, but the mailbox, which is a developer's."""
    roles = {"postgres", "redis", "redis-cache", "gunicorn", "worker", "nginx", "mailbox"}
    of_service = {"web-1": "gunicorn", "web-2": "gunicorn", "edge": "nginx"}
    ours = {of_service.get(name, name) for name in SERVICES} - {"prepare", "prometheus"}
    assert ours == roles - {"mailbox"}
