"""Senders that never stop, inside this process, with books of what they began and of what was answered as kept."""

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import gevent
from flask import Flask
from flask_migrate import upgrade

from app import create_app
from app.config import Settings
from app.extensions import db
from app.store import green, tenancy
from tests.conftest import UNHURRIED, Client
from tests.world import Tenant, make_tenant

SENDERS = 4


@dataclass
class Sent:
    """Message ids: of events that were begun, and of those answered as kept, with when (monotonic seconds)."""

    begun: list[str] = field(default_factory=list)
    kept: dict[str, float] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)


@dataclass
class Running:
    """The product on stores of its own, and somebody who may send to it."""

    flask_app: Flask
    tenant: Tenant


@contextmanager
def product(environment: Mapping[str, str], stores: Mapping[str, str]) -> Iterator[Running]:
    """The product in this process on other stores (settings by their variables), with a migrated, empty schema."""
    settings = Settings.from_environment({**environment, **UNHURRIED, **stores})
    green.install(settings.database_deadline_seconds)
    flask_app = create_app(settings)
    flask_app.test_client_class = Client
    with flask_app.app_context(), tenancy.across_organisations():
        upgrade()
        tenant = make_tenant("Alice", "shop")
        db.session.remove()  # no transaction of the test's own stays open on a server that is about to die
        yield Running(flask_app, tenant)
        for engine in db.engines.values():
            engine.dispose()


@contextmanager
def sending(running: Running) -> Iterator[Sent]:
    """Send in this block, each event again until it is kept; an event that is under way at the end may be either."""
    sent = Sent()
    greenlets = [gevent.spawn(_send_for_ever, running, sent) for _ in range(SENDERS)]
    try:
        yield sent
    finally:
        gevent.killall(greenlets)


def _send_for_ever(running: Running, sent: Sent) -> None:
    client = running.flask_app.test_client()
    while True:
        message_id = secrets.token_hex(8)
        sent.begun.append(message_id)
        while message_id not in sent.kept:
            body = {"eventName": "tap", "messageId": message_id, "payload": {"n": 1}}
            answer = running.tenant.send(client, body)
            sent.statuses[answer.status_code] += 1
            if answer.status_code == 200 and answer.get_json()["results"][0]["status"] in (
                "stored",
                "duplicate",
            ):
                sent.kept[message_id] = time.monotonic()
            else:
                gevent.sleep(0.05)
