"""Overview, events, coverage and violations: figures are counts of rows, and cost the same however many there are."""

import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.store import catalogue, folding, summary, violations
from app.store.summary import Scope
from app.store.violations import is_from
from tests.auth.visitor import Mailbox, Visitor
from tests.dashboard.test_pages import Owner, alice, questions  # noqa: F401  (a fixture)
from tests.world import Tenant, World

SHEET = (
    b"eventName,eventPayload,dataType,required\nview,sku,text,true\nview,price,number,false\n"
    b"buy,items[].price,number,true\nnever,sku,text,true\nskipped,sku,text,true\n"
)
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}"
PAGES = (
    "/overview",
    "/apps/shop/overview",
    "/apps/shop/events",
    "/apps/shop/violations",
    "/apps/shop/events/named?name=view",
)


def publish(tenant: Tenant, client: FlaskClient) -> None:
    answer = tenant.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", SHEET)
    assert answer.status_code == 200, answer.text


def fold() -> None:
    while folding.fold():
        db.session.commit()
    db.session.commit()


def random_events(chance: random.Random, count: int) -> list[dict[str, Any]]:
    payloads = [
        {"sku": "a"},
        {"sku": 7},
        {},
        {"sku": "a", "price": "dear"},
        {"items": [{"price": 1}, {"price": "x"}, {"price": "y"}]},
    ]
    return [
        {
            "event": chance.choice(["view", "buy", "unheard of"]),
            "payload": chance.choice(payloads),
            "appVersion": chance.choice(["1.0", "2.0", ""]),
            "platform": chance.choice(["ios", "android", ""]),
            "messageId": str(chance.randrange(300)),
        }
        for _ in range(count)
    ]


def get(tenant: Tenant, client: FlaskClient, path: str) -> Any:
    answer = tenant.get(client, f"/api/apps/shop/{path}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def rows_of(owner: psycopg2.extensions.connection, app_id: int, where: str = "true") -> list[Any]:
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT event_name, verdict, coalesce(platform, ''), coalesce(app_version, ''), violations FROM log_entries"
            f" WHERE app_id = %s AND {where}",
            (app_id,),
        )
        return cursor.fetchall()


def general(path: str) -> str:
    return re.sub(r"\[\d+\]", "[]", path)


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("range=day", "true"),
        ("range=all", "true"),
        ("range=month&platform=ios", "platform = 'ios'"),
        ("range=week&app_version=2.0&platform=none", "app_version = '2.0' AND platform IS NULL"),
        ("from=2020-01-01T00:07:00Z&to=2021-01-01T00:00:00Z", "false"),
    ],
)
def test_every_figure_is_a_count_of_rows(
    world: World, client: FlaskClient, owner: psycopg2.extensions.connection, query: str, where: str
) -> None:
    chance = random.Random(11)
    for tenant in (world.alice, world.charlie):
        publish(tenant, client)
    for turn in range(6):
        tenant = world.charlie if turn % 3 == 2 else world.alice
        assert tenant.send(client, random_events(chance, 60)).status_code == 200
        if turn in (1, 4):
            fold()
    rows = rows_of(owner, world.alice.app.id, where)
    found = get(world.alice, client, f"overview?{query}")
    assert Counter(found["verdicts"]) == Counter(verdict for _, verdict, *_ in rows)
    for key, column in (("events", 0), ("platforms", 2), ("versions", 3)):
        shown = {
            (row["name"], verdict): row[verdict]
            for row in found[key]
            for verdict in ("valid", "invalid", "unplanned", "exempt")
            if row[verdict]
        }
        assert shown == Counter((row[column], row[1]) for row in rows)
    assert sum(bar["invalid"] for bar in found["series"]) == found["verdicts"]["invalid"]
    groups = Counter(
        group
        for name, _, _, _, broken_ in rows
        for group in {(name, general(v["path"]), v["kind"], v.get("constraint")) for v in broken_}
    )
    issues = get(world.alice, client, f"violations?{query}")["violations"]
    assert {(i["event"], i["path"], i["kind"], i["constraint"]): i["count"] for i in issues} == groups
    volume = Counter(name for name, *_ in rows)
    for issue in issues:
        assert issue["share"] == issue["count"] / volume[issue["event"]]
        assert sum(step["count"] for step in issue["trend"]) == issue["count"]
    catalogue = get(world.alice, client, f"catalogue?{query}")["events"]
    assert {
        e["name"]: sum(e[v] for v in ("valid", "invalid", "unplanned", "exempt")) for e in catalogue
    } == volume
    cover = get(world.alice, client, f"coverage?{query}")
    assert cover["seen"] == [name for name in ("view", "buy") if volume[name]]


