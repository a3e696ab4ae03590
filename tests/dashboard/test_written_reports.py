"""Large reports: written by a job piece by piece, of the moment when they were asked for; mailed, taken, forgotten."""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.dashboard.reports import views, writing
from app.jobs.queues import Queue
from app.jobs.run import drain
from app.store import written
from tests.auth.visitor import Mailbox, do_jobs
from tests.conftest import eventually
from tests.dashboard.test_pages import Owner, alice  # noqa: F401  (a fixture)
from tests.dashboard.test_reports import EVENTS, REPORTS, fill, of_csv, of_lines
from tests.jobs.conftest import Worker, start_worker  # noqa: F401  (a fixture, here as well)
from tests.world import Tenant, World

Connection = psycopg2.extensions.connection


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(writing, "EVENTS_PER_PIECE", 2)
    return


def ask(client: FlaskClient, tenant: Tenant, query: str = "") -> TestResponse:
    return tenant.post(client, f"{REPORTS}{query}", {})


def begun(client: FlaskClient, tenant: Tenant, query: str = "") -> str:
    answer = ask(client, tenant, query)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == answer.get_json()["status_url"]
    return answer.get_json()["status_url"]


def file_of(client: FlaskClient, tenant: Tenant, path: str) -> TestResponse:
    return client.get(path, headers={"Authorization": f"Bearer {tenant.api_key}"}, buffered=True)


def work(flask_app: Flask) -> None:
    while drain(Queue.LOW):
        pass


def rows(owner: Connection, query: str) -> list[Any]:
    with owner.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("format_", writing.FORMATS)
def test_it_is_the_file_that_an_answer_would_be(
    flask_app: Flask, client: FlaskClient, world: World, format_: str
) -> None:
    fill(client, world)
    status = begun(client, world.alice, f"?format={format_}&q=a")
    waiting = world.alice.get(client, status).get_json()
    assert (waiting["state"], waiting["events"]) == ("waiting", len(EVENTS))
    early = world.alice.get(client, f"{status}/file")
    assert (early.status_code, early.get_json()["code"]) == (409, "not_written")
    work(flask_app)
    done = world.alice.get(client, status).get_json()
    assert (done["state"], done["progress"], done["events_done"]) == ("done", 1, len(EVENTS))
    file = file_of(client, world.alice, done["file_url"])
    assert file.data == world.alice.get(client, f"{REPORTS}/results?format={format_}&q=a").data
    assert int(file.headers["Content-Length"]) == done["bytes"] == len(file.data)
    assert file.headers["Content-Disposition"].startswith('attachment; filename="shop-results-20')
    (listed,) = world.alice.get(client, REPORTS).get_json()["reports"]
    assert listed == done


def test_it_is_of_the_moment_when_it_was_asked_for(
    flask_app: Flask, client: FlaskClient, world: World, owner: Connection
) -> None:
    fill(client, world)
    before = world.alice.get(client, f"{REPORTS}/results").data
    status = begun(client, world.alice)
    assert world.alice.send(client, {"event": "late"}).status_code == 200
    rows(owner, "UPDATE log_entries SET received_at = received_at - interval '1 m' WHERE event_name = 'late'")
    work(flask_app)
    assert file_of(client, world.alice, f"{status}/file").data == before


