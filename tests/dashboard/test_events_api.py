"""GET /api/apps/<app_id>/events: newest first, filtered by the server, paged without end, nobody else's."""

from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from app.extensions import db
from app.store import events
from tests.world import World

SHEET = b"eventName,eventPayload,dataType\nbuy,price,number\n"
EVENTS = [
    {"event": "buy", "messageId": "1", "payload": {"price": 3}, "platform": "ios", "appVersion": "1.0"},
    {"event": "buy", "messageId": "2", "payload": {"price": "3"}, "platform": "android", "sessionId": "s1"},
    {"event": "look", "messageId": "3", "payload": {"what": "A 100% match_"}},
    {"event": "buy", "messageId": "4", "payload": {}},
]


@pytest.fixture
def filled(client: FlaskClient, world: World) -> World:
    imported = world.alice.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", SHEET)
    assert imported.status_code == 200, imported.text
    answer = world.alice.send(client, EVENTS)
    assert answer.get_json()["accepted"] == 4
    return world


def listed(world: World, client: FlaskClient, query: str = "") -> dict[str, Any]:
    answer = world.alice.get(client, f"/api/apps/shop/events{query}")
    assert answer.status_code == 200, answer.text
    return orjson.loads(answer.data)


def ids(page: dict[str, Any]) -> list[str]:
    return [event["message_id"] for event in page["events"]]


def test_newest_first_with_all_that_the_contract_names(client: FlaskClient, filled: World) -> None:
    page = listed(filled, client)
    assert ids(page) == ["4", "3", "2", "1"]
    assert page["next_cursor"] is None
    wrong = page["events"][2]
    assert wrong.keys() >= {
        "event_id", "message_id", "name", "verdict", "violations", "received_at", "plan_version", "payload", "envelope"
    }  # fmt: skip
    assert (wrong["name"], wrong["verdict"], wrong["plan_version"]) == ("buy", "invalid", 1)
    (violation,) = wrong["violations"]
    assert violation["message"]
    assert (violation["kind"], violation["path"]) == ("type_mismatch", "price")
    assert (violation["expected"], violation["received"]) == ("number", "text")
    assert wrong["payload"] == {"price": "3"}
    assert wrong["envelope"]["platform"] == "android"


def test_pages_follow_each_other_without_gap_or_overlap(client: FlaskClient, filled: World) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        page = listed(filled, client, f"?limit=1&cursor={cursor}")
        seen += ids(page)
        cursor = page["next_cursor"]
    assert seen == ["4", "3", "2", "1"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("event=buy", ["4", "2", "1"]),
        ("event=BUY", []),
        ("verdict=invalid", ["4", "2"]),
        ("verdict=unplanned", ["3"]),
        ("kind=missing_property", ["4"]),
        ("kind=type_mismatch&path=price", ["2"]),
        ("platform=ios", ["1"]),
        ("app_version=1.0", ["1"]),
        ("session=s1", ["2"]),
        ("device=d1", []),
        ("identity=i1", []),
        ("origin=user&event=buy", ["4", "2", "1"]),
        ("origin=system", []),
        ("q=100%25 MATCH_", ["3"]),
        ("q=%25", ["3"]),
        ("from=2001-01-01T00:00:00Z", ["4", "3", "2", "1"]),
        ("to=2001-01-01T00:00:00Z", []),
        ("verdict=invalid&platform=android", ["2"]),
    ],
)
def test_the_server_filters(client: FlaskClient, filled: World, query: str, found: list[str]) -> None:
    assert ids(listed(filled, client, f"?{query}")) == found


