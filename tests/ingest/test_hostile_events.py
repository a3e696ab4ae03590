"""Envelopes and payloads as unlucky and hostile clients send them: each gets an answer and harms nobody."""

from typing import Any

import orjson
import psycopg2
import pytest
from flask.testing import FlaskClient

from app.ingest import parse
from tests.world import World

Owner = psycopg2.extensions.connection
SHEET = """eventName,eventPayload,dataType,required
purchase,total,number,yes
purchase,email,text,no
purchase,items[].price,number,yes
Café,size,text,no
"""
ODD_NAMES = {
    "case twin": ("PURCHASE", "invalid"),
    "space for underscore": ("  purchase  ", "invalid"),
    "decomposed accent": ("Cafe\u0301", "valid"),
    "composed accent": ("Caf\u00e9", "valid"),
    "zero width": ("pur\u200bchase", "unplanned"),
    "homoglyph": ("рurchase", "unplanned"),
    "right to left": ("\u202eesahcrup", "unplanned"),
    "control characters": ("a\x01\x1b[31m\tb", "unplanned"),
    "emoji of several": ("👩‍👩‍👧‍👦", "unplanned"),
    "one character": ("x", "unplanned"),
    "longest": ("n" * 256, "unplanned"),
    "markup": ("<script>alert(1)</script>", "unplanned"),
    "template": ("{{7*7}}${7*7}%s", "unplanned"),
    "SQL": ("'; DROP TABLE apps; --", "unplanned"),
}


@pytest.fixture(autouse=True)
def plan(client: FlaskClient, world: World) -> None:
    answer = world.alice.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", SHEET.encode())
    assert answer.status_code == 200


def result(client: FlaskClient, world: World, event: dict[str, Any]) -> dict[str, Any]:
    answer = world.alice.send(client, [event])
    assert answer.status_code == 200, answer.text
    return answer.get_json()["results"][0]


@pytest.mark.parametrize("case", ODD_NAMES)
def test_an_odd_name_is_kept_as_it_was_sent_and_judged_by_what_it_is(
    client: FlaskClient, world: World, case: str
) -> None:
    name, verdict = ODD_NAMES[case]
    kept = result(client, world, {"event": name, "messageId": "1"})
    assert (kept["status"], kept["verdict"]) == ("stored", verdict)
    stored = world.alice.get(client, f"/api/apps/shop/events/{kept['event_id']}").get_json()
    assert stored["name"] == name.strip()


def test_twins_of_an_id_are_different_ids(client: FlaskClient, world: World, owner: Owner) -> None:
    ids: list[Any] = [
        *("0190B0C0-0000-7000-8000-00000000000A", "0190b0c0-0000-7000-8000-00000000000a", "a", " a", "a "),
        *("'; DROP TABLE apps; --", "a\r\nSet-Cookie: x=1", "%00", "{}", "é", "e\u0301", 7, "8", "x" * 256),
    ]
    answer = world.alice.send(client, [{"event": "view", "messageId": each} for each in ids]).get_json()
    assert [each["status"] for each in answer["results"]] == ["stored"] * len(ids)
    again = world.alice.send(client, [{"event": "view", "messageId": each} for each in ids]).get_json()
    assert [each["status"] for each in again["results"]] == ["duplicate"] * len(ids)
    other = result(client, world, {"event": "view", "messageId": "a", "payload": {"x": 1}})
    assert other["status"] == "conflict"
    assert result(client, world, {"event": "view", "messageId": "7"})["status"] == "duplicate"


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        (1762151564369000, None),  # microseconds would be the year 57,800
        (1762151564369000000, None),
        (-1, "1969-12-31T23:59:59+00:00"),
        (2**31, "2038-01-19T03:14:08+00:00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59+00:00"),
        ("10000-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("2025-11-03T06:32:44+14:00", "2025-11-02T16:32:44+00:00"),
        ("2025-11-03T06:32:44", "2025-11-03T06:32:44+00:00"),
        ("2016-12-31T23:59:60Z", None),
        ("2025-11-03T25:00:00Z", None),
        ("2025-W45-1", "2025-11-03T00:00:00+00:00"),
        ("1970-01-01", "1970-01-01T00:00:00+00:00"),
        ("1e400", None),
        ("soon", None),
    ],
)
def test_a_client_whose_clock_is_odd_is_believed_or_ignored(
    client: FlaskClient, world: World, given: Any, moment: str | None
) -> None:
    assert parse.moment(given) == moment
    assert result(client, world, {"event": "view", "eventTime": given})["status"] == "stored"


