"""Studies: a draft judged back against stored events, and events put into the draft as they were seen."""

import os
import signal
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.dashboard import inferences, studying
from app.jobs.queues import Queue
from app.jobs.run import drain
from app.plans import backtesting
from app.plans.backtesting import Judges
from app.store import past, studies
from app.store.past import PastEvent
from app.validation.compile import compile_plan
from tests.conftest import eventually
from tests.jobs.conftest import Worker, start_worker  # noqa: F401  (a fixture, here as well)
from tests.world import Tenant, World

Owner = psycopg2.extensions.connection
PLAN = "/api/apps/shop/plan"
SHEET = b"eventName,eventPayload,dataType,required\nbuy,total,number,yes\nbuy,sku,text,no"
STRICTER = (
    b"eventName,eventPayload,dataType,required\nbuy,total,integer,yes\nbuy,sku,text,yes\nview,page,text,no"
)
EVENTS: list[dict[str, Any]] = [
    {"event": "buy", "appVersion": "1.0", "payload": {"total": 1, "sku": "a"}},
    {"event": "buy", "appVersion": "1.0", "payload": {"total": 2.5, "sku": "a"}},
    {"event": "buy", "appVersion": "2.0", "payload": {"total": 3}},
    {"event": "buy", "appVersion": "2.0", "payload": {"total": 4.5}},
    {"event": "buy", "payload": {"sku": "b"}},
    {"event": "view", "payload": {"page": "home"}},
    {"event": "other", "payload": {}},
]


def publish(client: FlaskClient, tenant: Tenant, sheet: bytes = SHEET) -> None:
    assert tenant.post(client, f"{PLAN}/import?format=csv&publish=true", sheet).status_code == 200


def draft(client: FlaskClient, tenant: Tenant, sheet: bytes = STRICTER) -> None:
    assert tenant.post(client, f"{PLAN}/import?format=csv", sheet).status_code == 200


def begin(client: FlaskClient, tenant: Tenant, path: str = "/backtest", **body: Any) -> str:
    answer = tenant.post(client, PLAN + path, body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == answer.get_json()["status_url"]
    return answer.get_json()["status_url"]


def work(flask_app: Flask) -> None:
    while drain(Queue.LOW):
        pass


def rows(owner: Owner, query: str) -> list[Any]:
    with owner.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


# ── back-test ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_draft_is_judged_back_by_event_property_and_version_with_samples(
    flask_app: Flask, client: FlaskClient, world: World
) -> None:
    publish(client, world.alice)
    sent = world.alice.send(client, EVENTS).get_json()["results"]
    draft(client, world.alice)
    status = begin(client, world.alice, events=100)
    assert world.alice.get(client, status).get_json()["state"] == "waiting"
    work(flask_app)
    done = world.alice.get(client, status).get_json()
    assert (done["state"], done["progress"], done["events_done"]) == ("done", 1, 7)
    found = done["result"]
    assert (found["judged"], found["plan_version"], found["draft_revision"]) == (7, 1, 1)
    failing = found["newly_failing"]
    assert failing["events"] == 3
    assert failing["by_event"] == [{"event": "buy", "count": 3}]
    assert failing["by_version"] == [{"app_version": "2.0", "count": 2}, {"app_version": "1.0", "count": 1}]
    by_property = {(g["path"], g["kind"]): g for g in failing["by_property"]}
    assert {key: group["count"] for key, group in by_property.items()} == {
        ("total", "type_mismatch"): 2,
        ("sku", "missing_property"): 2,
    }
    samples = by_property["sku", "missing_property"]["samples"]
    assert sorted(samples) == sorted(sent[n]["event_id"] for n in (2, 3))
    assert "`sku`" in by_property["sku", "missing_property"]["message"]
    passing = found["newly_passing"]
    assert (passing["events"], passing["by_event"]) == (1, [{"event": "view", "count": 1}])
    assert passing["by_property"][0]["kind"] == "unplanned_event"
    assert found["still_failing_otherwise"] == 0
    assert found["verdicts"]["invalid invalid"] == 1
    assert world.alice.get(client, "/api/apps/shop/summary").get_json()["verdicts"]["invalid"] == 1


