"""Pages read from a standby: while it keeps up, not when it lags or is gone, and never by whoever has just written."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context

import pytest
from flask import g
from sqlalchemy import event

from app.extensions import REPLICA, db
from app.store import tenancy
from app.store.replica import WROTE, from_replica
from tests import clusters
from tests.auth.visitor import Mailbox, Visitor
from tests.clusters import Cluster, connected, plot, product_settings
from tests.conftest import eventually
from tests.senders import Running, product


class Pair:
    """A primary, its standby, and the product that reads from the one or the other."""

    def __init__(self, primary: Cluster, standby: Cluster, running: Running) -> None:
        self.primary = primary
        self.standby = standby
        self.running = running

    def read(self, **cookies: str) -> str:
        """From where a page is read, by what it found: the port that PostgreSQL listens on."""
        self.running.flask_app.extensions["replica"]._looked_at = 0.0  # as if a second had gone by
        port = Context().run(self._port, "; ".join(f"{name}={value}" for name, value in cookies.items()))
        return "standby" if port == self.standby.port else "primary"

    def _port(self, cookie: str) -> int:
        with self.running.flask_app.test_request_context("/overview", headers={"Cookie": cookie}):
            return int(from_replica(lambda: db.session.execute(db.text("SHOW port")).scalar_one())())

    def apps_seen(self, organisation_id: int) -> int:
        """How many apps somebody sees on the standby who entered this organisation."""
        with self.running.flask_app.test_request_context("/overview"), tenancy.inside(organisation_id):
            g.database = REPLICA
            return int(db.session.execute(db.text("SELECT count(*) FROM apps")).scalar_one())


@pytest.fixture(scope="module")
def pair(environment: Mapping[str, str]) -> Iterator[Pair]:
    with clusters.grounds() as ground:
        primary = Cluster(plot(ground, "primary")).make().start()
        stores = primary.furnish()
        standby = Cluster(plot(ground, "standby")).follow(primary, "follower").start()
        replica = product_settings([standby])["DATABASE_URL"]
        with product(environment, {**stores, "REPLICA_DATABASE_URL": replica}) as running:
            yield Pair(primary, standby, running)


def write(pair: Pair) -> None:
    with connected(pair.primary.dsn(database="live_validation")) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT pg_logical_emit_message(true, 'test', 'something new')")


def test_a_standby_that_keeps_up_is_read_from(pair: Pair) -> None:
    write(pair)
    eventually(lambda: pair.read() == "standby")


def test_whoever_has_just_written_reads_from_the_primary(pair: Pair) -> None:
    eventually(lambda: pair.read() == "standby")
    assert pair.read(**{WROTE: "1"}) == "primary"
    client = pair.running.flask_app.test_client()
    client.set_cookie("session", "somebody")
    answer = client.post("/auth/login", json={})
    assert [
        c for c in answer.headers.getlist("Set-Cookie") if re.match(f"{WROTE}=1; .*Max-Age=3; HttpOnly", c)
    ]
    assert not [c for c in client.get("/health").headers.getlist("Set-Cookie") if c.startswith(WROTE)]


def test_a_standby_that_stands_still_is_not_read_from_until_it_has_caught_up(pair: Pair) -> None:
    eventually(lambda: pair.read() == "standby")
    pair.standby.ask("SELECT pg_wal_replay_pause()")
    try:
        eventually(lambda: pair.standby.ask("SELECT pg_get_wal_replay_pause_state()") == "paused")
        write(pair)
        eventually(lambda: pair.read() == "primary", 10)
        assert pair.read() == "primary"
    finally:
        pair.standby.ask("SELECT pg_wal_replay_resume()")
    eventually(lambda: pair.read() == "standby")


@contextmanager
def told(name: str) -> Iterator[list[str]]:
    """The statements that one of the product's databases is asked."""
    asked: list[str] = []

    def remember(_c: object, _u: object, statement: str, *_: object) -> None:
        asked.append(statement)

    engine = db.engines[name]
    event.listen(engine, "before_cursor_execute", remember)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", remember)


def test_the_walls_stand_on_the_standby_too(pair: Pair) -> None:
    """Only the organisation that was entered is seen."""
    eventually(lambda: pair.read() == "standby")
    mine = pair.running.tenant.organisation_id
    with told(REPLICA) as asked:
        assert Context().run(pair.apps_seen, mine) == 1
        assert Context().run(pair.apps_seen, mine + 1) == 0
    assert len(asked) == 2


def test_pages_are_read_from_the_standby_and_go_on_without_it(pair: Pair, mailbox: Mailbox) -> None:
    visitor = Visitor(pair.running.flask_app, mailbox).join()
    visitor.client.delete_cookie(WROTE)
    eventually(lambda: pair.read() == "standby")
    with told(REPLICA) as asked:
        assert visitor.ask("GET", "/overview").status_code == 200
        assert [statement for statement in asked if "tallies" in statement]
        pair.standby.stop()
        began = time.monotonic()
        assert visitor.ask("GET", "/overview").status_code == 200
        assert time.monotonic() - began < 5
    assert pair.read() == "primary"
    pair.standby.start()
    eventually(lambda: pair.read() == "standby")