def test_an_excluded_event_is_in_neither_number(world: World, client: FlaskClient) -> None:
    publish(world.alice, client)
    world.alice.send(client, [{"event": "View", "payload": {"sku": "a"}}])
    assert get(world.alice, client, "coverage")["coverage"] == 0.25
    path = "/api/apps/shop/coverage/exclusions"
    assert world.alice.post(client, path, {"event": "skipped", "reason": "web only"}).status_code == 200
    found = get(world.alice, client, "coverage")
    assert (found["coverage"], found["missing"]) == (1 / 3, ["buy", "never"])
    assert found["excluded"] == [{"event": "skipped", "reason": "web only"}]
    assert world.alice.post(client, path, {"event": "skipped", "reason": ""}).status_code == 200
    assert get(world.alice, client, "coverage")["coverage"] == 0.25
    assert world.alice.post(client, path, {"event": "nobody's", "reason": "x"}).status_code == 404


def issue_of(world: World, client: FlaskClient) -> Any:
    (issue,) = (i for i in get(world.alice, client, "violations")["violations"] if i["event"] == "view")
    return issue


def broken(version: str) -> list[dict[str, Any]]:
    return [{"event": "view", "payload": {}, "appVersion": version}]


def decide(world: World, client: FlaskClient, issue: Any, **decision: Any) -> Any:
    return world.alice.post(client, f"/api/apps/shop/violations/{issue['id']}/decision", decision)


@pytest.mark.parametrize("is_folded", [False, True])
def test_what_was_resolved_in_a_version_regresses_in_that_one_or_a_later(
    world: World, client: FlaskClient, is_folded: bool
) -> None:
    publish(world.alice, client)
    world.alice.send(client, broken("9.9"))
    if is_folded:
        fold()
    assert (
        decide(world, client, issue_of(world, client), state="resolved", until_version="10.0").status_code
        == 200
    )
    assert issue_of(world, client)["state"] == "resolved"
    world.alice.send(client, broken("9.10"))  # an old build, still out there
    assert issue_of(world, client)["state"] == "resolved"
    world.alice.send(client, broken("10.0.1"))
    assert issue_of(world, client)["state"] == "regressed"
    assert issue_of(world, client)["count"] == 3


def test_what_was_resolved_regresses_when_it_comes_back(world: World, client: FlaskClient) -> None:
    publish(world.alice, client)
    world.alice.send(client, broken("1"))
    fold()
    decide(world, client, issue_of(world, client), state="resolved")
    assert issue_of(world, client)["state"] == "resolved"
    world.alice.send(client, broken("1"))
    assert issue_of(world, client)["state"] == "regressed"


def test_a_mute_ends_at_its_time_or_version(world: World, client: FlaskClient) -> None:
    publish(world.alice, client)
    world.alice.send(client, broken("1.0"))
    later, sooner = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, -1))
    decide(world, client, issue_of(world, client), state="muted", muted_until=later.isoformat())
    assert issue_of(world, client)["state"] == "muted"
    decide(world, client, issue_of(world, client), state="muted", muted_until=sooner.isoformat())
    assert issue_of(world, client)["state"] == "open"
    decide(world, client, issue_of(world, client), state="muted", until_version="1.1")
    assert issue_of(world, client)["state"] == "muted"
    world.alice.send(client, broken("1.1"))
    assert issue_of(world, client)["state"] == "open"


