"""What every request may carry and every answer must: known hosts, the proxy's word, and the security headers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.exceptions import SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from app.config import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CSP_REPORT_PATH = "/csp-reports"
# Nothing inline, nothing from elsewhere, in no frame: a script that got into a page does not run.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
        f"report-uri {CSP_REPORT_PATH}",  # older browsers; the others heed the next line and skip this one
        "report-to csp",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Reporting-Endpoints": f'csp="{CSP_REPORT_PATH}"',
    "X-Content-Type-Options": "nosniff",
    # same-origin, not no-referrer: the check of where a form came from needs it over https.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REQUEST_ID")
ONE_YEAR_SECONDS = 31_536_000


def host_name(host: str) -> str | None:
    """The name in `name:port` or `[address]:port`; None where there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def init_app(flask_app: Flask, settings: Settings) -> None:
    """Trust exactly one proxy for address and scheme, never for the host name."""
    believing = ProxyFix(flask_app.wsgi_app, x_for=1, x_proto=1, x_host=0, x_port=0, x_prefix=0)
    trusted = frozenset(("", *settings.trusted_proxies))  # "": a unix socket, which has no address

    def from_our_proxy(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Whoever comes past the proxy speaks for itself: its words about an address are dropped unread."""
        if environ.get("REMOTE_ADDR", "") not in trusted:
            for name in FORWARDED:
                environ.pop(name, None)
        return believing(environ, start_response)

    flask_app.wsgi_app = from_our_proxy  # type: ignore[method-assign]
    flask_app.config.update(MAX_CONTENT_LENGTH=settings.max_body_bytes)
    hosts = {host.strip("[]") for host in settings.all_trusted_hosts}

    def refuse_foreign_host() -> None:
        """Probes and Prometheus ask by address; nothing that they are answered names a host.

        Road not taken: Flask's TRUSTED_HOSTS, which cuts its entries at the first colon and so knows no [::1].
        """
        if request.blueprint != "health" and host_name(request.host) not in hosts:
            raise SecurityError

    flask_app.before_request(refuse_foreign_host)
    extra = {"Strict-Transport-Security": f"max-age={ONE_YEAR_SECONDS}"} if settings.is_https else {}
    on_files = [(name.lower(), name, value) for name, value in (HEADERS | extra).items()]
    on_all_else = [*on_files, ("cache-control", "Cache-Control", "no-store")]

    def dress(response: Response) -> Response:
        """Add what the view did not say itself."""
        headers = response.headers
        there = {name.lower() for name, _ in headers}
        for lower, name, value in on_files if request.endpoint == "static" else on_all_else:
            if lower not in there:
                headers.add(name, value)
        return response

    flask_app.after_request(dress)