def test_formats_that_cannot_be_written_in_pieces_and_bad_filters_are_refused(
    client: FlaskClient, world: World
) -> None:
    for query, status, code in (
        ("?format=xlsx", 422, "unknown_format"),
        ("?format=docx", 400, "unknown_format"),
        ("?verdict=good", 400, "bad_filter"),
    ):
        answer = ask(client, world.alice, query)
        assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_an_organisation_has_so_many_written_at_once_even_if_all_ask_together(
    flask_app: Flask, client: FlaskClient, world: World
) -> None:
    answers: list[TestResponse] = []
    asking = [
        threading.Thread(target=lambda: answers.append(ask(flask_app.test_client(), world.alice)))
        for _ in range(6)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [202] * writing.MOST_UNFINISHED + [429] * (6 - writing.MOST_UNFINISHED)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.get_json()["code"] == "too_many_reports"
    assert refused.headers["Retry-After"]
    assert ask(client, world.charlie).status_code == 202, "nobody else waits for them"
    work(flask_app)
    assert ask(client, world.alice).status_code == 202


def test_killed_at_any_point_it_goes_on_and_has_each_event_once(
    flask_app: Flask,
    client: FlaskClient,
    world: World,
    owner: Connection,
    start_worker: Callable[..., Worker],  # noqa: F811
) -> None:
    for _ in range(5):
        assert world.alice.send(client, [EVENTS[0], EVENTS[3]] * 500).status_code == 200
    rows(
        owner,
        "INSERT INTO log_entries SELECT (jsonb_populate_record(e, jsonb_build_object('event_id', gen_random_uuid()))).*"
        " FROM log_entries e CROSS JOIN generate_series(1, 5)",
    )
    ((total,),) = rows(owner, "SELECT count(*) FROM log_entries")
    status = begun(client, world.alice, "?format=ndjson")
    worker = start_worker()
    eventually(lambda: rows(owner, "SELECT chunks FROM reports")[0][0] >= 3)
    for pid in worker.children():
        os.kill(pid, signal.SIGKILL)
    assert world.alice.get(client, status).get_json()["state"] == "working", "killed in the midst of it"
    rows(owner, "UPDATE outbox SET locked_until = now() WHERE state = 'running'")  # what 70 seconds would do
    eventually(lambda: world.alice.get(client, status).get_json()["state"] == "done", 60)
    events = of_lines(file_of(client, world.alice, f"{status}/file").data)
    assert len(events) == len({event["event_id"] for event in events}) == total


def test_two_workers_that_do_the_same_report_write_each_piece_once(
    flask_app: Flask, client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(client, world)
    status = begun(client, world.alice, "?format=ndjson")
    add, others = written.add_piece, []

    def overtaken(report: written.ReportRef, *given: Any) -> bool:
        if not others:  # the other worker is done with this piece just before us
            others.append(add(report, *given))
        return add(report, *given)

    monkeypatch.setattr(written, "add_piece", overtaken)
    work(flask_app)
    assert others == [True]
    monkeypatch.undo()
    assert world.alice.get(client, status).get_json()["written"] == len(EVENTS)
    events = of_lines(file_of(client, world.alice, f"{status}/file").data)
    assert len({event["event_id"] for event in events}) == len(events) == len(EVENTS)


def test_whoever_asked_is_mailed_a_link_that_only_members_can_open(
    flask_app: Flask,
    alice: Owner,  # noqa: F811
    client: FlaskClient,
    world: World,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice.send("shop", alice.make_app("shop"), EVENTS)
    monkeypatch.setattr(views, "MOST_AT_ONCE", 1)
    page = alice.page("/apps/shop/reports/results?q=a&format=csv")
    action = re.search(r'action="([^"]+/reports\?[^"]+)"', page)
    assert action
    answer = alice.submit(action[1].replace("&amp;", "&"), format="csv")
    assert answer.status_code == 303
    assert "data-study=" in alice.page(answer.location), "a bar that moves"
    work(flask_app)
    do_jobs(flask_app, Queue.HIGH)
    assert "Download" in alice.page(answer.location)
    (mail,) = [mail for mail in mailbox(alice.email) if mail["subject"] == "Your report is ready"]
    link = re.search(r"/reports/\S+", mail["text"])
    assert link
    assert not re.search(r"\d{6}", mail["text"])
    assert alice.ask("GET", link[0]).location == answer.location
    stranger = flask_app.test_client().get(link[0])
    assert stranger.status_code == 303
    assert "/auth/login" in stranger.location
    assert world.charlie.get(client, f"/api{answer.location}").status_code == 404
    file = alice.ask("GET", f"/api{answer.location}/file", buffered=True)
    listed = alice.ask("GET", "/api/apps/shop/events?q=a").get_json()["events"]
    assert {row["event_id"] for row in of_csv(file.data)} == {event["event_id"] for event in listed}


def test_it_is_forgotten_after_some_days_and_when_events_are_deleted(
    flask_app: Flask, client: FlaskClient, world: World, owner: Connection
) -> None:
    fill(client, world)
    status = begun(client, world.alice)
    work(flask_app)
    rows(
        owner, f"UPDATE reports SET created_at = now() - interval '{written.KEPT_DAYS} days' + interval '1 m'"
    )
    forget(flask_app, owner)
    assert world.alice.get(client, status).status_code == 200
    rows(owner, "UPDATE reports SET created_at = created_at - interval '2 m'")
    forget(flask_app, owner)
    assert world.alice.get(client, status).status_code == 404
    assert rows(owner, "SELECT FROM report_chunks") == []
    status = begun(client, world.alice)
    work(flask_app)
    event = world.alice.get(client, "/api/apps/shop/events?limit=1").get_json()["events"][0]
    path = f"/api/apps/shop/events/{event['event_id']}"
    assert client.delete(path, headers={"Authorization": f"Bearer {world.alice.api_key}"}).status_code == 204
    assert world.alice.get(client, f"{status}/file").status_code == 404, "it would still hold the event"


def forget(flask_app: Flask, owner: Connection) -> None:
    """What the clock would start."""
    rows(owner, "INSERT INTO outbox (queue, job) VALUES ('low', 'forget_reports')")
    work(flask_app)


def test_a_report_that_grows_too_large_fails_and_says_so(
    flask_app: Flask, client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(client, world)
    monkeypatch.setattr(writing, "MOST_BYTES", 1)
    status = begun(client, world.alice)
    work(flask_app)
    found = world.alice.get(client, status).get_json()
    assert (found["state"], found["error"]) == ("failed", "report_too_large")
    assert ask(client, world.alice).status_code == 202, "it keeps nobody waiting"