def test_only_the_newest_are_judged_and_never_more_than_a_hundred_thousand(
    flask_app: Flask, client: FlaskClient, world: World
) -> None:
    publish(client, world.alice)
    world.alice.send(client, EVENTS)
    draft(client, world.alice)
    status = begin(client, world.alice, events=3)
    work(flask_app)
    assert world.alice.get(client, status).get_json()["result"]["judged"] == 3
    for events in (0, 100_001, "7", True, 1.5):
        answer = world.alice.post(client, f"{PLAN}/backtest", {"events": events})
        assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_field")
    assert studying.MOST_EVENTS == 100_000


def test_a_turn_ends_and_the_next_goes_on_where_it_was_with_the_same_result(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(client, world.alice)
    world.alice.send(client, EVENTS * 5)
    draft(client, world.alice)
    at_once = begin(client, world.alice, events=100)
    work(flask_app)
    monkeypatch.setattr(past, "SLICE", 4)
    monkeypatch.setattr(studying, "TURN_SECONDS", 0)
    in_turns = begin(client, world.alice, events=100)
    seen: list[float] = []
    while drain(Queue.LOW) or not seen or seen[-1] < 1:
        seen.append(world.alice.get(client, in_turns).get_json()["progress"])
        if seen[-1] == 1:
            break
    one, other = (world.alice.get(client, url).get_json() for url in (at_once, in_turns))
    assert one["result"] == other["result"]
    assert rows(owner, "SELECT count(*) FROM studies WHERE content IS NOT NULL OR state IS NOT NULL") == [
        (0,)
    ]


def test_the_draft_that_was_asked_about_is_judged_whatever_becomes_of_it(
    flask_app: Flask, client: FlaskClient, world: World
) -> None:
    publish(client, world.alice)
    world.alice.send(client, EVENTS)
    draft(client, world.alice)
    status = begin(client, world.alice, events=100)
    assert world.alice.post(client, f"{PLAN}/import?format=csv&revision=1", SHEET).status_code == 200
    publish(client, world.alice, STRICTER)
    work(flask_app)
    found = world.alice.get(client, status).get_json()["result"]
    assert (found["draft_revision"], found["plan_version"], found["newly_failing"]["events"]) == (1, 1, 3)


def test_a_study_can_be_cancelled_and_ends_with_the_slice_at_hand(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(client, world.alice)
    world.alice.send(client, EVENTS)
    draft(client, world.alice)
    status = begin(client, world.alice, events=100)
    monkeypatch.setattr(past, "SLICE", 2)
    take, slices = backtesting.take, []

    def cancelled(*given: Any) -> None:
        take(*given)
        slices.append(given)
        if world.alice.get(client, status).get_json()["events_done"]:
            assert world.alice.post(client, f"{status}/cancel", {}).get_json()["state"] == "cancelled"

    monkeypatch.setattr(studying.backtesting, "take", cancelled)
    work(flask_app)
    found = world.alice.get(client, status).get_json()
    assert (found["state"], found["events_done"], len(slices)) == ("cancelled", 2, 2)
    assert "result" not in found
    assert rows(owner, "SELECT state FROM outbox WHERE job = 'judge_back'") == [("done",)]


def test_killed_at_any_point_a_back_test_goes_on_and_counts_each_event_once(
    flask_app: Flask,
    client: FlaskClient,
    world: World,
    owner: Owner,
    start_worker: Callable[..., Worker],  # noqa: F811
) -> None:
    publish(client, world.alice)
    for _ in range(6):
        world.alice.send(client, [EVENTS[2], EVENTS[0]] * 400)
    draft(client, world.alice)
    with owner.cursor() as cursor:  # more than is judged before the worker is killed
        cursor.execute(
            "INSERT INTO log_entries"
            " SELECT (jsonb_populate_record(e, jsonb_build_object('event_id', gen_random_uuid()))).*"
            " FROM log_entries e CROSS JOIN generate_series(1, 4)"
        )
    (total,) = rows(owner, "SELECT count(*) FROM log_entries")[0]
    status = begin(client, world.alice, events=100_000)
    worker = start_worker()
    eventually(lambda: rows(owner, "SELECT done FROM studies")[0][0] >= 1_000)
    for pid in worker.children():
        os.kill(pid, signal.SIGKILL)
    with owner.cursor() as cursor:  # what 70 seconds of waiting would do
        cursor.execute("UPDATE outbox SET locked_until = now() WHERE state = 'running'")
    assert world.alice.get(client, status).get_json()["events_done"] < total
    eventually(lambda: world.alice.get(client, status).get_json()["state"] == "done", 60)
    found = world.alice.get(client, status).get_json()["result"]
    assert (found["judged"], found["newly_failing"]["events"]) == (total, total // 2)


def test_what_is_found_stays_bounded(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtesting, "MOST_GROUPS", 2)
    monkeypatch.setattr(studies, "MOST_KEPT", 3)
    content = {
        "events": {f"e{n}": {"rules": [{"path": "a", "type": "text", "required": True}]} for n in range(9)}
    }
    judges = Judges(None, compile_plan(content, 1), exempts_system_events=False)
    state = backtesting.begun()
    place: Any = (None, "")
    backtesting.take(state, judges, [PastEvent(place, str(n), f"e{n}", f"{n}", {}, {}) for n in range(9)])
    found = backtesting.told(state)["newly_failing"]
    assert found["by_event"][0] == {"event": "*other*", "count": 7}
    assert (len(found["by_event"]), len(found["by_version"]), len(found["by_property"])) == (3, 3, 3)
    assert sum(group["count"] for group in found["by_property"]) == 9
    assert all(len(group["samples"]) <= backtesting.MOST_SAMPLES for group in found["by_property"])
    draft(client, world.alice)
    for _ in range(5):
        begin(client, world.alice, events=1)
        work(flask_app)
    assert rows(owner, "SELECT count(*) FROM studies") == [(3,)]


def test_without_a_draft_and_while_two_are_going_on_none_is_begun(client: FlaskClient, world: World) -> None:
    answer = world.alice.post(client, f"{PLAN}/backtest", {})
    assert (answer.status_code, answer.get_json()["code"]) == (404, "no_draft")
    draft(client, world.alice)
    for _ in range(studying.MOST_UNFINISHED):
        begin(client, world.alice)
    answer = world.alice.post(client, f"{PLAN}/backtest", {})
    assert (answer.status_code, answer.get_json()["code"]) == (429, "too_many_studies")


def test_another_organisations_study_is_unknown(client: FlaskClient, world: World) -> None:
    draft(client, world.alice)
    status = begin(client, world.alice)
    answer = world.charlie.get(client, status)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_study")
    assert world.charlie.post(client, f"{status}/cancel", {}).status_code == 404
    assert world.charlie.get(client, f"{PLAN}/studies").get_json() == {"studies": []}
    assert len(world.alice.get(client, f"{PLAN}/studies").get_json()["studies"]) == 1


# ── infer ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def drafted(client: FlaskClient, tenant: Tenant) -> dict[str, Any]:
    return tenant.get(client, f"{PLAN}/draft").get_json()["content"]["events"]


def test_an_unplanned_event_is_one_step_from_the_draft(
    client: FlaskClient, world: World, owner: Owner
) -> None:
    publish(client, world.alice)
    world.alice.send(
        client,
        [{"event": "view", "payload": {"page": "home" if n % 2 else "cart", "n": n}} for n in range(40)],
    )
    answer = world.alice.post(client, f"{PLAN}/infer", {"event": "view"})
    assert answer.status_code == 200
    study = answer.get_json()
    assert (study["state"], study["result"]["draft_revision"]) == ("done", 1)
    (event,) = study["result"]["events"]
    assert (event["event"], event["sampled"], event["omitted"]) == ("view", 40, 0)
    page, number = event["rules"]
    assert (page["seen"]["there"], page["seen"]["of"], page["seen"]["values"]) == (
        40,
        40,
        [{"value": "home", "count": 20}, {"value": "cart", "count": 20}],
    )
    assert (number["seen"]["least"], number["seen"]["most"]) == (0, 39)
    events = drafted(client, world.alice)
    assert list(events) == ["buy", "view"]
    assert events["view"]["rules"] == [
        {"path": "page", "type": "text", "required": True, "constraints": {"enum": ["cart", "home"]}},
        {"path": "n", "type": "integer", "required": True, "constraints": {"minimum": 0}},
    ]
    assert rows(owner, "SELECT count(*) FROM plan_versions") == [(1,)], "nothing is published"
    never = world.alice.post(client, f"{PLAN}/infer", {"event": "unheard"})
    assert (never.status_code, never.get_json()["code"]) == (404, "never_seen")


def test_what_the_plan_does_not_know_of_a_whole_app_is_put_into_the_draft_by_a_worker(
    flask_app: Flask, client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(client, world.alice)
    world.alice.send(client, [*EVENTS, {"event": "View", "payload": {"page": None}}])
    monkeypatch.setattr(past, "SLICE", 3)
    status = begin(client, world.alice, "/infer")
    assert list(drafted(client, world.alice)) == ["buy"]
    work(flask_app)
    done = world.alice.get(client, status).get_json()
    assert (done["state"], done["events_done"]) == ("done", 8)
    assert {(e["event"].lower(), e["sampled"]) for e in done["result"]["events"]} == {
        ("view", 2),
        ("other", 1),
    }
    events = drafted(client, world.alice)
    assert events["buy"]["rules"][0]["type"] == "number", "what is planned stays"
    (name,) = [name for name in events if name.lower() == "view"]
    assert events[name]["rules"] == [{"path": "page", "type": "text", "required": True, "nullable": True}]
    again = begin(client, world.alice, "/infer", with_planned=True)
    work(flask_app)
    found = world.alice.get(client, again).get_json()["result"]
    assert {e["event"].lower() for e in found["events"]} == {"buy", "view", "other"}
    assert {"path": "total", "type": "number"} in drafted(client, world.alice)["buy"]["rules"]


def test_the_sample_is_bounded_by_events_by_names_and_by_payloads_of_each(
    flask_app: Flask, client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.alice.send(client, [{"event": f"e{n % 5}", "payload": {"n": n}} for n in range(50)])
    monkeypatch.setattr(inferences, "MOST_SAMPLED", 4)
    monkeypatch.setattr(inferences, "MOST_EVENTS", 3)
    monkeypatch.setattr(inferences, "MOST_LOOKED_AT", 40)
    status = begin(client, world.alice, "/infer")
    work(flask_app)
    done = world.alice.get(client, status).get_json()
    assert (done["events_done"], done["result"]["left_out"]) == (40, 2)
    assert [event["sampled"] for event in done["result"]["events"]] == [4, 4, 4]


def test_a_cancelled_inference_leaves_the_draft_as_it_was(
    flask_app: Flask, client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.alice.send(client, EVENTS)
    status = begin(client, world.alice, "/infer")
    adopt = inferences.adopt

    def cancelled(*given: Any) -> int:
        assert world.alice.post(client, f"{status}/cancel", {}).get_json()["state"] == "cancelled"
        return adopt(*given)

    monkeypatch.setattr(inferences, "adopt", cancelled)
    work(flask_app)
    assert world.alice.get(client, status).get_json()["state"] == "cancelled"
    assert drafted(client, world.alice) == {}


def test_somebody_who_edits_the_draft_meanwhile_loses_nothing(
    flask_app: Flask, client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.alice.send(client, EVENTS)
    begin(client, world.alice, "/infer")
    replace = inferences.drafting.replace

    def overtaken(*given: Any) -> int:
        monkeypatch.setattr(inferences.drafting, "replace", replace)
        operations = [{"op": "add_event", "event": "mine"}]
        body = {"revision": 0, "operations": operations}
        assert world.alice.post(client, f"{PLAN}/draft", body).status_code == 200
        return replace(*given)

    monkeypatch.setattr(inferences.drafting, "replace", overtaken)
    work(flask_app)
    assert set(drafted(client, world.alice)) == {"mine", "buy", "view", "other"}
