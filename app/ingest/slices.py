"""Working through a large upload, slice by slice: each is judged, kept and ticked off in one short transaction.

So a job that is killed goes on where the last commit was, and every event is stored once: an id that a sender did not
give is made of the upload's id and the line. Short, because the live streams wait for the oldest open transaction.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

import psycopg2
import structlog
from flask import Flask, g
from psycopg2.extensions import connection as Connection  # noqa: N812  (a class that the driver spells small)

from app import metrics
from app.errors import is_busy
from app.extensions import KEEPALIVE, db, settings
from app.hosts import Hosts
from app.ingest import parse, used_up
from app.ingest.parse import Received, Rejected
from app.ingest.pieces import HEADER_BYTES, NOTHING, Piece, pieces
from app.ingest.receive import judge_all, row
from app.jobs import registry
from app.jobs.queues import Queue
from app.jobs.registry import Job, JobFailed, JobUnfinished
from app.live import bell
from app.plans.current import current
from app.store import apps, batches, copying, usage
from app.store.apps import AppRef
from app.store.batches import Advance, BatchRef
from app.store.keeping import Outcome, Status
from app.store.outbox import Claim
from app.validation.model import Judgement, Verdict

log = structlog.get_logger()

MOST_EVENTS_PER_SLICE: Final = 1000
MOST_BYTES_PER_SLICE: Final = 4 * 1024 * 1024
# Then another upload has its turn, and the worker hears whether it is to stop.
TURN_SECONDS: Final = 5.0
# A file of refused lines is for finding the mistake, which the first hundred thousand show.
MOST_REFUSALS: Final = 100_000

Counts = dict[str, dict[str, int]]


class Slice(NamedTuple):
    """Pieces that follow each other, read as events. `end` and `last_line` say where the next slice begins."""

    lines: list[int]
    events: list[Received | Rejected]
    end: int
    last_line: int


def work_through(claim: Claim) -> None:
    """Work on one upload for one turn. Raises JobUnfinished where more is left."""
    ends_at = time.monotonic() + TURN_SECONDS
    batch = _asked_for(claim)
    if batch is None or batch.finished_at:  # forgotten with its app; or our own earlier try got so far
        return
    try:
        with closing(Hosts(settings().ingest_database_url, **KEEPALIVE).connect()) as connection:
            for found in _slices(batch):
                batch = _keep(connection, batch, found)
                if time.monotonic() > ends_at:
                    raise JobUnfinished
            _finish(connection, batch)
    except batches.Overtaken:
        log.warning("batch_overtaken", batch_id=str(batch.id))
        raise JobUnfinished from None
    except psycopg2.Error as error:
        if not is_busy(error):
            raise
        raise JobFailed("database_busy") from error
    batches.forget_chunks(batch.id)


def _asked_for(claim: Claim) -> BatchRef | None:
    assert claim.organisation_id is not None, "an upload has an owner"
    batch = batches.find(claim.organisation_id, UUID(claim.arguments["batch_id"]))
    g.app_id = batch.app_id if batch else None
    db.session.commit()
    return batch


def _slices(batch: BatchRef) -> Iterator[Slice]:
    """What is left of the upload."""
    head = next(batches.bytes_from(batch.id, 0), b"")[:HEADER_BYTES]
    source = batches.bytes_from(batch.id, batch.bytes_done)
    begin = batch.bytes_done
    found: list[Piece] = []
    for piece in pieces(batch.format, head, source, batch.bytes_done, batch.lines_done):
        found.append(piece)
        if len(found) >= MOST_EVENTS_PER_SLICE or piece.end - begin >= MOST_BYTES_PER_SLICE:
            yield _read(found)
            begin, found = piece.end, []
    if found:
        yield _read(found)


def _read(found: Sequence[Piece]) -> Slice:
    limits = settings()
    told = [piece for piece in found if piece.value is not NOTHING]
    events = [parse.event(piece.value, limits) for piece in told]
    return Slice([piece.number for piece in told], events, found[-1].end, found[-1].number)


def _keep(connection: Connection, batch: BatchRef, found: Slice) -> BatchRef:
    """Judge the slice's events and keep them, with how far the upload is, in one transaction."""
    app = apps.find(batch.organisation_id, batch.app_slug)
    if app is None:
        raise JobFailed("unknown_app", may_retry=False)
    good = [
        (line, event)
        for line, event in zip(found.lines, found.events, strict=True)
        if isinstance(event, Received)
    ]
    plan = current(app)
    judged = judge_all(app, plan, [event for _, event in good])
    db.session.commit()  # judging asked for the plan; no transaction of ours stays open meanwhile
    rows = [
        row(app, plan, event, judgement, f"{batch.id.hex}.{line}", batch.environment)
        for (line, event), judgement in zip(good, judged, strict=True)
    ]
    with connection, connection.cursor() as cursor:
        outcomes = copying.keep(cursor, rows)
        refused = _refused(found, [line for line, _ in good], outcomes)
        counts = _added(batch.counts, _counted(outcomes, judged, refused))
        room = max(0, MOST_REFUSALS - sum(batch.counts.get("reasons", {}).values()))
        step = Advance(found.end, found.last_line, counts, refused[:room], is_last=False)
        batches.advance(cursor, batch, step)
    size = used_up.size_of([event for _, event in good], outcomes)
    usage.add({(app.id, datetime.now(UTC).date()): (0, size)})
    _tell(app, outcomes, judged, refused)
    return replace(batch, bytes_done=found.end, lines_done=found.last_line, counts=counts)


