"""Reports: what they hold, in every format; figures of one moment; and nothing in them that a spreadsheet would run."""

import csv
import io
from typing import Any

import openpyxl
import orjson
import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.dashboard.reports import files, views
from app.dashboard.reports.files import FORMATS, MOST_CELL_CHARACTERS
from app.dashboard.reports.results import RESULTS
from app.store import events, summary
from tests.dashboard.test_pages import Owner, alice, questions  # noqa: F401  (a fixture)
from tests.world import World

REPORTS = "/api/apps/shop/reports"
SHEET = b"eventName,eventPayload,dataType,required\nview,sku,text,true\nbuy,total,number,true\nnever,a,text,true\n"
EVENTS: list[dict[str, Any]] = [
    {"event": "view", "platform": "ios", "appVersion": "1.0", "payload": {"sku": "a"}},
    {"event": "view", "platform": "ios", "appVersion": "1.1", "payload": {"sku": 7}},
    {"event": "buy", "payload": {"total": "x", "odd": 'a,"b"\r\nc'}},
    {"event": "unheard of", "payload": {}},
]
# Each as a value, a key, a name, a version … of a stranger's event.
FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "＝1",
    "=cmd|'/c calc'!A1",
    '=HYPERLINK("http://x.test","y")',
    " =1",
    "'=1",
    "\u00a0=1",
    "\n=1",
    '","=1',
)


def fill(client: FlaskClient, world: World) -> None:
    answer = world.alice.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", SHEET)
    assert answer.status_code == 200, answer.text
    assert world.alice.send(client, EVENTS).get_json()["accepted"] == len(EVENTS)


def take(client: FlaskClient, world: World, path: str) -> TestResponse:
    answer = world.alice.get(client, f"{REPORTS}/{path}")
    assert answer.status_code == 200, answer.text
    return answer


def of_csv(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))


def of_workbook(body: bytes) -> list[dict[str, Any]]:
    page = openpyxl.load_workbook(io.BytesIO(body)).active
    titles, *rows = page.iter_rows()
    assert not [cell for row in rows for cell in row if cell.data_type == "f"], "no formula"
    return [{t.value: c.value for t, c in zip(titles, row, strict=True)} for row in rows]


def of_lines(body: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in body.splitlines()]


@pytest.mark.parametrize("report", ["results", "summary"])
@pytest.mark.parametrize("format_", FORMATS)
def test_each_format_is_a_file_with_a_safe_name_that_nobody_else_keeps(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection, report: str, format_: str
) -> None:
    fill(client, world)
    answer = take(client, world, f"{report}?format={format_}")
    assert answer.headers["Content-Type"] == FORMATS[format_].media_type
    assert answer.headers["Cache-Control"] == "private, no-store"
    kind, _, name = answer.headers["Content-Disposition"].partition("; filename=")
    assert kind == "attachment"
    assert name.startswith(f'"shop-{report}-20')
    assert name.endswith(f'Z.{format_}"')
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT action, kind, object, details->>'format' FROM audit_log ORDER BY id DESC LIMIT 1"
        )
        assert cursor.fetchone() == ("exported", report, "shop", format_)


def test_results_hold_a_row_for_each_violation_and_one_for_an_event_without_any(
    client: FlaskClient, world: World
) -> None:
    fill(client, world)
    rows = of_csv(take(client, world, "results").data)
    listed = world.alice.get(client, "/api/apps/shop/events").get_json()["events"]
    assert len(rows) == sum(max(1, len(event["violations"])) for event in listed) > len(EVENTS)
    assert [row["event_id"] for row in rows if row["payload"]] == [event["event_id"] for event in listed]
    wrong = next(row for row in rows if row["name"] == "view" and row["kind"])
    assert (wrong["verdict"], wrong["path"], wrong["expected"], wrong["app_version"]) == (
        "invalid",
        "sku",
        "text",
        "1.1",
    )
    assert wrong["message"]
    assert orjson.loads(wrong["payload"]) == {"sku": 7}
    same = of_workbook(take(client, world, "results?format=xlsx").data)
    assert [{t: str(v or "") for t, v in row.items()} for row in same] == rows
    told = of_lines(take(client, world, "results?format=ndjson").data)
    assert [event["event_id"] for event in told] == [event["event_id"] for event in listed]
    assert told[-1]["payload"] == {"sku": "a"}


def test_results_are_the_events_that_the_list_shows_by_the_same_filters(
    client: FlaskClient, world: World
) -> None:
    fill(client, world)
    for filters in ("verdict=invalid", "event=view", "app_version=1.0", "q=odd", "kind=unplanned_event", ""):
        listed = world.alice.get(client, f"/api/apps/shop/events?{filters}").get_json()["events"]
        told = of_lines(take(client, world, f"results?format=ndjson&{filters}").data)
        assert [e["event_id"] for e in told] == [e["event_id"] for e in listed] != []
    answer = world.alice.get(client, f"{REPORTS}/results?verdict=good")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_filter")


def test_more_results_than_are_answered_at_once_are_refused_not_cut(
    client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(client, world)
    monkeypatch.setattr(views, "MOST_AT_ONCE", len(EVENTS))
    assert len(of_lines(take(client, world, "results?format=ndjson").data)) == len(EVENTS)
    monkeypatch.setattr(views, "MOST_AT_ONCE", len(EVENTS) - 1)
    answer = world.alice.get(client, f"{REPORTS}/results")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "too_large")


