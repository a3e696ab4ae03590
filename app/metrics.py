"""Every metric, with its meaning. The only file that talks to the metrics library.

Labels are closed sets (routes, reasons, verdicts): an event's name or an address never is one, and of organisations
only the first ORGANISATIONS that a process sees.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import REGISTRY

REQUESTS = Counter("lvd_requests", "Answered requests.", ["route", "method", "status"])
REQUEST_SECONDS = Histogram(
    "lvd_request_seconds",
    "Time from the first line of a request to its answer.",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REFUSALS = Counter("lvd_refusals", "Refused requests and rejected events, by reason code.", ["reason"])
EVENTS = Counter("lvd_events", "Events that were answered, by status.", ["status"])
VERDICTS = Counter("lvd_verdicts", "Kept events, by verdict.", ["verdict"])
VIOLATIONS = Counter("lvd_violations", "Violations in kept events, by kind.", ["kind"])
COMMIT_ROWS = Histogram(
    "lvd_commit_rows", "Events that shared one commit.", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
)
COMMIT_SECONDS = Histogram(
    "lvd_commit_seconds",
    "Time of one group commit in PostgreSQL.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
COMMIT_WAIT_SECONDS = Histogram(
    "lvd_commit_wait_seconds",
    "How long the first event of a group commit had waited when the commit began.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
COMMIT_RETRIES = Counter("lvd_commit_retries", "Group commits repeated after a passing fault.")
BUFFER_ROWS = Gauge("lvd_buffer_rows", "Events waiting for a commit.", multiprocess_mode="livesum")
ANNOUNCEMENTS = Counter("lvd_announcements", "Bells rung after a commit.", ["outcome"])
VIEWERS = Gauge("lvd_viewers", "Open live streams.", multiprocess_mode="livesum")
SCREEN_SECONDS = Histogram(
    "lvd_screen_seconds",
    "Time from an event's receipt to the frame that painted it, as measured by the browsers that looked on.",
    buckets=(0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60),
)
JOBS = Counter("lvd_jobs", "Finished jobs, by queue and outcome.", ["queue", "outcome"])
# Each machine's sweeper asks the one database, so the newest answer is the right one.
QUEUE_DUE = Gauge(
    "lvd_queue_due", "Jobs that are due and not done, by queue.", ["queue"], multiprocess_mode="mostrecent"
)
QUEUE_AGE = Gauge(
    "lvd_queue_age_seconds",
    "For how long the oldest due job of a queue has been due.",
    ["queue"],
    multiprocess_mode="mostrecent",
)
JOB_SECONDS = Histogram(
    "lvd_job_seconds",
    "Time that one try of a job took, by queue.",
    ["queue"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800),
)
MAIL_SECONDS = Histogram(
    "lvd_mail_seconds",
    "Time from the change that caused a mail until the mail server had it.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 1800),
)
WAKE_UPS = Counter("lvd_wake_ups", "Wake-ups sent to the queues after a commit.", ["outcome"])
KEY_LOOKUPS = Counter("lvd_key_lookups", "Write keys looked up, by where they were found.", ["found"])
LIMITED = Counter("lvd_limited", "Requests refused by a limit, by whose limit it was.", ["scope"])
LOCAL_LIMITS = Counter(
    "lvd_local_limits", "Requests to pages and API that were counted in one process, Redis being away."
)
CACHE = Counter("lvd_cache", "Questions that memory may answer, by what was asked for.", ["kind", "outcome"])
PLAN_ENFORCED_SECONDS = Histogram(
    "lvd_plan_enforced_seconds",
    "Time from the publication of a plan's version until a process judges by it.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5),
)
PLAN_BELLS = Counter("lvd_plan_bells", "Publications of plans told to all processes.", ["outcome"])
CSP_REPORTS = Counter(
    "lvd_csp_reports", "Violations of the content security policy that browsers reported.", ["directive"]
)
LEASES = Counter("lvd_leases", "Slices of senders' limits asked of Redis, by outcome.", ["outcome"])
POOL_IN_USE = Gauge(
    "lvd_pool_in_use",
    "Connections to PostgreSQL that requests and jobs hold now, by pool.",
    ["pool"],
    multiprocess_mode="livesum",
)
REDIS_CALLS = Counter("lvd_redis_calls", "Commands and pipelines sent to Redis, by outcome.", ["outcome"])
ORGANISATION_EVENTS = Counter(
    "lvd_organisation_events",
    "Events taken, by organisation; `other` beyond the first hundred.",
    ["organisation"],
)
LOG_LINES_LOST = Counter(
    "lvd_log_lines_lost", "Log lines that nobody read or no disk could hold; the requests went on."
)
BUILD = Gauge("lvd_build_info", "1 for the release that runs.", ["release"], multiprocess_mode="mostrecent")

ORGANISATIONS = 100
_organisations: set[int] = set()
_children: dict[tuple[object, ...], Any] = {}


def child(metric: Counter | Histogram, *labels: str) -> Any:
    """`metric.labels(…)` from memory. For what every request counts: the library makes a lock and texts each time."""
    key = (metric, *labels)
    found = _children.get(key)
    if found is None:
        found = _children[key] = metric.labels(*labels)
    return found


def count(metric: Counter, found: Mapping[Any, int]) -> None:
    """Add so many to each label (a text)."""
    for label, number in found.items():
        child(metric, label).inc(number)


def organisation(organisation_id: int) -> str:
    """The label of an organisation: its id, or `other` once there are too many."""
    if organisation_id not in _organisations:
        if len(_organisations) >= ORGANISATIONS:
            return "other"
        _organisations.add(organisation_id)
    return str(organisation_id)


def serve(address: str, directory: str) -> None:
    """Answer whoever asks `host:port` for the metrics, in a thread of its own. Raises OSError."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=directory)
    host, _, port = address.rpartition(":")
    start_http_server(int(port), host.strip("[]"), registry)


def begin(directory: str) -> None:
    """Forget what processes of an earlier life counted; the counters of this one stay."""
    for leftover in Path(directory).glob("*.db"):
        if not leftover.stem.endswith(f"_{os.getpid()}"):
            leftover.unlink(missing_ok=True)


def ended(pid: int, directory: str) -> None:
    """A process has ended: what it had open or waiting is no more; what it counted stays."""
    if directory:
        mark_process_dead(pid, directory)


def text(directory: str) -> tuple[bytes, str]:
    """All metrics in Prometheus' text format, and its content type.

    directory: where the processes of this machine keep their counters; empty: this process alone.
    """
    if not directory:
        return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=directory)
    return generate_latest(registry), CONTENT_TYPE_LATEST


class Declared(NamedTuple):
    """A metric as the docs show it."""

    name: str
    labels: tuple[str, ...]
    meaning: str


def declared() -> list[Declared]:
    """Every metric of this file, in its order."""
    kinds = (Counter, Gauge, Histogram)
    found = [m for m in globals().values() if isinstance(m, kinds)]
    return [
        Declared(f"{m._name}_total" if isinstance(m, Counter) else m._name, m._labelnames, m._documentation)
        for m in found
    ]
