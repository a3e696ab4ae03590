"""Taking a published version into use: one greenlet per process, so that no request waits for it.

It hears the bell, and looks by itself every two seconds; asks PostgreSQL which version is in force; compiles it beside
the loop while the old one still judges; and writes down how long after its publication each version judged here.
"""

import os
import socket
import time
from collections.abc import Iterable
from typing import Final

import gevent
import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app import metrics
from app.config import Settings
from app.plans import bell, current
from app.plans.current import Switch
from app.store import enforcement, tenancy
from app.store.enforcement import Published

log = structlog.get_logger()

GLANCE_SECONDS: Final = 2.0
MOST_WARMED: Final = current.MOST_PLANS // 2
HOST: Final = socket.gethostname()
BORN: Final = time.monotonic()  # workers import this each for itself


class Watcher:
    """This process's ear for published versions. Gunicorn has each worker listen from its start."""

    def __init__(self, flask_app: Flask, redis_url: str) -> None:
        self._flask_app = flask_app
        self._redis_url = redis_url
        self._greenlet: gevent.Greenlet | None = None

    def listen(self) -> None:
        """Take published versions into use from now on; returns at once."""
        if self._greenlet is None or self._greenlet.dead:
            self._greenlet = gevent.spawn(self._listen_for_ever)

    def end(self) -> None:
        """Listen no longer."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _listen_for_ever(self) -> None:
        with self._flask_app.app_context():
            try:
                warm()
            except SQLAlchemyError as error:  # each plan is then loaded when it is asked for
                log.warning("plans_not_warmed", error=type(error).__name__)
        for rung in bell.heard(self._redis_url, GLANCE_SECONDS):
            with self._flask_app.app_context():
                try:
                    look(rung)
                    report(current.compiled.drain())
                except SQLAlchemyError as error:  # every two seconds there is another look
                    log.warning("plan_not_looked_up", error=type(error).__name__)


def warm() -> None:
    """Take the plans into use that senders will ask for first, so that a new process is as fast as an old one."""
    for published in enforcement.used_lately(MOST_WARMED):
        _take(published)


def look(rung: int | None) -> None:
    """Take into use what is in force now: of the plan whose bell was rung, else of all that judge here."""
    known = current.compiled.known()
    for published in enforcement.in_force([rung] if rung is not None else list(known)):
        if known.get(published.plan_id, 0) < published.version:
            _take(published)


def _take(published: Published) -> None:
    try:
        with tenancy.inside(published.organisation_id):
            current.compiled.take(published.plan_id, published.version)
    except LookupError:
        log.info("plan_gone", plan_id=published.plan_id)  # deleted since


def report(switches: Iterable[Switch]) -> None:
    """Write down, and measure, how long after its publication each of these versions came into force here."""
    for switch in switches:
        now = time.monotonic()
        process, ago = f"{HOST}:{os.getpid()}", (now - switch.at) * 1000
        waited = enforcement.note(switch.plan_id, switch.version, process, ago, now - BORN)
        if waited is not None:
            metrics.PLAN_ENFORCED_SECONDS.observe(waited / 1000)
            log.info("plan_enforced", plan_id=switch.plan_id, version=switch.version, milliseconds=waited)


def init_app(flask_app: Flask, settings: Settings) -> None:
    flask_app.extensions["plan_watcher"] = Watcher(flask_app, settings.redis_url)