def test_a_decision_keeps_its_note_and_assignee_and_an_audit_line(
    alice: Owner,  # noqa: F811
    owner: psycopg2.extensions.connection,
) -> None:
    key = alice.make_app("shop")
    alice.send("shop", key, [{"event": "unheard of"}])
    page = alice.page("/apps/shop/violations")
    (fingerprint,) = set(re.findall(r'id="v-([0-9a-f-]{36})"', page))
    (member,) = re.findall(r'<option value="(\d+)" >[^<]+@', page)
    answer = alice.submit(
        f"/apps/shop/violations/{fingerprint}",
        state="known",
        note=HOSTILE,
        assignee_id=member,
        muted_until="",
    )
    assert answer.status_code == 303
    page = alice.page("/apps/shop/violations?state=known")
    assert alice.email in page
    assert HOSTILE not in page
    assert "&lt;img src=x" in page
    with owner.cursor() as cursor:
        cursor.execute("SELECT object FROM audit_log WHERE action = 'violation_triaged'")
        assert cursor.fetchall() == [(fingerprint,)]


@pytest.mark.parametrize(
    ("decision", "status"),
    [
        ({"state": "gone"}, 422),
        ({"state": "muted", "muted_until": "soon"}, 422),
        ({"state": "muted", "muted_until": 5}, 422),
        ({"state": "known", "note": "x" * 1001}, 422),
        ({"state": "known", "note": "\x00"}, 422),
        ({"state": "known", "assignee_id": 999_999}, 422),
    ],
)
def test_a_bad_decision_is_refused(world: World, client: FlaskClient, decision: Any, status: int) -> None:
    world.alice.send(client, [{"event": "x"}])
    (issue,) = get(world.alice, client, "violations")["violations"]
    assert decide(world, client, issue, **decision).status_code == status


def test_nobody_decides_or_reads_what_is_somebody_elses(world: World, client: FlaskClient) -> None:
    world.alice.send(client, [{"event": "x"}])
    (issue,) = get(world.alice, client, "violations")["violations"]
    path = f"/api/apps/shop/violations/{issue['id']}/decision"
    assert world.charlie.post(client, path, {"state": "known"}).status_code == 404  # of Charlie's own `shop`
    assert get(world.charlie, client, "violations")["violations"] == []
    assert get(world.charlie, client, "catalogue")["events"] == []


@pytest.mark.parametrize(
    "query",
    ["range=year", "from=soon", "from=2026-02-01&to=2026-01-01", "platform=" + "x" * 300, "app_version=%00"],
)
def test_a_scope_that_is_none_is_refused(world: World, client: FlaskClient, query: str) -> None:
    assert world.alice.get(client, f"/api/apps/shop/overview?{query}").status_code == 400


@pytest.mark.parametrize(
    "query", ["from=0001-01-01T00:00:00Z", "to=9999-12-31T23:59:59Z", "from=9999-12-31T00:00:00Z"]
)
def test_the_ends_of_time_are_no_fault(world: World, client: FlaskClient, query: str) -> None:
    assert world.alice.get(client, f"/api/apps/shop/overview?{query}").status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_pages_ask_the_same_of_one_event_and_of_many(
    alice: Owner,  # noqa: F811
    statements: list[str],
    path: str,
) -> None:
    key = alice.make_app("shop")
    alice.ask(
        "POST",
        "/api/apps/shop/plan/import?format=csv&publish=true",
        data=SHEET,
        headers={"X-CSRF-Token": alice.token()},
        content_type="text/csv",
    )
    chance = random.Random(12)
    alice.send("shop", key, [{"event": "view"}])
    alice.page(path)
    before = questions(alice, statements, path)
    for _ in range(3):
        alice.send("shop", key, random_events(chance, 100))
        fold()
    alice.send("shop", key, [{"event": f"name {n}"} for n in range(100)])
    assert questions(alice, statements, path) == before <= 14


