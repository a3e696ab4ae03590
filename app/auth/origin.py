"""Is a change that a cookie speaks for meant by its owner? A session's token, and our own origin."""

from urllib.parse import urlsplit

from flask import current_app, request
from flask_wtf.csrf import CSRFError

from app.errors import Refusal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
STALE = (
    "This page was open for too long, or the request came from another site. Reload the page and try again."
)


def check() -> None:
    """Raise Refusal `bad_csrf` unless the request carries its session's token and comes from our origin."""
    if not _is_from_here():
        raise Refusal("bad_csrf", STALE, 400)
    try:
        current_app.extensions["csrf"].protect()
    except CSRFError:
        raise Refusal("bad_csrf", STALE, 400) from None


def _is_from_here() -> bool:
    """The browser's own word, the strongest first. Programs send none; the token speaks for them."""
    if (origin := request.headers.get("Origin")) is not None:
        return _is_ours(origin)
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site in ("same-origin", "none")
    if referrer := request.headers.get("Referer"):
        return _is_ours(referrer)
    return True


def _is_ours(url: str) -> bool:
    """Has the URL the scheme, host and port that this request was sent to? `null` has none.

    The request's own host, not PUBLIC_URL: one stack has several names, and TRUSTED_HOSTS knows them all.
    """
    return _origin(url) == _origin(request.host_url) is not None


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None
