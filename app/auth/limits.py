"""Limits on pages and the management API: per address, person, organisation and endpoint, counted in Redis.

Two Flask-Limiters. `arrivals` counts addresses before anyone asks who it is, so that wrong keys and codes count,
too; `actors` counts people, organisations and endpoints once the guard knows them. While Redis is away both go on
counting in this process alone: the limits then hold per process, and none is open.

Senders of events have a limit of their own, app/auth/allowance.py, which costs them no question.
"""

import ipaddress
import time
from collections.abc import Callable, Iterable

import structlog
from flask import Flask, Response, current_app, g, request
from flask_limiter import ApplicationLimit, Limiter, RequestLimit
from limits.storage import MemoryStorage
from redis.exceptions import RedisError

from app import metrics
from app.auth import strategy as _registers_the_token_bucket  # noqa: F401
from app.config import Settings
from app.extensions import connect_redis

log = structlog.get_logger()

AUTH_PATHS = ("/auth/", "/api/token")
# Senders have their own limit; probes and scrapers come from this machine; files are nginx's.
UNCOUNTED_PATHS = ("/api/logs", "/health", "/ready", "/metrics", "/static/")
# A page that breaks the policy does so several times; nobody's log is filled by anybody.
REPORTS_PATH, REPORTS_LIMIT = "/csp-reports", "30/minute"
MESSAGES = {
    "reports": "Too many reports from your address. They may be dropped.",
    "auth": "Too many attempts from your address. Wait as long as Retry-After says, then try again.",
    "address": "Too many requests from your address. Wait as long as Retry-After says, then go on.",
    "user": "Too many requests with your account. Wait as long as Retry-After says, then go on.",
    "organisation": "Your organisation asks too often. Wait as long as Retry-After says, then go on.",
    "endpoint": "Your organisation asks this too often. Wait as long as Retry-After says, then go on.",
}
# An IPv6 customer has a whole network of this size, and would have as many allowances as addresses.
IPV6_PREFIX = 64


def address() -> str:
    """Whose allowance this request uses: its IPv4 address, or its IPv6 network. Never empty."""
    given = request.remote_addr or "unknown"
    if ":" not in given:
        return given
    try:
        found = ipaddress.IPv6Address(given)
    except ValueError:
        return given
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))


def init_app(flask_app: Flask, settings: Settings) -> None:
    """Make both; when they count is the guard's to say. Connects to nothing yet."""
    arrivals = _limiter(
        settings,
        _limit("auth", settings.auth_limit, address, lambda: not request.path.startswith(AUTH_PATHS)),
        _limit("address", settings.address_limit, address, lambda: request.path.startswith(AUTH_PATHS)),
        _limit("reports", REPORTS_LIMIT, address, lambda: request.path != REPORTS_PATH),
    )
    actors = _limiter(
        settings,
        _limit("user", settings.user_limit, lambda: f"user {g.actor.user_id}", lambda: not g.actor.user_id),
        _limit("organisation", settings.organisation_limit, _organisation),
        *_of_endpoints(settings.endpoint_limits),
    )
    flask_app.extensions["limits"] = (arrivals, actors)
    arrivals.init_app(flask_app)
    actors.init_app(flask_app)
    flask_app.after_request(_say)


def count_arrivals(flask_app: Flask) -> None:
    """From here in the order of the hooks on, addresses are counted."""

    def count() -> None:
        if not request.path.startswith(UNCOUNTED_PATHS):
            g.is_counted = True
            flask_app.extensions["limits"][0].check()

    flask_app.before_request(count)


def count_actors(flask_app: Flask) -> None:
    """From here on, those whom the guard let in."""

    def count() -> None:
        if "actor" in g:
            flask_app.extensions["limits"][1].check()

    flask_app.before_request(count)


class Counting(Limiter):
    """A Limiter that counts when it is told to.

    One with hooks of its own asks at three places of every event's way whether to count it, for a twentieth of the
    event's time, and never counts one.
    """

    def init_app(self, app: Flask) -> None:
        """Make ready, without hooks: whoever is in this set has them already."""
        app.extensions.setdefault("limiter", set()).add(self)
        super().init_app(app)

    def check(self) -> None:
        """Count this request. Raises RateLimitExceeded."""
        self._check_request_limit()


def _limiter(settings: Settings, *limits: ApplicationLimit) -> Counting:
    pool = connect_redis(settings.redis_url).connection_pool
    return Counting(
        address,
        application_limits=list(limits),
        strategy=settings.limit_strategy,
        storage_uri="redis://",  # not used: the pool knows where
        storage_options={"connection_pool": pool},  # type: ignore[dict-item]  # passed on as it is
        in_memory_fallback_enabled=True,
        headers_enabled=False,  # _say adds both dialects
    )


def _limit(
    scope: str, limit: str, key: Callable[[], str], exempt_when: Callable[[], bool] | None = None
) -> ApplicationLimit:
    name = scope.partition(" ")[0]

    def count(_: RequestLimit) -> None:
        metrics.LIMITED.labels(name).inc()

    return ApplicationLimit(
        limit_provider=limit,
        scope=scope,
        key_function=key,
        exempt_when=exempt_when,
        error_message=MESSAGES[name],
        on_breach=count,
    )


def _of_endpoints(limits: Iterable[tuple[str, str]]) -> list[ApplicationLimit]:
    def only(endpoint: str) -> Callable[[], bool]:
        return lambda: request.endpoint != endpoint

    return [
        _limit(f"endpoint {endpoint}", limit, _organisation, only(endpoint)) for endpoint, limit in limits
    ]


def _organisation() -> str:
    return f"organisation {g.actor.organisation_id}"


def _say(response: Response) -> Response:
    """The narrowest counted limit in the headers of this answer, and loudly where Redis did not count."""
    if "is_counted" not in g:
        return response
    arrivals, actors = current_app.extensions["limits"]
    limit: RequestLimit | None = actors.current_limit or arrivals.current_limit
    if limit is None:
        return response
    if isinstance(arrivals.limiter.storage, MemoryStorage):
        metrics.LOCAL_LIMITS.inc()
        log.warning("limits_local", remedy="Redis is away; each process counts for itself")
    try:
        remaining, reset_at = limit.remaining, limit.reset_at
    except RedisError as error:  # between counting and asking; the limit was kept, only its words are missing
        log.warning("limit_unknown", error=type(error).__name__)
        return response
    say(
        response,
        limit.limit.amount,
        limit.limit.get_expiry(),
        max(0, remaining),
        max(0.0, reset_at - time.time()),
    )
    return response


def say(response: Response, amount: int, window: int, remaining: int, reset_seconds: float) -> None:
    """Both dialects: the IETF draft's (seconds from now) and the older one (seconds since 1970).

    https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/06/
    """
    seconds = -int(-reset_seconds // 1)
    headers = response.headers
    headers["RateLimit-Limit"] = headers["X-RateLimit-Limit"] = str(amount)
    headers["RateLimit-Remaining"] = headers["X-RateLimit-Remaining"] = str(remaining)
    headers["RateLimit-Reset"] = str(seconds)
    headers["RateLimit-Policy"] = f"{amount};w={window}"
    headers["X-RateLimit-Reset"] = str(int(time.time()) + seconds)
    if response.status_code == 429:
        headers["Retry-After"] = str(max(1, seconds))
