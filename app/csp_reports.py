"""What browsers report of our content security policy: counted, and a few of them logged.

A report is written by a stranger's browser, or by anybody: it is bounded, and of its addresses, which may carry what is
nobody else's business, only the route of ours and the host of the other's are kept.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from app import metrics
from app.auth.require import open_door, untokened
from app.errors import Refusal
from app.headers import CONTENT_SECURITY_POLICY, CSP_REPORT_PATH

log = structlog.get_logger()
blueprint = Blueprint("csp_reports", __name__)

LARGEST_BODY_BYTES = 16 * 1024
MOST_REPORTS = 10
# The body of a report-uri (CSP 2) and of a report-to (Reporting API).
TYPES = {"application/csp-report", "application/reports+json"}
# A label is one of a closed set: what our own policy names.
DIRECTIVES = {part.split()[0] for part in CONTENT_SECURITY_POLICY.split("; ")}
KEYWORDS = {"inline", "eval", "wasm-eval", "data", "blob", "self"}


@blueprint.url_value_preprocessor
def expect_little(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    request.max_content_length = LARGEST_BODY_BYTES


@blueprint.post(CSP_REPORT_PATH)
@open_door
@untokened
def take() -> Response:
    """Count and log; whatever it says, nothing is kept. Raises Refusal `unsupported_media_type`, `bad_json`."""
    if request.mimetype not in TYPES:
        raise Refusal("unsupported_media_type", "Browsers send reports of the policy here.", 415)
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError:
        raise Refusal("bad_json", "The body is not valid JSON.") from None
    for directive, blocked, document in _reports(body):
        name = directive.split(" ")[0].removesuffix("-elem").removesuffix("-attr")
        known = name if name in DIRECTIVES else "other"
        metrics.CSP_REPORTS.labels(known).inc()
        log.warning("policy_violated", directive=known, blocked=_host(blocked), route=_route(document))
    return Response(status=204)


def _reports(body: Any) -> Iterator[tuple[str, str, str]]:
    """Directive, what was blocked and in which document, of either shape; what is neither is passed over."""
    for one in (body if isinstance(body, list) else [body])[:MOST_REPORTS]:
        if not isinstance(one, dict):
            continue
        said = one.get("csp-report") or one.get("body")
        if isinstance(said, dict):
            names = (
                ("effective-directive", "effectiveDirective", "violated-directive"),
                ("blocked-uri", "blockedURL"),
                ("document-uri", "documentURL"),
            )
            directive, blocked, document = (
                next((said[n] for n in given if isinstance(said.get(n), str)), "") for given in names
            )
            yield directive, blocked, document


def _host(address: str) -> str:
    """Where it would have come from, and no more of it: a path or a query may be a secret."""
    if address in KEYWORDS:
        return address
    try:
        return (urlsplit(address).hostname or "unknown")[:100]
    except ValueError:
        return "unknown"


def _route(document: str) -> str:
    """Which of our routes the document is, without what stands in its place holders."""
    try:
        rule, _ = current_app.url_map.bind("").match(urlsplit(document).path, return_rule=True)
    except (HTTPException, RequestRedirect, ValueError):
        return "unknown"
    return rule.rule
