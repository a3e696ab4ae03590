"""The sweeper: finds what no wake-up found, wakes its queue, and does it here where Redis is out of reach."""

import signal
import time
from collections import defaultdict

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app import metrics
from app.errors import is_busy
from app.extensions import db, settings
from app.jobs import registry
from app.jobs.queues import Queue, wake
from app.jobs.run import drain
from app.store import outbox

log = structlog.get_logger()

PAUSE_SECONDS = 5.0
PATIENCE_SECONDS = 20.0
PRUNE_SECONDS = 600.0


def sweep_for_ever(flask_app: Flask) -> None:
    """Sweep until SIGTERM, which waits for the job in hand."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with flask_app.app_context():
        _serve_metrics()
        sweeper = Sweeper()
        while signal.sigtimedwait({signal.SIGTERM}, sweeper.pause_seconds) is None:
            sweeper.sweep()


def _serve_metrics() -> None:
    """The workers' metrics, of all queues. A port that is taken costs a warning, not the sweeps."""
    chosen = settings()
    if chosen.worker_metrics and chosen.prometheus_multiproc_dir:
        try:
            metrics.serve(chosen.worker_metrics, chosen.prometheus_multiproc_dir)
        except OSError as error:
            log.warning("metrics_not_served", address=chosen.worker_metrics, error=type(error).__name__)


class Sweeper:
    """Remembers when the jobs that run by the clock are next worth a question to the database."""

    def __init__(self) -> None:
        self.pause_seconds = 0.0
        self._next: dict[str, float] = defaultdict(float)
        self._is_cut_off = False

    def sweep(self) -> None:
        """Look once; `pause_seconds` then says how soon to look again."""
        self.pause_seconds = PAUSE_SECONDS
        try:
            self._repeat()
            self._wake()
        except SQLAlchemyError as error:
            if not is_busy(error):
                raise
            if not self._is_cut_off:  # once per outage, not once per sweep
                log.warning("sweep_failed", error=type(error).__name__)
            self._is_cut_off = True
        else:
            self._is_cut_off = False
        finally:
            db.session.remove()

    def _repeat(self) -> None:
        """Add the jobs whose time has come; forget those that were done long ago."""
        now = time.monotonic()
        for job in registry.declared().values():
            if job.every_seconds and self._next[job.name] <= now:
                outbox.repeat(job.queue.value, job.name, job.every_seconds)
                db.session.commit()
                self._next[job.name] = now + job.every_seconds
        if self._next[""] <= now:
            outbox.prune()
            db.session.commit()
            self._next[""] = now + PRUNE_SECONDS

    def _wake(self) -> None:
        """Wake the queues in which something is due.

        Done here instead: a queue that cannot be woken; and what a person waits for in vain. Not so in the
        other queues, where a long job may rightly keep the next one waiting.
        """
        due = outbox.due()
        db.session.commit()
        for queue in Queue:
            found = due.get(queue.value)
            metrics.QUEUE_DUE.labels(queue.value).set(found.jobs if found else 0)
            metrics.QUEUE_AGE.labels(queue.value).set(found.seconds if found else 0)
            if found is None:
                continue
            is_in_vain = queue is Queue.CRITICAL and found.seconds > PATIENCE_SECONDS
            if (is_in_vain or not wake(queue)) and drain(queue):
                self.pause_seconds = 0.0