def test_only_the_asked_members_are_answered(client: FlaskClient, filled: World) -> None:
    (event,) = listed(filled, client, "?limit=1&fields=name,verdict,payload")["events"]
    assert list(event) == ["name", "verdict", "payload"]
    (whole,) = listed(filled, client, "?limit=1")["events"]
    names = ",".join(whole)
    assert listed(filled, client, f"?limit=1&fields={names}")["events"] == [whole], (
        "every member can be asked for"
    )


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("fields=name,secret", "bad_filter"),
        ("fields=,", "bad_filter"),
        ("limit=0", "bad_filter"),
        ("limit=-1", "bad_filter"),
        ("limit=1001", "bad_filter"),
        ("limit=1e3", "bad_filter"),
        ("limit=99999999999999999999", "bad_filter"),
        ("limit=%D9%A3", "bad_filter"),
        ("verdict=good", "bad_filter"),
        ("kind=x", "bad_filter"),
        ("origin=x", "bad_filter"),
        ("from=yesterday", "bad_filter"),
        ("from=2026-02-30T00:00:00", "bad_filter"),
        ("from=0001-01-01T00:00:00%2B14:00", "bad_filter"),
        ("event=a%00", "bad_filter"),
        ("q=" + "x" * 300, "bad_filter"),
        ("cursor=garbage", "bad_cursor"),
        ("cursor=%FF", "bad_cursor"),
        ("cursor=MjAyNi0wMS0wMSBub3QtYW4taWQ=", "bad_cursor"),
    ],
)
def test_bad_questions_get_a_stable_code(client: FlaskClient, filled: World, query: str, code: str) -> None:
    answer = filled.alice.get(client, f"/api/apps/shop/events?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (400, code)


def test_one_event_tells_the_rule_behind_a_violation_and_what_to_send(
    client: FlaskClient, world: World
) -> None:
    sheet = b"eventName,eventPayload,dataType,description,owner\nbuy,order_id,text,Ours,Shop\nbuy,price,number,,\n"
    world.alice.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", sheet)
    events = [{"event": "buy", "payload": {"orderId": "A1", "price": "3"}}, {"event": "look"}]
    sent = world.alice.send(client, events).get_json()["results"]
    buy, look = (
        orjson.loads(world.alice.get(client, f"/api/apps/shop/events/{event['event_id']}").data)
        for event in sent
    )
    rules = {violation["path"]: violation.get("rule") for violation in buy["violations"]}
    assert rules == {
        "order_id": {"path": "order_id", "type": "text", "description": "Ours", "owner": "Shop"},
        "price": {"path": "price", "type": "number"},
        "orderId": None,
    }
    assert buy["corrected"] == {"order_id": "A1", "price": 3}
    assert buy["payload"] == {"orderId": "A1", "price": "3"}
    assert look["corrected"] is None
    # A later version of the plan changes nothing of what is said of an event that an earlier one judged.
    world.alice.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", SHEET)
    again = world.alice.get(client, f"/api/apps/shop/events/{sent[0]['event_id']}")
    assert orjson.loads(again.data) == buy


def test_one_event_by_its_id(client: FlaskClient, filled: World) -> None:
    event_id = listed(filled, client)["events"][0]["event_id"]
    assert (
        orjson.loads(filled.alice.get(client, f"/api/apps/shop/events/{event_id}").data)["message_id"] == "4"
    )
    for unknown in ("nonsense", "0" * 36, event_id[:-1] + ("0" if event_id[-1] != "0" else "1")):
        answer = filled.alice.get(client, f"/api/apps/shop/events/{unknown}")
        assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_event")


def test_a_foreign_app_is_as_unknown_as_none(client: FlaskClient, filled: World) -> None:
    """Charlie has an app of the same name; Alice's events are not in it, and by id they do not exist."""
    event_id = listed(filled, client)["events"][0]["event_id"]
    assert orjson.loads(filled.charlie.get(client, "/api/apps/shop/events").data)["events"] == []
    foreign = filled.charlie.get(client, f"/api/apps/shop/events/{event_id}")
    assert (foreign.status_code, foreign.get_json()["code"]) == (404, "unknown_event")
    unknown = filled.charlie.get(client, "/api/apps/nothing/events")
    assert (unknown.status_code, unknown.get_json()["code"]) == (404, "unknown_app")


def test_a_page_costs_the_same_number_of_queries_however_long(
    client: FlaskClient, filled: World, statements: list[str]
) -> None:
    listed(filled, client, "?limit=1")
    statements.clear()
    listed(filled, client, "?limit=1")
    one = len(statements)
    statements.clear()
    listed(filled, client, "?limit=1000")
    assert len(statements) == one <= 3


@pytest.fixture
def long_past(owner: Any, filled: World) -> int:
    """Two thousand events before today's, of which the very first alone says `needle`."""
    return add_past(owner, filled.alice.app, 2_000)


def add_past(owner: Any, app: Any, count: int, first: int = 1) -> int:
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO log_entries (app_id, received_at, event_id, organisation_id, message_id, event_name, verdict,"
            " digest, violations, payload, envelope) SELECT %s, now() - make_interval(secs => n), gen_random_uuid(),"
            " %s, 'past ' || n, 'look', 'valid', '', '[]',"
            " json_build_object('what', CASE n WHEN 2000 THEN 'Needle' ELSE 'hay' END), '{}'"
            " FROM generate_series(%s, %s) AS n",
            (app.id, app.organisation_id, first, first + count - 1),
        )
        cursor.execute("ANALYZE log_entries")
    return count


def test_a_search_says_how_far_it_looked_and_goes_on_from_there(
    client: FlaskClient, filled: World, long_past: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BUDGET_SECONDS", 0)
    page = listed(filled, client, "?q=needle")
    assert (page["events"], page["searched_to"] < listed(filled, client)["events"][-1]["received_at"]) == (
        [],
        True,
    )
    looked, turns = page["searched_to"], 1
    while page["next_cursor"] and not page["events"]:
        page = listed(filled, client, f"?q=needle&cursor={page['next_cursor']}")
        turns += 1
        assert page["searched_to"] is None or page["searched_to"] < looked
        looked = page["searched_to"]
    assert ids(page) == ["past 2000"]
    assert turns == 5  # of FIRST_SLICE each: neither a slice twice, nor one left out


def test_a_search_within_its_budget_needs_one_question_of_the_client(
    client: FlaskClient, filled: World, long_past: int
) -> None:
    page = listed(filled, client, "?q=NEEDLE")
    assert (ids(page), page["next_cursor"], page["searched_to"]) == (["past 2000"], None, None)


def test_pages_of_a_search_have_no_gap_and_no_overlap(
    client: FlaskClient, filled: World, long_past: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BUDGET_SECONDS", 0)
    seen, cursor = [], ""
    while cursor is not None:
        page = listed(filled, client, f"?event=look&limit=300&cursor={cursor}")
        seen += ids(page)
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == long_past + 1


@pytest.mark.parametrize(
    "query", ["limit=50", "limit=50&q=nothing", "limit=50&verdict=invalid&kind=empty_value"]
)
def test_a_page_costs_no_more_with_ten_times_the_history(
    client: FlaskClient, filled: World, owner: Any, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """In pages of the database that it reads, for the first page and for one in the middle."""
    monkeypatch.setattr(events, "BUDGET_SECONDS", 0)
    add_past(owner, filled.alice.app, 2_000)
    few = read_blocks(client, filled, query)
    add_past(owner, filled.alice.app, 18_000, first=2_001)
    many = read_blocks(client, filled, query)
    assert many <= few * 2


def read_blocks(client: FlaskClient, filled: World, query: str) -> int:
    """Blocks that the statements of a page and of the next one touch, cached or not."""
    explained: list[int] = []

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM log_entries" in statement and not statement.startswith("EXPLAIN"):
            plan = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.rpartition('; ')[2]}"
            top = connection.exec_driver_sql(plan, parameters).scalar_one()[0]["Plan"]
            explained.append(top["Shared Hit Blocks"] + top["Shared Read Blocks"])

    event.listen(db.engine, "after_cursor_execute", explain)
    try:
        cursor = listed(filled, client, f"?{query}")["next_cursor"]
        listed(filled, client, f"?{query}&cursor={cursor}")
    finally:
        event.remove(db.engine, "after_cursor_execute", explain)
    assert explained
    return sum(explained)
