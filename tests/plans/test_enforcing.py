"""From published to enforced in one process: the old version judges until the new one is ready."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import metrics
from app.extensions import db
from app.plans import current, enforcing, publishing
from app.plans.content import Content
from app.plans.current import CompiledPlans, Loading, Switch
from app.plans.enforcing import Watcher
from app.plans.publishing import Edition
from app.store import apps, plans, tenancy
from app.store.apps import AppRef
from app.store.tables import LogEntry, PlanEnforcement
from app.validation.problems import PlanInvalid
from tests.conftest import eventually
from tests.world import World


def plan_of(**types: str) -> Content:
    """Events by name, each with one property of this type."""
    events = {name: {"rules": [{"path": "value", "type": kind}]} for name, kind in types.items()}
    return {"matching": {}, "bundles": {}, "events": events}


def publish(app: AppRef, **types: str) -> int:
    """Publish and commit; the plan's id."""
    publishing.publish(app, Edition(plan_of(**types), "csv"))
    db.session.commit()
    plan_id = fresh(app).plan_id
    assert plan_id is not None
    return plan_id


def fresh(app: AppRef) -> AppRef:
    found = apps.find(app.organisation_id, app.slug)
    assert found is not None
    return found


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> CompiledPlans:
    """This process's plans, as after its start."""
    fresh_plans = CompiledPlans()
    monkeypatch.setattr(current, "compiled", fresh_plans)
    return fresh_plans


def test_the_older_version_judges_while_the_newer_is_compiled(
    flask_app: Flask, world: World, compiled: CompiledPlans
) -> None:
    plan_id = publish(world.alice.app, buy="number")
    first = compiled.in_force(plan_id, 1)
    publish(world.alice.app, buy="text")
    loading = compiled._loading[plan_id, 2] = Loading()  # somebody compiles it just now
    with loading.lock:
        assert compiled.in_force(plan_id, 2) is first
    compiled._loading[plan_id, 2] = Loading(loading.lock, time.monotonic() - current.GRACE_SECONDS)

    def ask() -> int:
        with flask_app.app_context(), tenancy.inside(world.alice.organisation_id):
            return compiled.in_force(plan_id, 2).version

    with ThreadPoolExecutor(1) as pool:
        with loading.lock:  # but not for ever: the promise is a second
            answer = pool.submit(ask)
            time.sleep(0.05)
            assert not answer.done()
        assert answer.result(timeout=10) == 2
    assert compiled.in_force(plan_id, 1).version == 2  # who still believes in the first gets the newest, too


def test_what_did_not_change_is_not_compiled_again_and_what_did_is_ready(
    world: World, compiled: CompiledPlans
) -> None:
    plan_id = publish(world.alice.app, buy="number", view="text", leave="text")
    first = compiled.in_force(plan_id, 1)
    for name in ("buy", "view"):
        first.events[name].prepare()  # were judged here
    publish(world.alice.app, buy="text", view="text", leave="number")
    second = compiled.in_force(plan_id, 2)
    assert second.events["view"] is first.events["view"]
    assert second.events["buy"] is not first.events["buy"]
    assert second.events["buy"].is_ready
    assert not second.events["leave"].is_ready  # nobody waits for it


@pytest.mark.parametrize("changed", ["judging", "common", "bundles"])
def test_what_is_around_an_event_is_part_of_it(changed: str) -> None:
    old = plan_of(buy="number") | {"common": {"rules": [{"path": "id", "type": "text"}]}}
    old["bundles"] = {"1": {"dialect": None, "$defs": {"id": {"type": "string"}}, "definitions": {}}}
    old["events"]["push"] = {"schema": {"$ref": "#/$defs/id"}, "bundle": "1"}
    new = old | {
        "judging": {"judging": {"types": "lenient"}},
        "common": {"common": {"rules": [{"path": "id", "type": "number"}]}},
        "bundles": {"bundles": {"1": old["bundles"]["1"] | {"$defs": {"id": {"type": "number"}}}}},
    }.get(changed, {})
    before = current.compile_plan(old, 1)
    same = current.compile_plan(old, 2, older=before)
    after = current.compile_plan(new, 2, older=before)
    assert all(same.events[name] is before.events[name] for name in ("buy", "push"))
    assert after.events["push" if changed == "bundles" else "buy"] is not before.events["buy"]


