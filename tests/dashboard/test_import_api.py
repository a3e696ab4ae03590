"""Plan files by the API: small ones at once, large ones safe before they are answered and read by a worker."""

import io
import os
import signal
from collections.abc import Callable
from typing import Any

import openpyxl
import orjson
import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.dashboard import import_api, plan_reader
from app.jobs.queues import Queue
from app.jobs.run import drain
from app.plans import importing
from tests.conftest import eventually
from tests.jobs.conftest import Worker, start_worker  # noqa: F401  (a fixture, here as well)
from tests.world import Tenant, World

Owner = psycopg2.extensions.connection
IMPORT = "/api/apps/shop/plan/import"
HEADER = b"eventName,eventPayload,dataType,required"


def sheet(rows: int, bad: tuple[int, ...] = ()) -> bytes:
    """A sheet of so many rows, ten to an event; those in `bad`, by line, have a type that there is not."""
    lines = [
        b"event%05d,property%d,%s,yes" % (n // 10, n % 10, b"colour" if n + 2 in bad else b"text")
        for n in range(rows)
    ]
    return b"\n".join([HEADER, *lines])


def large(client: FlaskClient, tenant: Tenant, body: bytes, query: str = "?format=csv&publish=true") -> str:
    answer = tenant.post(client, IMPORT + query, body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == answer.get_json()["status_url"]
    return answer.get_json()["status_url"]


def work(flask_app: Flask) -> None:
    while drain(Queue.NORMAL):
        pass


def rows(owner: Owner, query: str) -> list[Any]:
    with owner.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_a_large_sheet_is_safe_at_once_and_published_by_the_worker(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner
) -> None:
    body = sheet(5_001) + b"\nlast,ab,text,yes"
    status = large(client, world.alice, body)
    assert (
        rows(owner, "SELECT string_agg(content, '' ORDER BY number) FROM plan_import_chunks")[0][0].tobytes()
        == body
    )
    waiting = world.alice.get(client, status).get_json()
    assert (waiting["state"], waiting["progress"], waiting["bytes"]) == ("waiting", None, len(body))
    assert "result" not in waiting
    work(flask_app)
    done = world.alice.get(client, status).get_json()
    assert (done["state"], done["progress"]) == ("done", 1)
    result = done["result"]
    assert (result["plan_version"], result["events"], result["rules"]) == (1, 502, 5_002)
    assert (result["problems"], result["warnings"], result["loss"]) == ([], [], [])
    fields = world.alice.get(client, "/api/apps/shop/plan/expected?event=last").get_json()
    assert fields["fields"] == [{"path": "ab", "type": "text", "required": True}]
    assert rows(owner, "SELECT count(*) FROM plan_import_chunks") == [(0,)]
    audit = "SELECT action, actor, details->>'version' FROM audit_log WHERE kind = 'plan'"
    assert rows(owner, audit) == [("plan_published", "key", "1")]


def test_every_bad_line_of_a_large_sheet_is_told_and_nothing_is_changed(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner
) -> None:
    bad = tuple(range(2, 6_000, 3))
    status = large(client, world.alice, sheet(6_000, bad))
    work(flask_app)
    refused = world.alice.get(client, status).get_json()
    assert refused["state"] == "refused"
    assert (refused["result"]["code"], refused["result"]["problem_count"]) == ("plan_invalid", len(bad))
    assert [problem["line"] for problem in refused["result"]["problems"]] == list(bad[:200])
    lines = world.alice.get(client, refused["problems_url"]).data.splitlines()
    told = [orjson.loads(line) for line in lines]
    assert [problem["line"] for problem in told] == list(bad)
    assert {problem["code"] for problem in told} == {"unknown_type"}
    assert rows(owner, "SELECT count(*) FROM plan_versions") == [(0,)]


def test_every_bad_line_of_a_small_sheet_is_told_at_once(client: FlaskClient, world: World) -> None:
    bad = tuple(range(2, 2_000))
    answer = world.alice.post(client, IMPORT + "?format=csv&dry_run=true", sheet(2_000, bad))
    assert answer.status_code == 422
    assert [problem["line"] for problem in answer.get_json()["problems"]] == list(bad)


def test_a_dry_run_tells_what_would_change_and_changes_nothing(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner
) -> None:
    world.alice.post(client, IMPORT + "?format=csv&publish=true", HEADER + b"\nbuy,a,text,yes")
    body = HEADER + b",colour\nbuy,a,integer,yes,red\nleave,b,text,no,"
    for publish in ("true", "false"):
        answer = world.alice.post(
            client, f"{IMPORT}?format=csv&dry_run=true&publish={publish}", body
        ).get_json()
        assert (answer["plan_version"], answer["draft_revision"], answer["events"]) == (None, None, 2)
        assert [lost["code"] for lost in answer["loss"]] == ["unknown_column"]
        assert answer["changes"]["counts"] == {"breaking": 1, "loosening": 0, "neutral": 1}
        assert "`a` of `buy` changed" in answer["changes"]["changes"][0]["message"]
    kept = world.alice.post(
        client, f"{IMPORT}?format=csv&dry_run=true&mode=merge", HEADER + b"\njoin,a,text,yes"
    )
    assert kept.get_json()["changes"]["counts"]["breaking"] == 0
    status = large(client, world.alice, sheet(6_000), "?format=csv&publish=true&dry_run=true")
    work(flask_app)
    done = world.alice.get(client, status).get_json()
    assert (done["state"], done["result"]["plan_version"]) == ("done", None)
    assert done["result"]["changes"]["counts"]["breaking"] == 1
    assert rows(owner, "SELECT count(*) FROM plan_versions") == [(1,)]
    assert rows(owner, "SELECT count(*) FROM plan_drafts") == [(0,)]


def test_without_publish_a_large_file_is_set_aside_as_the_draft(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner
) -> None:
    status = large(client, world.alice, sheet(6_000), "?format=csv")
    work(flask_app)
    result = world.alice.get(client, status).get_json()["result"]
    assert (result["plan_version"], result["draft_revision"]) == (None, 1)
    assert rows(owner, "SELECT rules_count FROM plan_drafts") == [(6_000,)]
    again = large(client, world.alice, sheet(6_000), "?format=csv&revision=0")
    work(flask_app)
    refused = world.alice.get(client, again).get_json()
    assert (refused["state"], refused["result"]["code"]) == ("refused", "plan_changed")


def test_a_file_is_large_by_its_bytes_its_rows_or_what_it_unpacks_to(
    client: FlaskClient, world: World, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_bytes = sheet(100) + b"\n" + b" " * import_api.MOST_INLINE_BYTES
    by_rows = sheet(5_000) + b"\n"
    assert world.alice.post(client, IMPORT + "?format=csv", sheet(4_999)).status_code == 200
    large(client, world.alice, by_bytes)
    large(client, world.alice, by_rows)
    monkeypatch.setattr(import_api, "MOST_INLINE_UNPACKED", 1)
    made = openpyxl.Workbook()
    made.active.append(["eventName", "eventPayload", "dataType"])
    file = io.BytesIO()
    made.save(file)
    large(client, world.alice, file.getvalue(), "?format=xlsx")


def test_the_web_process_never_reads_a_large_file(
    client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(importing.FORMATS, "csv", pytest.fail)
    large(client, world.alice, sheet(5_001))


def test_what_is_too_large_or_too_much_is_refused_and_nothing_of_it_stays(
    client: FlaskClient, world: World, owner: Owner, flask_app: Flask
) -> None:
    answer = world.alice.post(client, IMPORT + "?format=csv", b"x" * (import_api.MOST_BYTES + 1))
    assert (answer.status_code, answer.get_json()["code"]) == (413, "too_large")
    assert rows(owner, "SELECT count(*) FROM plan_imports") == [(0,)]
    for _ in range(import_api.MOST_WAITING):
        large(client, world.alice, sheet(5_001))
    answer = world.alice.post(client, IMPORT + "?format=csv", sheet(5_001))
    assert (answer.status_code, answer.get_json()["code"]) == (429, "too_many_imports")
    assert int(answer.headers["Retry-After"]) > 0
    work(flask_app)
    large(client, world.alice, sheet(5_001))


def test_another_organisations_import_is_unknown(client: FlaskClient, world: World) -> None:
    status = large(client, world.alice, sheet(5_001))
    for path in (status, f"{status}/problems"):
        answer = world.charlie.get(client, path)
        assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_import")
    assert world.charlie.get(client, "/api/apps/shop/plan/imports").get_json() == {"imports": []}
    listed = world.alice.get(client, "/api/apps/shop/plan/imports").get_json()["imports"]
    assert [each["state"] for each in listed] == ["waiting"]


def test_progress_is_told_while_the_file_is_read(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_reader, "TELL_SECONDS", 0)
    status = large(client, world.alice, sheet(6_000))
    seen: list[tuple[str, float | None, int]] = []
    tell = plan_reader.plan_imports.tell

    def look(*told: Any) -> None:
        tell(*told)
        flask_app.extensions["sqlalchemy"].session.commit()
        now = world.alice.get(client, status).get_json()
        seen.append((now["stage"], now["progress"], now["rows"]))

    monkeypatch.setattr(plan_reader.plan_imports, "tell", look)
    work(flask_app)
    checked = [progress for stage, progress, rows_ in seen if stage == "checking" and rows_ == 6_000]
    assert checked == sorted(checked)
    assert (checked[0], checked[-1]) == (0, 1)
    assert seen[-1][0] == "publishing"


def test_a_worker_that_is_killed_leaves_the_file_and_another_publishes_it_once(
    flask_app: Flask,
    client: FlaskClient,
    world: World,
    owner: Owner,
    start_worker: Callable[..., Worker],  # noqa: F811
) -> None:
    status = large(client, world.alice, sheet(100_000))
    worker = start_worker()
    running = "SELECT count(*) FROM outbox WHERE job = 'read_plan' AND state = 'running'"
    eventually(lambda: rows(owner, running) == [(1,)])
    for pid in worker.children():
        os.kill(pid, signal.SIGKILL)
    with owner.cursor() as cursor:  # what 130 seconds of waiting would do
        cursor.execute("UPDATE outbox SET locked_until = now() WHERE state = 'running'")
    assert world.alice.get(client, status).get_json()["state"] in ("waiting", "working")
    eventually(lambda: world.alice.get(client, status).get_json()["state"] == "done", 90)
    result = world.alice.get(client, status).get_json()["result"]
    assert (result["rules"], result["events"]) == (100_000, 10_000)
    assert rows(owner, "SELECT count(*) FROM plan_versions") == [(1,)]
    assert rows(owner, "SELECT attempts FROM outbox WHERE job = 'read_plan'") == [(2,)]


def test_a_file_whose_workers_all_died_of_it_failed_and_can_be_tried_again(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner
) -> None:
    status = large(client, world.alice, sheet(5_001))
    with owner.cursor() as cursor:
        cursor.execute("UPDATE outbox SET attempts = 3")
    work(flask_app)
    failed = world.alice.get(client, status).get_json()
    assert (failed["state"], failed["error"]) == ("failed", "worker_died")
    with owner.cursor() as cursor:  # as the page of dead jobs does
        cursor.execute(
            "UPDATE outbox SET state = 'waiting', attempts = 0, locked_until = NULL, done_at = NULL"
        )
    work(flask_app)
    assert world.alice.get(client, status).get_json()["state"] == "done"


def test_two_workers_on_one_file_publish_it_once(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a worker is suspended while it reads, and its lock runs out."""
    large(client, world.alice, sheet(5_001))
    read = importing.read

    def overtaken(*given: Any) -> Any:
        monkeypatch.setattr(plan_reader.importing, "read", read)
        with owner.cursor() as other:
            other.execute("UPDATE plan_imports SET finished_at = now(), result = '{}'")
        return read(*given)

    monkeypatch.setattr(plan_reader.importing, "read", overtaken)
    work(flask_app)
    assert rows(owner, "SELECT count(*) FROM plan_versions") == [(0,)]
    assert rows(owner, "SELECT state FROM outbox") == [("done",)]


def test_broken_off_and_old_files_are_forgotten(
    flask_app: Flask, client: FlaskClient, world: World, owner: Owner
) -> None:
    large(client, world.alice, sheet(5_001))
    with owner.cursor() as cursor:
        cursor.execute("UPDATE plan_imports SET created_at = now() - interval '99 days'")
        cursor.execute(
            "INSERT INTO plan_imports (id, organisation_id, app_id, format, asked, created_at)"
            " SELECT gen_random_uuid(), organisation_id, id, 'csv', '{}', now() - interval '2 hours' FROM apps"
        )
    large(client, world.alice, sheet(5_001))
    plan_reader.forget_imports(None)  # type: ignore[arg-type]
    flask_app.extensions["sqlalchemy"].session.commit()
    assert rows(owner, "SELECT count(*) FROM plan_imports") == [(1,)]
    assert rows(owner, "SELECT count(DISTINCT import_id) FROM plan_import_chunks") == [(1,)]
