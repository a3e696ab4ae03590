"""Does what is in PostgreSQL agree with the file? Counted and summed on both sides, once everything has moved.

The file is read a second time, and PostgreSQL reads what it stored: nothing that was remembered meanwhile is believed.
A checksum is the sum of one number per event, so it needs no order and no memory.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from psycopg2.extensions import connection as Connection  # noqa: N812  (a class that the driver spells small)

from app.config import Settings
from scripts.moving import entries as moving
from scripts.moving.books import LEFT
from scripts.moving.entries import MOVED_ID, Unfit, event_of
from scripts.moving.reference import Reference
from scripts.moving.rules import Receiver, Receivers

Sums = dict[int, tuple[int, int]]  # app → events, and the sum of their numbers

# 60 bits, so that the sum of them is far from PostgreSQL's limits.
STORED: Final = f"""
SELECT app_id, count(*), sum(('x' || left(encode(sha256(convert_to(concat_ws(E'\\n',
    message_id, to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), event_name, payload, envelope
), 'UTF8')), 'hex'), 15))::bit(60)::bigint)
FROM log_entries WHERE app_id = ANY(%s) AND message_id LIKE '{MOVED_ID}%%' GROUP BY 1
"""  # noqa: S608  (a constant)
LEFT_IDS: Final = f"SELECT source_id FROM moving.notes WHERE kind = 'log_entries' AND outcome = '{LEFT}'"  # noqa: S608
# Each event is counted once in its day, folded or not.
COUNTED: Final = """
SELECT app_id, verdict, sum(count)::bigint FROM (
    SELECT app_id, verdict, count FROM tallies WHERE minutes = 1440
    UNION ALL SELECT app_id, verdict, count FROM tally_deltas
) AS counted WHERE app_id = ANY(%s) GROUP BY 1, 2 HAVING sum(count) <> 0
"""
ROWS: Final = "SELECT app_id, verdict, count(*) FROM log_entries WHERE app_id = ANY(%s) GROUP BY 1, 2"


def disagreements(
    reference: Reference,
    receivers: Receivers,
    owner: Connection,
    limits: Settings,
    tell: Callable[[int], None],
) -> list[str]:
    """A sentence for each app that differs; none where all agrees. Reads the file, then one snapshot of PostgreSQL."""
    app_ids = [receiver.ref.id for receiver in receivers.values()]
    with owner, owner.cursor() as cursor:
        cursor.execute(LEFT_IDS)
        left = {source_id for (source_id,) in cursor}
    expected = _of_file(reference, receivers, left, limits, tell)
    with owner, owner.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(STORED, (app_ids,))
        stored = {app_id: (count, int(total)) for app_id, count, total in cursor}
        cursor.execute(COUNTED, (app_ids,))
        counted = {(app_id, verdict): count for app_id, verdict, count in cursor}
        cursor.execute(ROWS, (app_ids,))
        rows = {(app_id, verdict): count for app_id, verdict, count in cursor}
    return [
        sentence
        for receiver in receivers.values()
        for sentence in _compared(receiver, expected, stored, _of(counted, receiver), _of(rows, receiver))
    ]


def _of_file(
    reference: Reference,
    receivers: Receivers,
    left: set[str],
    limits: Settings,
    tell: Callable[[int], None],
) -> Sums:
    counts: Counter[int] = Counter()
    totals: Counter[int] = Counter()
    now = datetime.now(UTC)
    for entries in moving.slices(reference, 0):
        for entry in entries:
            receiver = receivers.get(entry["app_id"])
            if receiver is None or str(entry["id"]) in left:
                continue
            try:
                received_at, found = event_of(entry, limits, now)
            except Unfit:  # and not among those that were left: it shows as a missing event
                counts[receiver.ref.id] += 1
                continue
            told = (found.event.name, found.payload_json, found.envelope_json)
            counts[receiver.ref.id] += 1
            totals[receiver.ref.id] += _number(
                f"{MOVED_ID}{entry['id']}", f"{received_at:%Y-%m-%dT%H:%M:%S.%f}", *told
            )
        tell(len(entries))
    return {app_id: (counts[app_id], totals[app_id]) for app_id in counts}


def _number(*told: str) -> int:
    return int(hashlib.sha256("\n".join(told).encode()).hexdigest()[:15], 16)


def _of(counts: dict[tuple[int, str], int], receiver: Receiver) -> dict[str, int]:
    return {verdict: count for (app_id, verdict), count in counts.items() if app_id == receiver.ref.id}


def _compared(
    receiver: Receiver, expected: Sums, stored: Sums, counted: dict[str, int], rows: dict[str, int]
) -> list[str]:
    wanted, found = (sums.get(receiver.ref.id, (0, 0)) for sums in (expected, stored))
    slug, told = receiver.ref.slug, []
    if wanted[0] != found[0]:
        told.append(f"{slug}: {wanted[0]:,} entries in the file, {found[0]:,} events here.")
    elif wanted[1] != found[1]:
        told.append(f"{slug}: as many events as entries ({found[0]:,}), but not the same ones.")
    if counted != rows:
        told.append(f"{slug}: counted {counted}, but stored {rows}.")
    return told