def test_what_is_in_use_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A draft in which one event of many changed is checked in the time of one."""
    older = current.compile_plan(plan_of(buy="number", view="text"), 1)
    monkeypatch.setattr(older.events["view"], "problems", lambda: pytest.fail("checked again"))
    current.compile_plan(plan_of(buy="text", view="text"), 2, older=older)
    with pytest.raises(PlanInvalid, match="colour"):
        current.compile_plan(plan_of(buy="colour", view="text"), 2, older=older)


def test_a_stored_verdict_names_the_version_that_judged(
    client: FlaskClient, world: World, compiled: CompiledPlans
) -> None:
    alice, event = world.alice, {"event": "buy", "payload": {"value": 3}}
    plan_id = publish(alice.app, buy="number")
    assert alice.send(client, event).get_json()["plan_version"] == 1
    publish(alice.app, buy="text")
    compiled.take(plan_id, 2)  # while the sender's app is remembered with the first version
    answer = alice.send(client, event).get_json()
    assert (answer["plan_version"], answer["results"][0]["verdict"]) == (2, "invalid")
    stored = db.session.execute(select(LogEntry.plan_version, LogEntry.verdict).order_by(LogEntry.event_id))
    assert stored.all() == [(1, "valid"), (2, "invalid")]


def test_a_process_looks_takes_and_reports(
    client: FlaskClient, world: World, compiled: CompiledPlans
) -> None:
    plan_id = publish(world.alice.app, buy="number")
    enforcing.look(None)
    assert compiled.known() == {}  # nobody's events were judged here
    enforcing.look(plan_id)  # its bell rang
    publish(world.alice.app, buy="text")
    enforcing.look(None)
    assert compiled.known() == {plan_id: 2}
    counted = metrics.PLAN_ENFORCED_SECONDS._sum.get()
    switches = compiled.drain()
    assert [(s.plan_id, s.version) for s in switches] == [(plan_id, 1), (plan_id, 2)]
    enforcing.report(switches)
    enforcing.report(switches)  # told twice is told once
    rows = db.session.execute(select(PlanEnforcement).order_by(PlanEnforcement.version)).scalars().all()
    assert [(row.version, row.organisation_id) for row in rows] == [
        (1, world.alice.organisation_id),
        (2, world.alice.organisation_id),
    ]
    assert all(0 <= row.milliseconds < 60_000 for row in rows)
    assert metrics.PLAN_ENFORCED_SECONDS._sum.get() > counted
    versions = world.alice.get(client, "/api/apps/shop/plan/versions").get_json()["versions"]
    assert [(v["processes"], v["milliseconds"]) for v in versions] == [
        (1, row.milliseconds) for row in reversed(rows)
    ]


def test_the_time_is_that_of_the_switch_not_of_the_report(world: World, compiled: CompiledPlans) -> None:
    plan_id = publish(world.alice.app, buy="number")
    enforcing.report([Switch(plan_id, 1, time.monotonic() - 3600)])
    assert db.session.execute(select(PlanEnforcement.milliseconds)).scalar_one() == 0


def test_a_process_that_began_after_the_publication_tells_no_time(
    world: World, compiled: CompiledPlans, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_id = publish(world.alice.app, buy="number")
    with monkeypatch.context() as restarted:
        restarted.setattr(enforcing, "BORN", time.monotonic())
        enforcing.report([Switch(plan_id, 1, time.monotonic())])
    assert db.session.execute(select(PlanEnforcement)).all() == []
    enforcing.report([Switch(plan_id, 1, time.monotonic())])
    assert len(db.session.execute(select(PlanEnforcement)).all()) == 1


def test_looking_at_an_old_version_is_no_switch(world: World, compiled: CompiledPlans) -> None:
    plan_id = publish(world.alice.app, buy="number")
    publish(world.alice.app, buy="text")
    compiled.get(plan_id, 1)  # somebody opens an old event
    assert compiled.known() == {}
    compiled.in_force(plan_id, 2)
    assert compiled.drain() == []


def test_versions_that_are_not_used_any_more_are_forgotten(world: World) -> None:
    compiled = CompiledPlans(most=2)
    plan_id = publish(world.alice.app, buy="number")
    other = publish(world.charlie.app, buy="number")
    for _ in range(3):
        publish(world.charlie.app, buy="text")
    compiled.in_force(plan_id, 1)
    for version in (1, 2, 3, 4):
        compiled.in_force(other, version)
    assert compiled.known() == {other: 4}
    assert compiled.in_force(plan_id, 1).version == 1


@pytest.fixture
def watcher(flask_app: Flask) -> Iterator[Watcher]:
    found: Watcher = flask_app.extensions["plan_watcher"]
    found.listen()
    yield found
    found.end()


@pytest.mark.usefixtures("watcher")
def test_the_bell_brings_a_version_in_and_a_rollback_rings_none(
    world: World, compiled: CompiledPlans, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_id = publish(world.alice.app, buy="number")
    eventually(lambda: publish(world.alice.app, buy="number") and compiled.known(), 10)  # it listens by now
    publishing.publish(fresh(world.alice.app), Edition(plan_of(buy="date"), "csv"))
    db.session.rollback()
    newest = fresh(world.alice.app).plan_version
    publish(world.alice.app, buy="text")
    eventually(lambda: compiled.known() == {plan_id: newest + 1})
    assert plans.content_of(plan_id, newest + 2) is None


@pytest.mark.usefixtures("watcher")
def test_without_the_bell_a_process_looks_by_itself(
    flask_app: Flask, world: World, compiled: CompiledPlans, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_id = publish(world.alice.app, buy="number")
    compiled.in_force(plan_id, 1)
    monkeypatch.setattr(publishing.bell, "ring_after_commit", lambda _: None)
    publish(world.alice.app, buy="text")
    eventually(lambda: compiled.known() == {plan_id: 2}, 3 * enforcing.GLANCE_SECONDS)


def test_what_is_loaded_ahead_is_no_question(world: World, compiled: CompiledPlans) -> None:
    """A process that heard of a version has it when the first event comes: a hit, and no miss before."""
    plan_id = publish(world.alice.app, buy="number")
    before = current.HIT._value.get(), current.MISS._value.get()
    compiled.take(plan_id, 1)
    assert compiled.in_force(plan_id, 1).version == 1
    assert (current.HIT._value.get(), current.MISS._value.get()) == (before[0] + 1, before[1])


def test_a_process_starts_with_the_plans_of_those_who_sent_lately(
    flask_app: Flask, world: World, compiled: CompiledPlans, owner: Any
) -> None:
    plan_id = publish(world.alice.app, buy="number")
    quiet = publish(world.charlie.app, buy="number")
    with owner.cursor() as cursor:
        cursor.execute("UPDATE write_keys SET last_used_at = now() WHERE app_id = %s", [world.alice.app.id])
    watcher = Watcher(flask_app, flask_app.extensions["settings"].redis_url)
    watcher.listen()
    eventually(lambda: plan_id in compiled.known())
    watcher.end()
    assert quiet not in compiled.known()
