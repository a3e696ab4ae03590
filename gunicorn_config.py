"""Gunicorn for production and `make run`: cooperative workers that stop in order.

Reads no environment and imports none of ours. Addresses and numbers of workers stand on the command line:
`gunicorn -c gunicorn_config.py --bind … wsgi:flask_app`.
"""

from gevent import monkey

# First of all, before anything imports `socket`, `ssl` or `time.sleep` and keeps the blocking one. In the
# master too: workers are forked from it.
monkey.patch_all()

import contextlib  # noqa: E402
import faulthandler  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import re  # noqa: E402
import select  # noqa: E402
import sys  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from gevent.util import print_run_info  # noqa: E402
from gunicorn import glogging, util  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead  # noqa: E402

worker_class = "gevent"
# Greenlets of one worker: viewers of live pages hold one each, and senders wait in one for their commit.
worker_connections = 2000
# The compiled parser (+15–25 % requests/s); refuse to start without it instead of being slower unnoticed.
http_parser = "fast"
# Each worker imports the product for itself, after the fork: nothing (engine, pool, thread) is shared by
# accident.
preload_app = False

# Longer than nginx keeps an idle connection (10 s), so that never Gunicorn closes one that nginx is about to
# use.
keepalive = 20
# Longer than `keepalive`: an idle connection is over before the worker is cut off. `make run` shortens it.
graceful_timeout = 40
# Only the heartbeat of the event loop: a loop that is blocked for so long hangs for every request in it.
timeout = 30
# Restarting healthy workers costs requests, hides leaks and orphans metrics files; watch their memory
# instead.
max_requests = 0

# The heartbeat is a file; on a disk that stalls, healthy workers would be killed. None: Gunicorn's own
# default.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 (Gunicorn makes an unlinked file there)
# One path per account: a second instance would fight over it, and nobody needs a remote control.
control_socket_disable = True

# nginx on this machine is the only one whose X-Forwarded-* are believed.
forwarded_allow_ips = "127.0.0.1,::1"
# Nobody sets WSGI variables by a header: the product stands at the root, and says so by no header.
forwarder_headers = ""
# What nginx lets through (http.conf) and not more.
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# The product writes one line per request itself; Gunicorn's own messages go to stderr, and a worker's where the
# product's go, once it is loaded (app/logs.py).
accesslog = None
errorlog = "-"
loglevel = "info"


class Lines(logging.Formatter):
    """Gunicorn's words in the shape of the product's lines, without the queries of addresses."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "event": re.sub(r"\?[^\s'\"]+", "?…", record.getMessage()),
            "request_id": "",
            "pid": record.process,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class Stderr:
    """The error output while somebody reads it: a master that waited for a reader would restart nobody."""

    def write(self, text: str) -> None:
        if select.select([], [sys.stderr], [], 0)[1]:
            with contextlib.suppress(OSError):  # a full disk
                sys.stderr.write(text)
                sys.stderr.flush()

    def flush(self) -> None:
        """Written already."""


class logger_class(glogging.Logger):  # noqa: N801  (the setting's name)
    """Gunicorn's log in one shape with the product's."""

    def _set_handler(self, log: Any, output: str, fmt: Any, stream: Any = None) -> None:
        super()._set_handler(log, output, Lines(), Stderr())


# What Gunicorn refuses before the product hears of it: the codes of its answers' statuses.
CODES = {
    400: "bad_request",
    403: "forbidden",
    414: "uri_too_long",
    417: "expectation_failed",
    431: "headers_too_large",
    501: "not_implemented",
}


def write_error(sock: Any, status: int, reason: str, message: str) -> None:
    """Gunicorn's own refusals in the product's shape, without an echo of what was sent."""
    code = CODES.get(status, "internal_error")
    body = json.dumps({"code": code, "message": f"{reason}: this is no request that we can read."}) + "\n"
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    util.write_nonblock(sock, f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode("latin-1"))


# Road not taken: a worker class of our own, which would have to repeat how Gunicorn tells its errors apart.
util.write_error = write_error


def on_starting(server: Any) -> None:
    """Metrics of an earlier life are nobody's: their files would be added to ours for ever."""
    directory = _metrics_directory()
    if directory:
        for leftover in Path(directory).glob("*.db"):
            leftover.unlink(missing_ok=True)


def post_worker_init(worker: Any) -> None:
    """Spare the worker what it need not do; tell the product how to notice that this worker is to end, so that event
    streams let go of it; and have it listen for published plans from now on.
    """
    # What was imported stays for good and is never looked through again; and events that wait for their commit are
    # thousands of objects without a cycle, which at Python's own threshold of 700 cost a batch a third of its time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    extensions = getattr(worker.wsgi, "extensions", None)
    if extensions is not None:
        extensions["stopping"] = lambda: not worker.alive
        if "plan_watcher" in extensions:  # `make bench` runs a bare Flask on this file, too
            extensions["plan_watcher"].listen()


def worker_abort(worker: Any) -> None:
    """The loop was blocked for `timeout`: show where every thread and greenlet stands, before the end."""
    faulthandler.dump_traceback(all_threads=True)
    print_run_info()


def child_exit(server: Any, worker: Any) -> None:
    """A dead worker's gauges (viewers, buffer) count no more; its counters stay."""
    if _metrics_directory():
        mark_process_dead(worker.pid)


def _metrics_directory() -> str | None:
    """The folder prometheus_client uses between processes, by its own reading of the environment."""
    with contextlib.suppress(ValueError):
        return str(MultiProcessCollector(None)._path)
    return None
