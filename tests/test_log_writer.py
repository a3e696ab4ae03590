"""A log that nobody reads, or that no disk holds, costs lines, which are counted, and no request."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson
import pytest
import requests
from flask import Flask

from app import log_writer
from app.log_writer import LogWriter
from tests.conftest import ROOT, UNHURRIED, eventually, free_port

pytestmark = pytest.mark.timeout(180)

PIPE_BYTES = 65_536


@contextmanager
def gunicorn(environment: Mapping[str, str], folder: Path, output: IO[Any] | int) -> Iterator[str]:
    """A Gunicorn with one worker whose lines go to `output`; its address."""
    port = free_port()
    (folder / "metrics").mkdir()
    given = {**os.environ, **environment, **UNHURRIED, "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")}
    bind = ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--graceful-timeout", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", "gunicorn_config.py", *bind, "wsgi:flask_app"],
        cwd=ROOT, env=given, stdout=output, stderr=output,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: is_up(url), 60)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", headers={"Host": "localhost"}, timeout=2).ok
    except requests.RequestException:
        return False


def ask(url: str, times: int) -> float:
    """Requests that leave a line each, on one connection; the longest one's seconds."""
    longest = 0.0
    with requests.Session() as http:
        http.headers["Host"] = "localhost"
        for _ in range(times):
            began = time.monotonic()
            assert http.post(f"{url}/api/logs/shop", data=b"{}", timeout=5).status_code == 401
            longest = max(longest, time.monotonic() - began)
    return longest


def lost(url: str) -> float:
    text = requests.get(f"{url}/metrics", headers={"Host": "localhost"}, timeout=5).text
    found = re.search(r"^lvd_log_lines_lost_total ([0-9.e+]+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_a_stopped_reader_stops_no_request(
    flask_app: Flask, environment: Mapping[str, str], tmp_path: Path
) -> None:
    written = tmp_path / "log"
    with (
        written.open("wb") as target,
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=target) as reader,
    ):
        assert reader.stdin
        with gunicorn(environment, tmp_path, reader.stdin) as url:
            reader.stdin.close()  # Gunicorn's end remains
            ask(url, 1)
            eventually(lambda: b"request_answered" in written.read_bytes())
            reader.send_signal(signal.SIGSTOP)
            try:
                assert ask(url, log_writer.MOST_WAITING + 1000) < 5
                eventually(lambda: lost(url) > 0)
                assert is_up(url)
            finally:
                reader.send_signal(signal.SIGCONT)
            before = written.stat().st_size
            eventually(
                lambda: written.stat().st_size > before + PIPE_BYTES
            )  # what waited is written after all
            ask(url, 1)
    lines = [orjson.loads(line) for line in written.read_bytes().splitlines()]
    assert all({"at", "level", "event", "request_id"} <= line.keys() for line in lines), lines[:3]
    assert any(line["event"].startswith("Booting worker") for line in lines)
    assert len([line for line in lines if line["event"] == "request_answered"]) > log_writer.MOST_WAITING


def test_a_full_disk_stops_no_request(
    flask_app: Flask, environment: Mapping[str, str], tmp_path: Path
) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, gunicorn(environment, tmp_path, full) as url:
        ask(url, 50)
        eventually(lambda: ask(url, 1) < 5 and lost(url) >= 50)


def test_lines_are_whole_and_in_order_and_the_last_are_written(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as target:
        writer = LogWriter(target.fileno())
        for n in range(1000):
            writer.write(f"{n} {'x' * (n % 7000)}\n")
        writer.finish()
    assert [int(line.split()[0]) for line in (tmp_path / "log").read_text().splitlines()] == list(range(1000))


def test_a_forked_child_writes_its_own_lines_and_no_others(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as target:
        writer = LogWriter(target.fileno())
        writer.write("parent\n")
        child = os.fork()
        if not child:
            writer.write("child\n")
            writer.finish()
            os._exit(0)
        os.waitpid(child, 0)
        writer.finish()
    assert sorted((tmp_path / "log").read_text().split()) == ["child", "parent"]
