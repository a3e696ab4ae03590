"""Telling owners and admins that a quota is nearly used up: by the clock, once a month for each threshold."""

from flask import Flask

from app.auth.notices import ADMINS, SPREAD_NOTICE, Notice
from app.extensions import db, settings
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job
from app.store import tenancy, usage
from app.store.outbox import Claim

WATCH_EVERY_SECONDS = 60
WARN_PERCENT = 80


def watch(_claim: Claim) -> None:
    """Write down who is to be told, in one transaction with the mails."""
    for organisation_id, percent in usage.to_tell(
        settings().quota_credits, settings().credits_per_event, WARN_PERCENT
    ):
        facts = {"notice": Notice.QUOTA.value, "roles": sorted(ADMINS), "percent": percent}
        with tenancy.inside(organisation_id):
            outbox.add(db.session, SPREAD_NOTICE, facts, organisation_id)


WATCH = Job("watch_quotas", Queue.LOW, watch, timeout_seconds=60, every_seconds=WATCH_EVERY_SECONDS)


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, WATCH)
