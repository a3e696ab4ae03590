"""Logs: constant event names, facts as fields, one canonical line per request and per try of a job."""

import atexit
import logging
import re
import time
from typing import Any, TextIO, cast

import orjson
import structlog
from flask import Flask, Response, g, request
from structlog.typing import EventDict

from app import metrics
from app.config import Settings
from app.log_writer import LogWriter

log = structlog.get_logger()

# A sender may invent methods; a metric's labels are a closed set.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Written for every sender and every scrape, these lines would drown the others; metrics count them.
QUIET_ENDPOINTS = frozenset({"health.alive", "health.ready", "health.show_metrics", "static"})


STDOUT = 1
# As nginx makes them, and as a person who asks a Gunicorn itself may.
REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
# Of this process, as structlog's configuration is.
_writers: list[LogWriter] = []
# Queries may carry what is nobody's business; a library that names an address in its words does not know that.
QUERY = re.compile(r"\?[^\s'\"]+")


def configure(settings: Settings, descriptor: int = STDOUT) -> None:
    """One formatter for us, Gunicorn, RQ and every library: JSON for machines, colours for a terminal.

    descriptor: of the file that the lines go to.
    """
    writer = LogWriter(descriptor)
    _writers[:] = [writer]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _of_a_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.ExceptionRenderer(),
    ]
    pretty = settings.log_format == "pretty"
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(_dumps)
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, writer)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=[*shared, _without_queries])
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    gunicorn = logging.getLogger("gunicorn.error")
    if (
        gunicorn.handlers
    ):  # its master's write where it stands (gunicorn_config.py); a worker must not wait for that
        gunicorn.handlers[:] = [handler]


@atexit.register
def finish() -> None:
    """Write what waits, before the process ends; a second at most."""
    for writer in _writers:
        writer.finish()


def _of_a_request(_logger: Any, _name: str, event: EventDict) -> EventDict:
    event.setdefault("request_id", "")  # of none
    return event


def _without_queries(_logger: Any, _name: str, event: EventDict) -> EventDict:
    event["event"] = QUERY.sub("?…", str(event["event"]))
    return event


def _dumps(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def begin_request() -> None:
    """Take nginx's request id (or none) and start the clock."""
    g.began = time.perf_counter()
    given = request.environ.get("HTTP_X_REQUEST_ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else ""
    structlog.contextvars.clear_contextvars()  # a kept-alive connection's greenlet serves many requests
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def request_id() -> str | None:
    """Of the request that is being answered, or that caused the job that is being done; None: of none."""
    return structlog.contextvars.get_contextvars().get("request_id") or None


def end_request(response: Response) -> Response:
    """The canonical line: who asked what, what was answered, how long it took. No payload, address or secret."""
    now = time.perf_counter()
    seconds = now - g.get("began", now)  # a request for a foreign host is refused before it begins
    route = request.url_rule.rule if request.url_rule else "unknown"
    method = request.method if request.method in METHODS else "other"
    metrics.child(metrics.REQUESTS, route, method, str(response.status_code)).inc()
    metrics.child(metrics.REQUEST_SECONDS, route).observe(seconds)
    if g.get("request_id"):
        response.headers["X-Request-Id"] = g.request_id  # by which its lines are found
    if request.endpoint not in QUIET_ENDPOINTS:
        log.info(
            "request_answered",
            method=request.method,
            route=route,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 1),
            **{name: value for name in LINE_FACTS if (value := g.get(name)) is not None},
        )
    return response


# Facts that a view may put on `g` for its line.
LINE_FACTS = ("organisation_id", "app_id", "reason", "events")


def init_app(flask_app: Flask, settings: Settings) -> None:
    configure(settings)
    flask_app.before_request(begin_request)
    flask_app.after_request(end_request)
