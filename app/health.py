"""Is this instance alive, and may it take events?"""

import structlog
from flask import Blueprint, Response
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import metrics
from app.auth.require import open_door
from app.extensions import db, settings, state_redis
from app.store import green, schema

log = structlog.get_logger()
blueprint = Blueprint("health", __name__)
LONGEST_SECONDS = 2.0  # whoever asks every few seconds wants to hear "no", not nothing


@blueprint.get("/health")
@open_door
def alive() -> dict[str, str]:
    """Alive, without asking anyone."""
    return {"status": "ok"}


@blueprint.get("/ready")
@open_door
def ready() -> tuple[dict[str, object], int]:
    """200 while events can be taken: PostgreSQL answers and the schema fits. A Redis fault only degrades."""
    if not _postgres_is_ready():
        return {"status": "unavailable", "parts": ["postgres"]}, 503
    if not _redis_answers():
        return {"status": "degraded", "parts": ["redis"]}, 200
    return {"status": "ok", "parts": []}, 200


@blueprint.get("/metrics")
@open_door
def show_metrics() -> Response:
    """Prometheus text; nginx keeps it from the outside."""
    body, content_type = metrics.text(settings().prometheus_multiproc_dir)
    return Response(body, content_type=content_type)


def _postgres_is_ready() -> bool:
    try:
        with green.within(LONGEST_SECONDS):
            found = db.session.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError as error:
        log.warning("postgres_not_ready", error=type(error).__name__)
        return False
    return schema.fits(found)


def _redis_answers() -> bool:
    try:
        return bool(state_redis().ping())
    except RedisError as error:
        log.warning("redis_not_ready", error=type(error).__name__)
        return False
