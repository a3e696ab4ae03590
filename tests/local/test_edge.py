"""nginx and Gunicorn agree with each other, and nginx answers well where the product cannot."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from local import edge
from local.places import Places
from tests.conftest import ROOT, Stack, eventually, free_port

NUMBERS = ("keepalive", "graceful_timeout", "timeout", "max_requests")


@pytest.fixture(scope="module")
def gunicorn() -> dict[str, float]:
    """gunicorn_config.py's numbers, read in a process of its own: reading it patches everything."""
    script = (
        "import json, runpy; read = runpy.run_path('gunicorn_config.py');"
        f"print(json.dumps({{name: read[name] for name in {NUMBERS}}}))"
    )
    return json.loads(
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    )


def seconds(file: str, directive: str) -> float:
    found = re.search(rf"^\s*{directive}\s+(\d+)s", (ROOT / "nginx" / file).read_text(), re.MULTILINE)
    assert found, f"{directive} is not in nginx/{file}"
    return float(found[1])


def test_nginx_lets_go_of_an_idle_connection_first(gunicorn: dict[str, float]) -> None:
    assert (
        seconds("upstream.conf", "keepalive_timeout") < gunicorn["keepalive"] < gunicorn["graceful_timeout"]
    )


def test_the_product_gives_up_before_nginx_does() -> None:
    assert seconds("http.conf", "proxy_read_timeout") > 10  # its longest deadline, see app/config.py


def test_healthy_workers_are_not_restarted(gunicorn: dict[str, float]) -> None:
    assert gunicorn["max_requests"] == 0


def test_a_worker_does_not_look_through_what_stays_for_ever() -> None:
    """What is imported is frozen out of the garbage collection, and batches in flight do not set it off."""
    script = (
        "import gc, types, gunicorn_config as config;"
        "config.post_worker_init(types.SimpleNamespace(wsgi=None, alive=True));"
        "print(gc.get_freeze_count() > 10_000, gc.get_threshold()[0] >= 10_000)"
    )
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    assert said.split() == [b"True", b"True"]


def test_only_ingest_is_repeated_on_another_instance() -> None:
    site = re.sub(r"#.*", "", (ROOT / "nginx" / "site.conf").read_text())
    locations = re.findall(r"location ([^{]+)\{([^}]*)\}", site)
    repeated = [where.strip() for where, body in locations if "non_idempotent" in body]
    assert repeated == ["~ ^/api/logs(/[^/]+(/validate)?)?/?$"]


def test_the_configuration_is_one_that_nginx_takes(tmp_path: Path) -> None:
    program = edge.program(
        Places.prepare(tmp_path / "a folder's var"), 8080, [8000, 8001], ["localhost", "[::1]"]
    )
    tried = subprocess.run([*program.argv, "-t", "-q"], capture_output=True, text=True, check=False)
    assert (tried.returncode, tried.stderr) == (0, "")


@pytest.mark.parametrize(("scheme", "expected"), [("https", "max-age=31536000"), ("http", None)])
def test_nginx_s_own_errors_tell_browsers_to_stay_with_tls_where_people_use_it(
    tmp_path: Path, scheme: str, expected: str | None
) -> None:
    """Also where a balancer speaks TLS and hands on plain http, as here. No instance answers, so nginx does."""
    port = free_port()
    places = Places.prepare(tmp_path / "var")
    program = edge.program(places, port, [free_port()], ["localhost"], scheme)
    nginx = subprocess.Popen(program.argv, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: is_open(port))
        for path, status in (("/", 503), ("/api/apps", 503), ("/metrics", 404), ("/static/none.css", 404)):
            answer = requests.get(f"http://localhost:{port}{path}", timeout=5)
            assert answer.status_code == status
            assert answer.headers.get("Strict-Transport-Security") == expected, path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "same-origin"
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    finally:
        nginx.terminate()
        nginx.wait(timeout=10)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("path", ["nginx/nginx.conf", "deploy/docker/nginx.conf"])
def test_production_is_https(path: str) -> None:
    main = (ROOT / path).read_text()
    assert re.search(r"map \$host \$public_scheme \{\s*default https;", main)


# --- Through a running stack -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/metrics", "//metrics", "/%6detrics", "/static/../metrics", "/metrics?x=1"]
)
def test_metrics_are_not_for_the_outside(stack: Stack, path: str) -> None:
    said = raw(stack, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert said.startswith("HTTP/1.1 404 ")
    assert "lvd_" not in said


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_the_loopback_s_names_are_ours(stack: Stack, host: str) -> None:
    assert requests.get(f"{stack.url}/health", headers={"Host": host}, timeout=5).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "request_head", ["GET /health HTTP/1.1\r\nHost: evil.example", "GET /health HTTP/1.0"]
)
def test_a_stranger_s_host_gets_no_answer(stack: Stack, request_head: str) -> None:
    assert raw(stack, f"{request_head}\r\n\r\n") == ""


def test_too_much_is_said_in_json_to_programs_and_in_html_to_people(stack: Stack) -> None:
    body = b"0" * 7_000_000
    answer = requests.post(f"{stack.url}/api/logs/shop", data=body, timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])
    page = requests.post(f"{stack.url}/auth/login", data=body, timeout=20)
    assert (page.status_code, page.headers["Content-Type"]) == (413, "text/html")


def test_files_of_the_build_are_kept_for_ever_and_others_asked_again(stack: Stack) -> None:
    built = requests.get(f"{stack.url}/static/build/manifest.json", timeout=5)
    assert built.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    source = requests.get(f"{stack.url}/static/src/favicon.svg", timeout=5)
    assert source.headers["Cache-Control"] == "public, max-age=300, must-revalidate"
    again = requests.get(source.url, headers={"If-None-Match": source.headers["ETag"]}, timeout=5)
    assert again.status_code == 304


def test_no_version_is_told(stack: Stack) -> None:
    assert requests.get(f"{stack.url}/health", timeout=5).headers["Server"] == "nginx"


def raw(stack: Stack, request: str) -> str:
    """The answer to exactly these bytes; empty where the connection is just closed."""
    port = int(stack.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.encode())
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except ConnectionResetError:
            pass
    return received.decode()
