"""Large uploads at the front door: streamed to safe storage, answered once they are safe, asked about later."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
import uuid_utils
from flask import Blueprint, Response, g, request, url_for
from werkzeug.exceptions import HTTPException

from app.auth import allowance, quota
from app.auth.require import Permission, require
from app.errors import Refusal
from app.extensions import db, settings
from app.ingest import body, cors, refused, used_up
from app.ingest.pieces import HEADER_BYTES, format_of
from app.ingest.receipt import REASONS
from app.ingest.slices import WORK_THROUGH
from app.ingest.unpacked import too_large, unpacked
from app.jobs import outbox
from app.store import batches
from app.store.batches import CHUNK_BYTES, BatchRef

blueprint = Blueprint("batches", __name__)
blueprint.after_request(cors.allow)
blueprint.after_request(refused.note_request)
blueprint.after_request(used_up.note_request)

BATCH_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@blueprint.url_value_preprocessor
def expect_much(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """The general limit is for bodies that are held whole. Here, because it is checked before the view is reached."""
    body.check_type(request.content_type or "")  # a form would be read whole
    request.max_content_length = settings().max_batch_bytes + 1


@blueprint.post("/api/logs/<app_id>/batches")
@require(Permission.SEND)
def take_batch(app_id: str) -> Response:
    """Keep a large body as it comes in; 202 once all of it is committed, with the job that works through it."""
    most_bytes = settings().max_batch_bytes
    cors.check(g.write_key.cors_origins)
    allowance.spend(1, g.write_key.key_id, g.organisation_id)
    if (request.content_length or 0) > most_bytes:
        raise too_large(most_bytes)
    if batches.unfinished(g.sender.id) >= settings().max_batches_waiting:
        waiting = "So many uploads of this app wait already. Send this one when one of them is done."
        raise Refusal("too_many_batches", waiting, 429, headers={"Retry-After": "30"})
    db.session.commit()
    with quota.spending(g.write_key, 1):  # how many it holds nobody knows yet
        pass
    chunks = _chunks(unpacked(request.stream, request.headers.get("Content-Encoding", ""), most_bytes))
    batch_id = _keep(chunks)
    answer = {
        "batch_id": str(batch_id),
        "status_url": url_for(".show_batch", app_id=app_id, batch_id=batch_id),
    }
    return Response(
        orjson.dumps(answer), 202, content_type="application/json", headers={"Location": answer["status_url"]}
    )


def _keep(chunks: Iterator[bytes]) -> UUID:
    """Commit chunk by chunk, then the upload as a whole with its job; drop it where it breaks off.

    An upload whose instance dies here is dropped by a job, an hour later.
    """
    first = next(chunks, b"")
    format_ = format_of(first[:HEADER_BYTES])
    organisation_id, batch_id, total = g.sender.organisation_id, UUID(str(uuid_utils.uuid7())), 0
    batches.add(batch_id, g.sender, g.write_key.environment, format_)
    db.session.commit()
    try:
        for number, chunk in enumerate(_and(first, chunks)):
            batches.add_chunk(batch_id, organisation_id, number, chunk)
            db.session.commit()
            total += len(chunk)
    except (Refusal, HTTPException):
        db.session.rollback()
        batches.forget(batch_id)
        db.session.commit()
        raise
    outbox_id = outbox.add(db.session, WORK_THROUGH, {"batch_id": str(batch_id)}, organisation_id)
    batches.complete(batch_id, total, outbox_id)
    db.session.commit()
    return batch_id


def _and(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in chunks of CHUNK_BYTES; only the last may be shorter."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= CHUNK_BYTES:
            yield bytes(waiting[:CHUNK_BYTES])
            del waiting[:CHUNK_BYTES]
    if waiting:
        yield bytes(waiting)


@blueprint.get("/api/logs/<app_id>/batches/<batch_id>")
@require(Permission.SEND)
def show_batch(app_id: str, batch_id: str) -> Response:
    """How far an upload is, and what became of its events. Its sender may ask: nobody else knows its id."""
    return Response(orjson.dumps(as_json(_the_batch(batch_id), app_id)), content_type="application/json")


@blueprint.get("/api/logs/<app_id>/batches/<batch_id>/refused")
@require(Permission.SEND)
def show_refused(app_id: str, batch_id: str) -> Response:
    """The refused lines as NDJSON: which, why, and what to do about it."""
    return refused_lines(_the_batch(batch_id))


def _the_batch(batch_id: str) -> BatchRef:
    """The sender's upload of that id. Raises Refusal `unknown_batch`."""
    return find_batch(g.sender.organisation_id, g.sender.id, batch_id)


def find_batch(organisation_id: int, app_id: int, batch_id: str) -> BatchRef:
    """The app's whole upload of that id. Raises Refusal `unknown_batch`."""
    found = batches.find(organisation_id, UUID(batch_id)) if BATCH_ID.fullmatch(batch_id) else None
    if found is None or found.app_id != app_id or not found.is_whole:
        raise Refusal("unknown_batch", "There is no such upload in this app.", 404)
    return found


def as_json(batch: BatchRef, app_slug: str) -> dict[str, Any]:
    """An upload as its sender sees it. `line` counts lines, or the items of a JSON array."""
    statuses = batch.counts.get("statuses", {})
    return {
        "batch_id": str(batch.id),
        "state": batch.state,
        "format": batch.format,
        "received_at": batch.created_at,
        "finished_at": batch.finished_at,
        "bytes": batch.bytes_total,
        "progress": batch.progress,
        "lines": batch.lines_done,
        "accepted": statuses.get("stored", 0),
        "rejected": statuses.get("rejected", 0),
        "duplicates": statuses.get("duplicate", 0),
        "conflicts": statuses.get("conflict", 0),
        "verdicts": batch.counts.get("verdicts", {}),
        "reasons": batch.counts.get("reasons", {}),
        "refused_url": url_for(".show_refused", app_id=app_slug, batch_id=batch.id),
        **({"error": batch.job_error or "unknown"} if batch.state == "failed" else {}),
    }


def refused_lines(batch: BatchRef) -> Response:
    """A file of the refused lines, one JSON object each; of the first MOST_REFUSALS, so some megabytes at most."""
    found = batches.refusals(batch.organisation_id, batch.id)
    lines = (
        orjson.dumps({"line": line, "reason": reason, "message": REASONS[reason]}) for line, reason in found
    )
    headers = {"Content-Disposition": f'attachment; filename="refused-{batch.id}.ndjson"'}
    return Response(b"\n".join((*lines, b"")), content_type="application/x-ndjson", headers=headers)
