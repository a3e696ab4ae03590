"""Log entries become events: judged by the plan that moved with them, added under the time at which they were received.

A slice is one transaction: its events, what they are counted for, its notes and how far it came. Each event is judged
anew, so that its verdict names the plan version that says so; how often the reference dashboard said otherwise is told
at the end.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import orjson
from psycopg2.extensions import connection as Connection  # noqa: N812  (a class that the driver spells small)

from app.config import Settings
from app.ingest import parse
from app.ingest.parse import Received, Rejected
from app.ingest.receive import row
from app.store import backfill
from app.store.backfill import Dated
from app.store.retention import MOST_DAYS
from app.validation.judge import judge
from scripts.moving.books import LEFT, Books, Note
from scripts.moving.reference import Record, Reference, moment, words
from scripts.moving.rules import Receiver, Receivers

SLICE: Final = 5_000
# Their message ids, which the source did not have. They enter no window of ids: nobody sends them again.
MOVED_ID: Final = "moved."
Verdicts = Counter[tuple[str, str]]  # (what the source said, what we say) → entries


class Unfit(Exception):
    """Why an entry cannot move; the message is its reason."""


def event_of(entry: Record, limits: Settings, now: datetime) -> tuple[datetime, Received]:
    """When an entry was received, and the event that it held. Raises Unfit."""
    received_at = moment(entry["created_at"])
    if received_at is None:
        raise Unfit("bad_time")
    if not now - timedelta(days=MOST_DAYS) < received_at <= now:
        raise Unfit("time_out_of_reach")
    try:
        value = orjson.loads(words(entry["payload"]))
    except orjson.JSONDecodeError as error:
        raise Unfit("bad_json") from error
    found = parse.event(value, limits)
    if isinstance(found, Rejected) and found.reason == "no_event_name":
        found = parse.event({"eventName": words(entry["event_name"]), **value}, limits)
    if isinstance(found, Rejected):
        raise Unfit(found.reason)
    return received_at, found


def move_entries(
    reference: Reference,
    receivers: Receivers,
    owner: Connection | None,
    books: Books,
    limits: Settings,
    tell: Callable[[int], None],
) -> Verdicts:
    """Move all entries that are not settled yet, telling how many are done. Without `owner`: only look at them."""
    verdicts: Verdicts = Counter()
    now = datetime.now(UTC)
    for entries in slices(reference, begin(receivers)):
        notes: list[Note] = []
        dated: list[Dated] = []
        for entry in entries:
            receiver = receivers.get(entry["app_id"])
            if receiver is not None and entry["id"] <= receiver.last_entry:
                continue
            try:
                if receiver is None:
                    raise Unfit("app_was_left")
                dated.append(_judged(entry, receiver, limits, now, verdicts))
            except Unfit as unfit:
                notes.append(_note(entry, receivers, str(unfit)))
        app_ids = [receiver.ref.id for receiver in receivers.values()]
        if owner is None:
            books.settle(None, notes, app_ids, entries[-1]["id"])
        else:
            with owner, owner.cursor() as cursor:
                refused = set(backfill.add(cursor, dated))
                notes += [
                    _note(e, receivers, "postgresql_cannot_hold_it") for e in entries if _id(e) in refused
                ]
                books.settle(cursor, notes, app_ids, entries[-1]["id"])
        tell(len(entries))
    return verdicts


def begin(receivers: Receivers) -> int:
    """Where some app still has entries to come."""
    return min((receiver.last_entry for receiver in receivers.values()), default=0)


def slices(reference: Reference, after: int) -> Iterator[list[Record]]:
    """The entries after this id."""
    while entries := reference.entries(after, SLICE):
        yield entries
        after = entries[-1]["id"]


def _judged(entry: Record, receiver: Receiver, limits: Settings, now: datetime, verdicts: Verdicts) -> Dated:
    received_at, received = event_of(entry, limits, now)
    judgement = judge(received.event, receiver.plan, exempt_system_events=receiver.ref.exempt_system_events)
    verdicts[words(entry.get("validation_status")), judgement.verdict.value] += 1
    event = row(receiver.ref, receiver.plan, received, judgement, _id(entry))
    return Dated(received_at, event._replace(event_id=str(id_at(received_at)), message_id=_id(entry)))


def _id(entry: Record) -> str:
    return f"{MOVED_ID}{entry['id']}"


def _note(entry: Record, receivers: Receivers, reason: str) -> Note:
    receiver = receivers.get(entry["app_id"])
    app = receiver.ref.slug if receiver else words(entry["app_id"])
    return Note(LEFT, "log_entries", app, entry["id"], reason, entry)


def id_at(moment: datetime) -> UUID:
    """A UUIDv7 (RFC 9562, 5.7) of that time: events are found again by the time in their id."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(
        int=milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    )
