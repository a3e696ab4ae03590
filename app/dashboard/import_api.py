"""Large plan files at the door: streamed to safe storage, answered once they are safe, read by a worker."""

import itertools
import re
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import orjson
import uuid_utils
from flask import Blueprint, Response, g, request, url_for
from werkzeug.exceptions import HTTPException

from app.auth.require import Permission, require
from app.dashboard.api import the_app
from app.dashboard.json import json_response
from app.dashboard.plan_reader import READ_PLAN
from app.errors import Refusal
from app.extensions import db
from app.jobs import outbox
from app.plans import workbook
from app.store import plan_imports
from app.store.apps import AppRef
from app.store.plan_imports import CHUNK_BYTES, ImportRef
from app.validation.problems import PlanInvalid

blueprint = Blueprint("import_api", __name__, url_prefix="/api/apps/<app_id>/plan")

MOST_BYTES: Final = 20 * 1024 * 1024
# What is larger is read by a worker: while this process read it, its other requests would wait.
MOST_INLINE_BYTES: Final = 1024 * 1024
MOST_INLINE_ROWS: Final = 5_000
MOST_INLINE_UNPACKED: Final = 4 * 1024 * 1024  # of a workbook; about so many rows
MOST_WAITING: Final = 3
MOST_LISTED: Final = 20
MOST_PROBLEMS_SHOWN: Final = 200
IMPORT_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SHEETS: Final = frozenset(("csv", "avo"))


def small_body(format_: str) -> bytes | None:
    """The request's body where it is small enough to be read at once; else None, and its beginning waits in `g`."""
    first = request.stream.read(MOST_INLINE_BYTES + 1)
    if len(first) <= MOST_INLINE_BYTES and not _is_long(format_, first):
        return first
    g.plan_file_begins = first
    return None


def _is_long(format_: str, body: bytes) -> bool:
    """Whether a file of few bytes has more rows than are read at once; counted, not parsed."""
    if format_ in SHEETS:
        return max(body.count(b"\n"), body.count(b"\r")) > MOST_INLINE_ROWS
    if format_ == "xlsx":
        try:
            return workbook.unpacked_size(body) > MOST_INLINE_UNPACKED
        except PlanInvalid:  # refused at once, with the reason
            return False
    return False


def take_large(app: AppRef, format_: str, asked: dict[str, Any]) -> Response:
    """Keep the rest of the body as it comes in; 202 once all of it is committed, with the job that reads it.

    Raises Refusal `too_many_imports`.
    """
    if plan_imports.unfinished(app.id) >= MOST_WAITING:
        waiting = "So many files of this app wait already. Send this one when one of them is read."
        raise Refusal("too_many_imports", waiting, 429, headers={"Retry-After": "30"})
    import_id = UUID(str(uuid_utils.uuid7()))
    plan_imports.add(import_id, app, format_, asked, g.actor.user_id, g.actor.key_id)
    db.session.commit()
    total = 0
    try:
        for number, chunk in enumerate(_chunks()):
            plan_imports.add_chunk(import_id, app.organisation_id, number, chunk)
            db.session.commit()
            total += len(chunk)
    except HTTPException:
        db.session.rollback()
        plan_imports.forget(import_id)
        db.session.commit()
        raise
    outbox_id = outbox.add(db.session, READ_PLAN, {"import_id": str(import_id)}, app.organisation_id)
    plan_imports.complete(import_id, total, outbox_id)
    db.session.commit()
    status_url = url_for("import_api.show_import", app_id=app.slug, import_id=import_id)
    answer = json_response({"import_id": str(import_id), "status_url": status_url}, 202)
    answer.headers["Location"] = status_url
    return answer


def _chunks() -> Iterator[bytes]:
    begins: bytes = g.pop("plan_file_begins")
    for at in range(0, len(begins), CHUNK_BYTES):
        yield begins[at : at + CHUNK_BYTES]
    yield from itertools.takewhile(bool, iter(lambda: request.stream.read(CHUNK_BYTES), b""))


@blueprint.get("/imports")
@require(Permission.READ)
def list_imports(app_id: str) -> Response:
    """The app's newest large files, newest first, and how far each is."""
    app = the_app(app_id)
    found = plan_imports.of_app(app.organisation_id, app.id, MOST_LISTED)
    return json_response({"imports": [as_json(each, None) for each in found]})


@blueprint.get("/imports/<import_id>")
@require(Permission.READ)
def show_import(app_id: str, import_id: str) -> Response:
    """How far a large file is, and what was understood of it: the answer that a small one gets at once."""
    found = _the_import(the_app(app_id), import_id)
    lines = plan_imports.problems(found.organisation_id, found.id) if found.state == "refused" else ""
    return json_response(as_json(found, lines))


@blueprint.get("/imports/<import_id>/problems")
@require(Permission.READ)
def show_problems(app_id: str, import_id: str) -> Response:
    """Every problem of a large file as NDJSON, by line."""
    found = _the_import(the_app(app_id), import_id)
    lines = plan_imports.problems(found.organisation_id, found.id)
    headers = {"Content-Disposition": f'attachment; filename="problems-{found.id}.ndjson"'}
    return Response(lines, content_type="application/x-ndjson", headers=headers)


def _the_import(app: AppRef, import_id: str) -> ImportRef:
    """The app's file of that id. Raises Refusal `unknown_import`."""
    known = IMPORT_ID.fullmatch(import_id)
    found = plan_imports.find(app.organisation_id, UUID(import_id)) if known else None
    if found is None or found.app_id != app.id or not found.is_whole:
        raise Refusal("unknown_import", "There is no such import in this app.", 404)
    return found


def as_json(found: ImportRef, lines: str | None) -> dict[str, Any]:
    """A file as its sender sees it; with its first problems where `lines` has them all."""
    told: dict[str, Any] = {
        "import_id": str(found.id),
        "state": found.state,
        "format": found.format,
        "publish": found.asked["publish"],
        "dry_run": found.asked["dry_run"],
        "mode": found.asked["mode"],
        "received_at": found.created_at,
        "finished_at": found.finished_at,
        "bytes": found.bytes_total,
        "stage": found.stage,
        "rows_done": found.done,
        "rows": found.total,
        "progress": found.progress,
    }
    if found.state == "failed":
        told["error"] = found.job_error or "unknown"
    if lines is None or found.result is None:
        return told
    address = url_for(".show_problems", app_id=found.app_slug, import_id=found.id)
    shown = "[" + ",".join(lines.split("\n")[:MOST_PROBLEMS_SHOWN]) + "]"
    problems = orjson.loads(shown)
    return told | {"result": {**found.result, "problems": problems}, "problems_url": address}
