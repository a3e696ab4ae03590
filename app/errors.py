"""Refusals and the one place that turns every error into JSON or a page."""

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, g, make_response, render_template, request
from gunicorn.http.errors import ParseException
from psycopg2 import OperationalError as DriverError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, SecurityError

from app import metrics

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 2

# SQLSTATE classes and codes that say "not now": connection, resources, operator, locks, deadlines, read-only.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
BUSY_CLASSES = ("08", "53", "57", "40", "25")
BUSY_CODES = ("55P03",)

# Words for the statuses that the framework itself answers with.
CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    421: "unknown_host",
    429: "rate_limited",
}


class Refusal(Exception):
    """What cannot be done for the asker, with a stable code. Raised anywhere, answered here.

    code: snake_case, stable; message: one sentence that says what to do; status: HTTP; detail: JSON value;
    members: further members of the JSON answer.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        detail: Any = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})


def busy(message: str = "The service is busy. Send the same request again.") -> Refusal:
    """503 with Retry-After: the asker did nothing wrong and may repeat the request as it was."""
    return Refusal("busy", message, 503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def is_busy(error: BaseException) -> bool:
    """Does this database error mean "not now" rather than "never"?"""
    if isinstance(error, PoolTimeout):
        return True
    driver = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(driver, "pgcode", None)
    if state is None:  # no answer from the server at all: connection refused, lost, or past its deadline
        return isinstance(driver, DriverError) or getattr(error, "connection_invalidated", False)
    return state.startswith(BUSY_CLASSES) or state in BUSY_CODES


def wants_json() -> bool:
    """API paths and JSON clients get JSON; a browser gets a page."""
    if request.path.startswith(("/api/", "/health", "/ready", "/metrics", "/openapi.json", "/auth/csrf")):
        return True
    return request.is_json or request.accept_mimetypes.best == "application/json"


def answer(refusal: Refusal) -> Response:
    """The refusal as a response; its code also goes into the request's log line, its message into samples."""
    g.reason, g.advice = refusal.code, refusal.message
    metrics.REFUSALS.labels(refusal.code).inc()
    if wants_json():
        body = {"code": refusal.code, "message": refusal.message, **refusal.members}
        if refusal.detail is not None:
            body["detail"] = refusal.detail
        response = make_response(body, refusal.status)
    else:
        page = render_template(
            "errors/error.html",
            status=refusal.status,
            code=refusal.code,
            message=refusal.message,
            request_id=g.get("request_id"),
        )
        response = make_response(page, refusal.status)
    response.headers.extend(refusal.headers)
    return response


def from_http(error: HTTPException) -> Response:
    """Werkzeug's own errors in our shape; redirects pass untouched."""
    status = error.code or 500
    if isinstance(error, SecurityError):  # no page: its links would name a host that we do not trust
        metrics.REFUSALS.labels("unknown_host").inc()
        return make_response({"code": "unknown_host", "message": "No such host here."}, status)
    if status < 400:
        return make_response(error.get_response())
    headers = {"Allow": ", ".join(error.valid_methods)} if getattr(error, "valid_methods", None) else {}  # type: ignore[attr-defined]
    return answer(
        Refusal(CODES.get(status, f"http_{status}"), error.description or "", status, headers=headers)
    )


def from_database(error: Exception) -> Response:
    """A database that cannot answer now is 503; anything else is our mistake."""
    if is_busy(error):
        log.warning("database_unavailable", error=type(error).__name__)
        return answer(busy())
    return from_unexpected(error)


def from_redis(error: Exception) -> Response:
    """A page that needs Redis says so; the ingest path never asks it."""
    log.warning("redis_unavailable", error=type(error).__name__)
    return answer(busy("Sign-in is out of reach for a moment. Events are still taken. Try again shortly."))


def from_transport(_error: Exception) -> Response:
    """The body's chunks are not as HTTP wants them, which shows only while it is read; Gunicorn then hangs up."""
    return answer(Refusal("bad_request", "This is not a well-formed HTTP request.", 400))


def from_unexpected(error: Exception) -> Response:
    """Our mistake: everything in the log, nothing in the answer but the id to find it by."""
    log.error("request_failed", exc_info=error)
    message = f"Something went wrong on our side. Quote {g.get('request_id')} when you report it."
    return answer(Refusal("internal_error", message, 500))


def init_app(flask_app: Flask) -> None:
    flask_app.register_error_handler(Refusal, answer)
    flask_app.register_error_handler(HTTPException, from_http)
    flask_app.register_error_handler(DBAPIError, from_database)
    flask_app.register_error_handler(PoolTimeout, from_database)
    flask_app.register_error_handler(DriverError, from_database)
    flask_app.register_error_handler(RedisError, from_redis)
    flask_app.register_error_handler(ParseException, from_transport)
    flask_app.register_error_handler(Exception, from_unexpected)
