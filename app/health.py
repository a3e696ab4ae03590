"""Is this instance alive, and may it take events?"""

import math
import time

import structlog
from flask import Blueprint, Response

from app import doctor, metrics
from app.auth.require import open_door
from app.doctor import Finding
from app.extensions import settings

log = structlog.get_logger()
blueprint = Blueprint("health", __name__)
MAIL_EVERY_SECONDS = 10.0  # probes come every few seconds; the mail server need not hear of each


class MailLook:
    """What was found of the mail server when last looked."""

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._looked_at = -math.inf

    def found(self) -> list[Finding]:
        now = time.monotonic()
        if now - self._looked_at >= MAIL_EVERY_SECONDS:
            self._looked_at = now
            self._found = list(doctor.mail())
        return self._found


_mail = MailLook()


@blueprint.get("/health")
@open_door
def alive() -> dict[str, str]:
    """Alive, without asking anyone."""
    return {"status": "ok"}


@blueprint.get("/ready")
@open_door
def ready() -> tuple[dict[str, object], int]:
    """200 while events can be taken: PostgreSQL answers, keeps what it is given, and the schema fits.

    A fault of Redis or mail only degrades. `reasons` says of each part in `parts` what is wrong.
    """
    found = [*doctor.postgres(), *doctor.redis(), *_mail.found()]
    reasons = {finding.part: finding.code for finding in reversed(found)}  # the first of each
    for part, reason in reasons.items():
        log.warning("part_not_ready", part=part, reason=reason)
    if not reasons:
        return {"status": "ok", "parts": []}, 200
    is_down = "postgres" in reasons
    status = "unavailable" if is_down else "degraded"
    return {"status": status, "parts": sorted(reasons), "reasons": reasons}, 503 if is_down else 200


@blueprint.get("/metrics")
@open_door
def show_metrics() -> Response:
    """Prometheus text; nginx keeps it from the outside."""
    body, content_type = metrics.text(settings().prometheus_multiproc_dir)
    return Response(body, content_type=content_type)
