"""Versions: numbered without twins, never changed, in force from the commit on."""

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from psycopg2.extensions import connection
from sqlalchemy import select

from app import metrics
from app.extensions import db
from app.plans import current, drafting, importing, publishing
from app.plans.content import from_text
from app.plans.current import CompiledPlans
from app.plans.publishing import Edition
from app.store import apps, drafts, plans, tenancy
from app.store.apps import AppRef
from app.store.tables import PlanVersion, TrackingPlan
from tests.world import World


def sheet(*names: str) -> bytes:
    return "\n".join(["eventName,eventPayload,dataType", *(f"{name},a,text" for name in names)]).encode()


def publish(app: AppRef, *names: str, mode: str = "replace") -> int:
    """Import a sheet with these events, each with one rule, publish it, and commit."""
    version = publishing.publish(app, edition(*names, mode=mode))
    db.session.commit()
    return version


def draft(app: AppRef, *names: str) -> None:
    """Make such a sheet the draft."""
    drafting.replace(app, edition(*names), drafts.about(app).revision)
    db.session.commit()


def edition(*names: str, mode: str = "replace") -> Edition:
    return Edition(importing.read("csv", sheet(*names)).content, "csv", mode=mode)


def fresh(app: AppRef) -> AppRef:
    """The app as the next request finds it."""
    found = apps.find(app.organisation_id, app.slug)
    assert found is not None
    return found


def events_in_force(app: AppRef) -> list[str]:
    plan = current.current(fresh(app))
    return list(plan.events) if plan else []


def test_the_first_import_makes_the_plan_and_its_first_version(world: World) -> None:
    app = world.alice.app
    assert current.current(fresh(app)) is None
    assert publish(app, "buy", "leave") == 1
    assert (fresh(app).plan_version, events_in_force(app)) == (1, ["buy", "leave"])
    version = db.session.execute(select(PlanVersion)).scalar_one()
    assert (version.status, version.source_format, version.events_count, version.rules_count) == (
        "published",
        "csv",
        2,
        2,
    )
    assert version.published_at is not None
    assert version.organisation_id == app.organisation_id


def test_whether_the_rules_were_in_memory_is_counted(world: World) -> None:
    def counted() -> list[float]:
        text = metrics.text("")[0].decode()
        return [
            float(re.findall(rf'^lvd_cache_total{{kind="rules",outcome="{outcome}"}} (\S+)$', text, re.M)[0])
            for outcome in ("hit", "miss")
        ]

    app = world.alice.app
    publish(app, "buy")
    hits, misses = counted()
    for _ in range(3):
        assert events_in_force(app) == ["buy"]
    assert counted() == [hits + 2, misses + 1]
    publish(app, "leave")
    assert events_in_force(app) == ["leave"]
    assert counted() == [hits + 2, misses + 2]


def test_replacing_keeps_nothing_and_merging_keeps_the_rest(world: World) -> None:
    app = world.alice.app
    publish(app, "buy", "leave")
    assert publish(app, "join", mode="merge") == 2
    assert events_in_force(app) == ["buy", "leave", "join"]
    assert publish(app, "join") == 3
    assert events_in_force(app) == ["join"]


def test_a_draft_judges_nothing_and_is_not_merged_into(world: World) -> None:
    app = world.alice.app
    draft(app, "buy")
    assert events_in_force(app) == []
    assert publish(app, "join") == 1
    draft(app, "draft")
    assert events_in_force(app) == ["join"]
    assert publish(app, "more", mode="merge") == 2
    assert events_in_force(app) == ["join", "more"]


def test_before_the_first_publish_merging_goes_on_from_the_draft(world: World) -> None:
    app = world.alice.app
    draft(app, "buy")
    publish(app, "join", mode="merge")
    assert events_in_force(app) == ["buy", "join"]


def test_what_was_published_never_changes(world: World) -> None:
    app = world.alice.app
    publish(app, "buy")
    publish(app, "join")
    plan_id = fresh(app).plan_id
    assert plan_id is not None
    contents = [plans.content_of(plan_id, version) for version in (1, 2, 3)]
    assert [content and list(from_text(content)["events"]) for content in contents] == [
        ["buy"],
        ["join"],
        None,
    ]


def test_plans_of_two_organisations_do_not_touch(world: World) -> None:
    publish(world.alice.app, "buy")
    assert fresh(world.charlie.app).plan_id is None
    assert publish(world.charlie.app, "join") == 1
    assert events_in_force(world.alice.app) == ["buy"]
    assert len(db.session.execute(select(TrackingPlan)).scalars().all()) == 2


def test_imports_at_once_get_different_numbers(flask_app: Flask, world: World, owner: connection) -> None:
    """Also the first ones, which both find no plan."""
    together = Barrier(4)

    def one(number: int) -> int:
        with flask_app.app_context(), tenancy.inside(world.alice.organisation_id):
            together.wait()
            return publish(world.alice.app, f"event{number}", mode="merge")

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(4))) == [1, 2, 3, 4]
    assert sorted(events_in_force(world.alice.app)) == ["event0", "event1", "event2", "event3"]
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tracking_plans")
        assert cursor.fetchone() == (1,)


def test_a_plan_is_loaded_once_per_version_however_many_ask(world: World) -> None:
    publish(world.alice.app, "buy")
    app = fresh(world.alice.app)
    assert app.plan_id is not None
    compiled = CompiledPlans(most=2)
    first = compiled.get(app.plan_id, 1)
    assert compiled.get(app.plan_id, 1) is first
    publish(world.alice.app, "join")
    publish(world.alice.app, "leave")
    compiled.get(app.plan_id, 2)
    compiled.get(app.plan_id, 1)
    compiled.get(app.plan_id, 3)  # the third pushes out the one that was asked longest ago
    assert compiled.get(app.plan_id, 1) is first
    with pytest.raises(LookupError):
        compiled.get(app.plan_id, 9)


def test_waiting_neighbours_get_the_plan_that_one_of_them_loads(flask_app: Flask, world: World) -> None:
    publish(world.alice.app, "buy")
    app = fresh(world.alice.app)
    assert app.plan_id is not None
    compiled, together, plan_id = CompiledPlans(), Barrier(4), app.plan_id

    def ask(_: int) -> object:
        with flask_app.app_context(), tenancy.inside(world.alice.organisation_id):
            together.wait()
            return compiled.get(plan_id, 1)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1


def test_an_app_whose_plan_was_just_deleted_is_judged_by_none(world: World) -> None:
    publish(world.alice.app, "buy")
    app = fresh(world.alice.app)
    db.session.delete(db.session.get_one(TrackingPlan, app.plan_id))
    db.session.commit()
    assert current.current(app) is None


def test_the_expected_fields_are_those_of_the_plan_in_force(world: World) -> None:
    app = world.alice.app
    assert current.expected(fresh(app), "buy") == []
    publish(app, "buy")
    assert current.expected(fresh(app), "BUY") == [{"path": "a", "type": "text", "required": True}]
    assert current.expected(fresh(app), "join") == []
