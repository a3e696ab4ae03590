"""The organisation's jobs, as a page and over JSON: what waits, what was done, what died and why."""

from dataclasses import asdict

from flask import Blueprint, Response, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.auth.require import Permission, require
from app.dashboard.json import json_response
from app.dashboard.pages import shell
from app.jobs import dead_letters
from app.store import job_history

blueprint = Blueprint("jobs", __name__)


@blueprint.get("/api/jobs")
@require(Permission.MANAGE)
def list_jobs() -> Response:
    """The dead first, then the newest, a hundred at most."""
    return json_response({"jobs": [asdict(job) for job in job_history.of(g.actor.organisation_id)]})


@blueprint.post("/api/jobs/<int:job_id>/retry")
@require(Permission.MANAGE)
def retry_job(job_id: int) -> Response:
    """Try a dead job again, with all its attempts."""
    dead_letters.retry(g.actor.organisation_id, job_id)
    return Response(status=204)


@blueprint.delete("/api/jobs/<int:job_id>")
@require(Permission.MANAGE)
def delete_job(job_id: int) -> Response:
    """Delete a dead job."""
    dead_letters.delete(g.actor.organisation_id, job_id)
    return Response(status=204)


@blueprint.get("/organisation/jobs")
@require(Permission.MANAGE)
def show() -> ResponseReturnValue:
    return render_template("dashboard/jobs.html", shell=shell(), jobs=job_history.of(g.actor.organisation_id))


@blueprint.post("/organisation/jobs/<int:job_id>/retry")
@require(Permission.MANAGE)
def retry(job_id: int) -> ResponseReturnValue:
    dead_letters.retry(g.actor.organisation_id, job_id)
    return redirect(url_for("jobs.show"), 303)


@blueprint.post("/organisation/jobs/<int:job_id>/delete")
@require(Permission.MANAGE)
def delete(job_id: int) -> ResponseReturnValue:
    dead_letters.delete(g.actor.organisation_id, job_id)
    return redirect(url_for("jobs.show"), 303)
