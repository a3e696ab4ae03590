"""What keeps the archive in shape, by the clock: counts folded, partitions made ahead, old message ids and
events forgotten.
"""

import structlog
from flask import Flask

from app.extensions import db, settings
from app.jobs import registry
from app.jobs.queues import Queue
from app.jobs.registry import Job
from app.store import folding, partitions, refused, retention, window
from app.store.outbox import Claim

log = structlog.get_logger()

FOLD_EVERY_SECONDS = 15  # deltas are few enough then that a page adds them in a millisecond
PARTITIONS_EVERY_SECONDS = 3600
FORGET_EVERY_SECONDS = 600
RETENTION_EVERY_SECONDS = 3600


def fold_counts(_claim: Claim) -> None:
    """Fold what is there, in short transactions: a long one would hold the live streams back."""
    while folding.fold():
        db.session.commit()


def make_partitions(_claim: Claim) -> None:
    """Make the days ahead."""
    made = partitions.make_ahead(db.session.connection())
    if made:
        log.info("partitions_made", names=made)


def forget_message_ids(_claim: Claim) -> None:
    """Forget the ids whose window is over, in short transactions for the same reason."""
    while window.forget():
        db.session.commit()


def forget_refused(_claim: Claim) -> None:
    """Forget old samples of what was refused, and their counts."""
    refused.forget()


def forget_events(_claim: Claim) -> None:
    """Drop the days that no app keeps, then, slice by slice, what single apps keep no longer."""
    days = settings().retention_days
    dropped = retention.drop_days(days)
    db.session.commit()
    if dropped:
        log.info("partitions_dropped", names=dropped)
    while retention.expire(days):
        db.session.commit()


def init_app(flask_app: Flask) -> None:
    registry.declare(
        flask_app,
        Job("fold_counts", Queue.LOW, fold_counts, timeout_seconds=60, every_seconds=FOLD_EVERY_SECONDS),
        Job(
            "make_partitions",
            Queue.LOW,
            make_partitions,
            timeout_seconds=60,
            every_seconds=PARTITIONS_EVERY_SECONDS,
        ),
        Job(
            "forget_message_ids",
            Queue.LOW,
            forget_message_ids,
            timeout_seconds=300,
            every_seconds=FORGET_EVERY_SECONDS,
        ),
        Job(
            "forget_refused",
            Queue.LOW,
            forget_refused,
            timeout_seconds=60,
            every_seconds=RETENTION_EVERY_SECONDS,
        ),
        Job(
            "forget_events",
            Queue.LOW,
            forget_events,
            timeout_seconds=600,
            every_seconds=RETENTION_EVERY_SECONDS,
        ),
    )