def test_batches_of_every_size_are_taken_up_to_the_limit(client: FlaskClient, world: World) -> None:
    for size in (0, 1, 1000):
        answer = world.alice.send(client, {"batch": [{"event": "view"}] * size})
        assert (answer.status_code, answer.get_json()["accepted"]) == (200, size)
    for body in ([{"event": "view"}] * 1001, b'[{"event":"a"}' + b',{"event":"a"}' * 100_000 + b"]"):
        answer = world.alice.send(client, body)
        assert (answer.status_code, answer.get_json()["code"]) == (413, "too_large")
    nested = world.alice.send(
        client, {"batch": [{"batch": [{"event": "view"}]}, [{"event": "view"}]]}
    ).get_json()
    assert [each["reason"] for each in nested["results"]] == ["no_event_name", "not_an_object"]
    largest = {"event": "view", "payload": {"x": "y" * (64 * 1024 - 100)}}
    assert result(client, world, largest)["status"] == "stored"


@pytest.mark.parametrize(
    "payload",
    [
        {"": 1, " ": 2, ".": 3, "[]": 4, "a[0].b": 5, "$": 6, "$where": 7, '"': 8},
        {
            "__proto__": {"admin": True},
            "constructor": {"prototype": {}},
            "toString": 1,
            "hasOwnProperty": None,
        },
        {"é": 1, "e\u0301": 2, "TOTAL": 3, "total": 4, "Total": 5},
        {"k" * 60_000: 1},
        {str(n): n for n in range(1_990)},
    ],
    ids=["punctuation", "prototypes", "twins", "long", "many"],
)
def test_odd_keys_come_back_as_they_were_sent(
    client: FlaskClient, world: World, payload: dict[str, Any]
) -> None:
    for name in ("view", "purchase"):
        kept = result(client, world, {"event": name, "payload": payload})
        assert kept["status"] == "stored"
        stored = world.alice.get(client, f"/api/apps/shop/events/{kept['event_id']}")
        assert stored.get_json()["payload"] == payload
        assert len(stored.data) < 300_000, "a long key is cut where it is explained"


WRONG_NUMBERS: list[Any] = ["12", "", True, [1], {"$ne": 0}, {"$gt": ""}, None, [], {}]


@pytest.mark.parametrize("value", WRONG_NUMBERS, ids=repr)
def test_another_type_is_never_taken_for_the_one_that_was_meant(
    client: FlaskClient, world: World, value: Any
) -> None:
    event = {"event": "purchase", "payload": {"total": value, "items": [{"price": 1}]}}
    kept = result(client, world, event)
    assert kept["verdict"] == "invalid"
    assert [each["path"] for each in kept["violations"]] == ["total"]
    assert (
        result(client, world, event | {"payload": {"total": 1, "items": [], "email": {"$ne": ""}}})[
            "violations"
        ][0]["path"]
        == "email"
    )


@pytest.mark.parametrize(
    ("items", "paths"),
    [
        ([], []),
        ([{"price": 1}], []),
        ([{"price": 1}, {"price": "x"}, {}, 7, None, []], ["[1].price", "[2].price", "[3]", "[4]", "[5]"]),
        ("none", [""]),
        ({"price": 1}, [""]),
        ([[{"price": 1}]], ["[0]"]),
    ],
    ids=["none", "one", "mixed", "text", "object", "nested"],
)
def test_a_rule_for_every_element_is_asked_of_each_and_says_which_broke_it(
    client: FlaskClient, world: World, items: Any, paths: list[str]
) -> None:
    kept = result(client, world, {"event": "purchase", "payload": {"total": 1, "items": items}})
    found = sorted({each["path"] for each in kept["violations"] if each["severity"] == "error"})
    assert found == sorted(f"items{path}" for path in paths)


def test_ten_thousand_elements_are_judged_and_the_first_hundred_told(
    client: FlaskClient, world: World
) -> None:
    many = {"total": 1, "items": [0] * 10_000}
    kept = result(client, world, {"event": "purchase", "payload": many})
    assert kept["verdict"] == "invalid"
    assert len(kept["violations"]) <= 100
    assert len(orjson.dumps(kept)) < 100_000
