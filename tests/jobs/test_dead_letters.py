"""Dead letters: seen with their reason by whose they are, tried again or deleted, and counted while they wait."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import metrics
from app.config import Settings
from app.extensions import db
from app.jobs import outbox
from app.jobs.queues import Queue
from app.jobs.registry import Job, JobFailed
from app.jobs.run import drain
from app.jobs.sweeper import Sweeper
from app.store import audit, tenancy
from app.store.audit import Asked
from app.store.outbox import Claim
from tests.auth.visitor import Visitor
from tests.world import World


class Note:
    """A job that fails for good until it is mended."""

    def __init__(self) -> None:
        self.is_mended = False
        self.done: list[Claim] = []
        self.job = Job("note", Queue.HIGH, self._do, timeout_seconds=5)

    def _do(self, claim: Claim) -> None:
        if not self.is_mended:
            raise JobFailed("no_paper", may_retry=False)
        self.done.append(claim)


@pytest.fixture
def note(declare: Any) -> Note:
    made = Note()
    declare(made.job)
    return made


def die(note: Note, organisation_id: int | None) -> int:
    """A dead job of this organisation."""
    job_id = outbox.add(db.session, note.job, {}, organisation_id)
    db.session.commit()
    drain(Queue.HIGH)
    return job_id


def call(client: FlaskClient, key: str, method: str, path: str) -> Any:
    return client.open(path, method=method, headers={"Authorization": f"Bearer {key}"})


def notes(client: FlaskClient, key: str) -> list[dict[str, Any]]:
    found = call(client, key, "GET", "/api/jobs").get_json()["jobs"]
    return [job for job in found if job["job"] == "note"]


def test_a_dead_job_is_listed_with_its_reason_for_its_organisation_alone(
    client: FlaskClient, world: World, note: Note
) -> None:
    job_id = die(note, world.alice.organisation_id)
    die(note, None)  # the operator's to see
    note.is_mended = True
    outbox.add(db.session, note.job, {}, world.alice.organisation_id)
    db.session.commit()
    drain(Queue.HIGH)
    dead, done = notes(client, world.alice.api_key)
    assert (dead["id"], dead["state"], dead["reason"], dead["attempts"]) == (job_id, "dead", "no_paper", 1)
    assert (done["state"], done["reason"]) == ("done", None)
    assert all(0 <= job["seconds"] < 5 and job["created_at"] and job["ended_at"] for job in (dead, done))
    assert notes(client, world.charlie.api_key) == []


def test_a_dead_job_is_tried_again_with_all_its_attempts(
    client: FlaskClient, world: World, note: Note, redis_operator: Any
) -> None:
    job_id = die(note, world.alice.organisation_id)
    redis_operator.flushdb()
    note.is_mended = True
    assert call(client, world.charlie.api_key, "POST", f"/api/jobs/{job_id}/retry").status_code == 404
    assert call(client, world.alice.api_key, "POST", f"/api/jobs/{job_id}/retry").status_code == 204
    assert redis_operator.llen("rq:queue:high") == 1, "its queue was woken"
    drain(Queue.HIGH)
    assert [claim.attempts for claim in note.done] == [1]
    assert [job["state"] for job in notes(client, world.alice.api_key)] == ["done"]
    again = call(client, world.alice.api_key, "POST", f"/api/jobs/{job_id}/retry")
    assert (again.status_code, again.get_json()["code"]) == (404, "unknown_job")
    assert lines(world) == [("job_retried", "job", str(job_id))]


def test_a_dead_job_is_deleted_and_a_waiting_one_is_not(
    client: FlaskClient, world: World, note: Note
) -> None:
    job_id = die(note, world.alice.organisation_id)
    waiting = outbox.add(db.session, note.job, {}, world.alice.organisation_id)
    db.session.commit()
    for key, id_, status in (
        (world.charlie.api_key, job_id, 404),
        (world.alice.api_key, waiting, 404),
        (world.alice.api_key, job_id, 204),
        (world.alice.api_key, job_id, 404),
    ):
        assert call(client, key, "DELETE", f"/api/jobs/{id_}").status_code == status
    assert [job["id"] for job in notes(client, world.alice.api_key)] == [waiting]
    assert lines(world) == [("deleted", "job", str(job_id))]


def lines(world: World) -> list[tuple[str, str, str]]:
    organisation_id = world.alice.organisation_id
    with tenancy.inside(organisation_id):
        return [(line.action, line.kind, line.object) for line in audit.page(organisation_id, Asked(), 10)]


def test_the_page_shows_retries_and_deletes(
    flask_app: Flask, visitor: Visitor, note: Note, owner: Any
) -> None:
    visitor.join()
    with owner.cursor() as cursor:
        cursor.execute("SELECT organisation_id FROM memberships")
        ((organisation_id,),) = cursor.fetchall()
    first, second = die(note, organisation_id), die(note, organisation_id)
    page = visitor.ask("GET", "/organisation/jobs").text
    assert "no_paper" in page
    assert set(re.findall(r"/organisation/jobs/(\d+)/(?:retry|delete)", page)) == {str(first), str(second)}
    note.is_mended = True
    assert visitor.submit(f"/organisation/jobs/{first}/retry").status_code == 303
    drain(Queue.HIGH)
    assert len(note.done) == 1
    assert visitor.submit(f"/organisation/jobs/{second}/delete").status_code == 303
    assert "no_paper" not in visitor.ask("GET", "/organisation/jobs").text


def test_the_operator_sees_nobodys_jobs_and_no_organisations(
    flask_app: Flask, world: World, note: Note
) -> None:
    nobodys, alices = die(note, None), die(note, world.alice.organisation_id)
    runner = flask_app.test_cli_runner()
    with tenancy.inside(None):
        listed = runner.invoke(args=["jobs", "list"]).output
        assert re.search(rf"^ *{nobodys}  dead .*note.*no_paper$", listed, re.MULTILINE), listed
        assert str(alices) not in re.findall(r"^ *(\d+)", listed, re.MULTILINE)
        refused = runner.invoke(args=["jobs", "delete", str(alices)])
        assert (refused.exit_code, "There is no dead job" in refused.output) == (1, True)
        note.is_mended = True
        assert runner.invoke(args=["jobs", "retry", str(nobodys)]).exit_code == 0
        drain(Queue.HIGH)
        assert [claim.id for claim in note.done] == [nobodys]
        note.is_mended = False
        another = die(note, None)
        assert runner.invoke(args=["jobs", "delete", str(another)]).exit_code == 0
        assert f"{another}  dead" not in runner.invoke(args=["jobs", "list"]).output


def test_the_sweeper_says_what_is_due_and_for_how_long(
    flask_app: Flask, settings: Settings, note: Note, owner: Any
) -> None:
    flask_app.extensions["jobs"] = {"note": note.job}
    for _ in range(3):
        outbox.add(db.session, note.job, {})
    db.session.commit()
    with owner.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox SET not_before = now() - interval '42 seconds' WHERE id ="
            " (SELECT min(id) FROM outbox)"
        )
    Sweeper().sweep()
    assert gauge("lvd_queue_due", "high") == 3
    assert 42 <= gauge("lvd_queue_age_seconds", "high") < 60
    assert gauge("lvd_queue_due", "low") == 0
    drain(Queue.HIGH)
    Sweeper().sweep()
    assert (gauge("lvd_queue_due", "high"), gauge("lvd_queue_age_seconds", "high")) == (0, 0)


def gauge(name: str, queue: str) -> float:
    found = re.search(rf'^{name}{{queue="{queue}"}} (\S+)$', metrics.text("")[0].decode(), re.MULTILINE)
    assert found, name
    return float(found[1])