def test_hostile_names_and_values_are_text(alice: Owner) -> None:  # noqa: F811
    key = alice.make_app("shop")
    event = {"event": HOSTILE, "payload": {HOSTILE: HOSTILE}, "appVersion": HOSTILE, "platform": HOSTILE}
    alice.send("shop", key, [event])
    for path in (*PAGES[:4], "/apps/shop/events/named?name=" + HOSTILE.replace("{", "%7B")):
        page = alice.page(path)
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page
        assert "49" not in re.findall(r"onerror=alert\(1\)&gt;&#34;&#39;(\S{2})", page)


def test_a_viewer_reads_and_may_not_decide(
    alice: Owner,  # noqa: F811
    owner: psycopg2.extensions.connection,
) -> None:
    alice.send("shop", alice.make_app("shop"), [{"event": "x"}])
    fingerprint = re.findall(r'id="v-([0-9a-f-]{36})"', alice.page("/apps/shop/violations"))[0]
    with owner.cursor() as cursor:
        cursor.execute("UPDATE memberships SET role = 'viewer'")
    viewer = Owner(alice.flask_app, alice.mailbox, alice.email)
    viewer.login()
    viewer.verify(viewer.mailed_code())
    assert "Decide" not in viewer.page("/apps/shop/violations")
    assert viewer.submit(f"/apps/shop/violations/{fingerprint}", state="known").status_code == 403


def test_an_apps_pages_are_not_found_by_others(flask_app: Flask, alice: Owner, mailbox: Mailbox) -> None:  # noqa: F811
    alice.make_app("shop")
    stranger = Visitor(flask_app, mailbox).join()
    for path in PAGES[1:]:
        assert stranger.ask("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("version", "start", "expected"),
    [
        ("10.0", "9.9", True),
        ("9.10", "9.9", True),
        ("1.0-beta", "1.0", False),
        ("1.0.1", "1.0", True),
        ("2", "10", False),
        ("", "1.0", True),
        ("v1.2", "v1.10", False),
    ],
)
def test_versions_are_compared_as_people_do(version: str, start: str, expected: bool) -> None:
    assert is_from(version, start) is expected


def test_the_first_wall_holds_without_the_second(world: World, client: FlaskClient) -> None:
    """Asked across organisations, as upkeep may: the questions still name their own."""
    for tenant in (world.alice, world.charlie):
        tenant.send(client, [{"event": "x"}])
    for tenant in (world.alice, world.charlie):
        own = Scope(tenant.organisation_id, (world.alice.app.id, world.charlie.app.id))
        assert [sum(row.counts.values()) for row in summary.by(own, "event_name")] == [1]
        assert [group.app_id for group in violations.groups(own, 1440)] == [tenant.app.id]


def test_an_events_page_says_what_its_latest_payloads_hold_and_how_many_they_are(
    alice: Owner,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catalogue, "MOST_SAMPLED", 3)
    key = alice.make_app("shop")
    for payload in ({"old": 1}, {"a": 1}, {"a": "x", "items": [{"n": 1}, {"n": 2}]}, {"a": ""}):
        alice.send(
            "shop", key, [{"event": "view", "payload": payload}, {"event": "other", "payload": {"z": 1}}]
        )
    page = re.sub(r"<[^>]+>|\s+", " ", alice.page("/apps/shop/events/named?name=view"))
    page = re.sub(r"\s+", " ", page)
    assert "Of the last 3 of these events" in page
    assert "a 66% text 2 , integer 1" in page
    assert "items[].n 33% integer" in page
    assert " old " not in page
    assert " z " not in page