def test_the_summary_adds_up_to_the_counts_and_names_what_is_missing(
    client: FlaskClient, world: World
) -> None:
    fill(client, world)
    rows = of_csv(take(client, world, "summary?range=all").data)
    counted = world.alice.get(client, "/api/apps/shop/summary").get_json()["verdicts"]
    for verdict, count in counted.items():
        assert sum(int(row[verdict] or 0) for row in rows) == count
    groups = world.alice.get(client, "/api/apps/shop/violations?range=all").get_json()["violations"]
    assert sum(int(row["violations"] or 0) for row in rows) == sum(group["count"] for group in groups) > 0
    states = {row["event"]: row["status"] for row in rows}
    assert states == {"buy": "invalid", "view": "invalid", "unheard of": "unplanned", "never": "missing"}
    told = of_lines(take(client, world, "summary?range=all&format=ndjson").data)
    assert [len(item["violations"]) for item in told if item["event"] == "never"] == [0]
    sheet = of_workbook(take(client, world, "summary?range=all&format=xlsx").data)
    assert [row["event"] for row in sheet] == [row["event"] for row in rows]
    assert isinstance(sheet[0]["invalid"], int)


def test_a_summary_is_of_one_moment_whatever_comes_meanwhile(
    flask_app: Flask, client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(client, world)
    by = summary.by

    def late(*given: Any) -> Any:
        found = by(*given)
        sent = world.alice.send(flask_app.test_client(), {"event": "buy", "payload": {"total": "y"}})
        assert sent.get_json()["accepted"] == 1
        return found

    monkeypatch.setattr(summary, "by", late)
    told = of_lines(take(client, world, "summary?range=all&format=ndjson").data)
    buy = next(item for item in told if item["event"] == "buy")
    wrong = next(group for group in buy["violations"] if group["path"] == "total")
    assert buy["invalid"] == wrong["count"] == 1


def test_results_are_of_one_moment_whatever_comes_meanwhile(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(client, world)
    monkeypatch.setattr(events, "FIRST_SLICE", 1)
    look, looks = events._between, []

    def late(*given: Any) -> Any:
        found = look(*given)
        looks.append(found)
        if len(looks) == 1:  # committed now, although it came earlier than what is not looked at yet
            with owner.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO log_entries (app_id, received_at, event_id, organisation_id, message_id, event_name,"
                    " verdict, digest, violations, payload, envelope) SELECT app_id, min(received_at) - interval '1 s',"
                    " gen_random_uuid(), organisation_id, 'late', 'late', 'valid', '', '[]', '{}', '{}'"
                    " FROM log_entries GROUP BY app_id, organisation_id"
                )
        return found

    monkeypatch.setattr(events, "_between", late)
    told = of_lines(take(client, world, "results?format=ndjson&q=e").data)
    assert len(looks) > 1
    assert told
    assert "late" not in {event["name"] for event in told}


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_a_formula_whatever_a_stranger_sends(
    client: FlaskClient, world: World, formula: str
) -> None:
    fill(client, world)
    hostile = {
        "event": f"{formula}",
        "appVersion": formula,
        "platform": formula,
        "sessionId": formula,
        "deviceId": formula,
        "messageId": formula,
        "payload": {formula: formula},
    }
    assert world.alice.send(client, hostile).status_code == 200
    assert world.alice.send(client, {"event": "buy", "payload": {"total": formula}}).status_code == 200
    for report in ("results", "summary?range=all"):
        mark = "&" if "?" in report else "?"
        sheet = of_csv(take(client, world, report).data)
        book = of_workbook(take(client, world, f"{report}{mark}format=xlsx").data)
        for row in (*sheet, *book):
            assert None not in row, "no cell breaks out of its row"
            for text in (cell for cell in row.values() if isinstance(cell, str)):
                assert not text.lstrip(" \n\u00a0").startswith(("=", "+", "-", "@", "\t", "\r", "＝")), text


def test_a_cell_that_excel_cannot_hold_is_cut_and_says_so() -> None:
    event = dict.fromkeys(RESULTS.titles, "")
    long = event | {"violations": [], "payload": {"a": "b" * MOST_CELL_CHARACTERS, "c": "\x0b"}}
    cell = of_workbook(files.workbook(RESULTS, [long]))[0]["payload"]
    assert len(cell) == MOST_CELL_CHARACTERS
    assert cell.endswith("the CSV has all of it)")
    assert len(of_csv(files.whole("csv", RESULTS, [long]))[0]["payload"]) > MOST_CELL_CHARACTERS
    odd = event | {"violations": [], "name": "a\x0bb"}
    assert of_workbook(files.workbook(RESULTS, [odd]))[0]["name"] == "a\ufffdb"


def test_nothing_of_another_organisation_is_in_a_report(client: FlaskClient, world: World) -> None:
    fill(client, world)
    for report in ("results", "summary?range=all"):
        answer = world.charlie.get(client, f"{REPORTS}/{report}")
        assert answer.status_code == 200
        assert of_csv(answer.data) == []


def test_the_page_asks_the_same_of_no_event_and_of_many(alice: Owner, statements: list[str]) -> None:  # noqa: F811
    key = alice.make_app("shop")
    before = questions(alice, statements, "/apps/shop/reports")
    alice.send("shop", key, [{"event": f"name {number}"} for number in range(300)])
    assert questions(alice, statements, "/apps/shop/reports") == before <= 6
    assert 'name="range" value="month"' in alice.page("/apps/shop/reports?range=month"), (
        "the scope goes along"
    )