def _finish(connection: Connection, batch: BatchRef) -> None:
    with connection, connection.cursor() as cursor:
        batches.advance(
            cursor, batch, Advance(batch.bytes_done, batch.lines_done, batch.counts, [], is_last=True)
        )


def _refused(found: Slice, kept_lines: Sequence[int], outcomes: Sequence[Outcome]) -> list[tuple[int, str]]:
    """Lines that are no event, and those that PostgreSQL cannot hold, each with its reason."""
    unread = [
        (line, event.reason)
        for line, event in zip(found.lines, found.events, strict=True)
        if isinstance(event, Rejected)
    ]
    unfit = [
        (line, "bad_string")
        for line, outcome in zip(kept_lines, outcomes, strict=True)
        if outcome.status is Status.REJECTED
    ]
    return sorted(unread + unfit)


def _counted(
    outcomes: Sequence[Outcome], judged: Sequence[Judgement], refused: Sequence[tuple[int, str]]
) -> Counts:
    """Events of a slice per status, stored events per verdict, refused lines per reason."""
    statuses = Counter(outcome.status.value for outcome in outcomes if outcome.status is not Status.REJECTED)
    statuses["rejected"] = len(refused)
    return {
        "statuses": dict(+statuses),
        "verdicts": dict(Counter(verdict.value for verdict in _stored(outcomes, judged))),
        "reasons": dict(Counter(reason for _, reason in refused)),
    }


def _stored(outcomes: Sequence[Outcome], judged: Sequence[Judgement]) -> list[Verdict]:
    pairs = zip(outcomes, judged, strict=True)
    return [judgement.verdict for outcome, judgement in pairs if outcome.status is Status.STORED]


def _added(before: Mapping[str, Mapping[str, int]], more: Counts) -> Counts:
    return {kind: dict(Counter(before.get(kind, {})) + Counter(more[kind])) for kind in more}


def _tell(
    app: AppRef,
    outcomes: Sequence[Outcome],
    judged: Sequence[Judgement],
    refused: Sequence[tuple[int, str]],
) -> None:
    """Count in the metrics what the front door counts, and ring the bell."""
    counts = _counted(outcomes, judged, refused)
    for status, count in counts["statuses"].items():
        metrics.EVENTS.labels(status).inc(count)
    taken = sum(counts["statuses"].values()) - counts["statuses"].get("rejected", 0)
    metrics.ORGANISATION_EVENTS.labels(metrics.organisation(app.organisation_id)).inc(taken)
    for verdict, count in counts["verdicts"].items():
        metrics.VERDICTS.labels(verdict).inc(count)
    for reason, count in counts["reasons"].items():
        metrics.REFUSALS.labels(reason).inc(count)
    for kind, count in Counter(v.kind for judgement in judged for v in judgement.violations).items():
        metrics.VIOLATIONS.labels(kind).inc(count)
    if counts["verdicts"]:
        bell.announce_now(app)


def forget_uploads(_claim: Claim) -> None:
    """Drop the uploads that were broken off, and what is known of those finished long ago."""
    batches.forget_abandoned()
    batches.forget_old(settings().history_days)


# Out of reach of a long outage of the database: twenty attempts, at most five minutes apart.
WORK_THROUGH: Final = Job(
    "work_through_batch",
    Queue.HIGH,
    work_through,
    timeout_seconds=60,
    attempts=20,
    longest_pause_seconds=300,
)


def init_app(flask_app: Flask) -> None:
    registry.declare(
        flask_app,
        WORK_THROUGH,
        Job("forget_uploads", Queue.LOW, forget_uploads, timeout_seconds=60, every_seconds=3600),
    )
