"""Requests and events that were refused: how many a day for which reason, and the last few of each as samples."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from app.extensions import db
from app.store.tenancy import across_organisations

SLOTS: Final = 10  # samples of one app and reason; a new one takes the place of the oldest
KEPT_DAYS: Final = 7

ADD = text(
    """
    INSERT INTO refusal_samples (app_id, reason, slot, organisation_id, message, status, refused_at, write_key_id,
        request_id, excerpt, bytes)
    SELECT :app_id, :reason, free.slot, :organisation_id, :message, :status, :refused_at, :write_key_id,
        :request_id, :excerpt, :bytes
    FROM (
        SELECT n AS slot FROM generate_series(1, :slots) AS n
        LEFT JOIN refusal_samples t ON t.app_id = :app_id AND t.reason = :reason AND t.slot = n
        ORDER BY t.refused_at NULLS FIRST, n LIMIT 1
    ) AS free
    WHERE EXISTS (SELECT FROM apps WHERE id = :app_id)
    ON CONFLICT (app_id, reason, slot) DO UPDATE SET message = excluded.message, status = excluded.status,
        refused_at = excluded.refused_at, write_key_id = excluded.write_key_id, request_id = excluded.request_id,
        excerpt = excluded.excerpt, bytes = excluded.bytes
    """
)
COUNT = text(
    """
    INSERT INTO refusal_tallies AS t (app_id, day, reason, organisation_id, count)
    SELECT :app_id, date_trunc('day', CAST(:refused_at AS timestamptz), 'UTC'), :reason, :organisation_id, :count
    WHERE EXISTS (SELECT FROM apps WHERE id = :app_id)
    ON CONFLICT (app_id, day, reason) DO UPDATE SET count = t.count + excluded.count
    """
)
OF = text(
    """
    SELECT s.reason, s.message, s.status, s.refused_at, k.prefix, s.request_id, s.excerpt, s.bytes
    FROM refusal_samples s LEFT JOIN write_keys k ON k.id = s.write_key_id
    WHERE s.organisation_id = :organisation_id AND s.app_id = :app_id ORDER BY s.refused_at DESC
    """
)
COUNTS = text(
    """
    SELECT reason, sum(count)::bigint FROM refusal_tallies
    WHERE organisation_id = :organisation_id AND app_id = :app_id GROUP BY 1 ORDER BY 2 DESC, 1
    """
)
FORGET_SAMPLES = text("DELETE FROM refusal_samples WHERE refused_at < now() - make_interval(days => :days)")
FORGET_COUNTS = text(
    "DELETE FROM refusal_tallies WHERE day < date_trunc('day', now(), 'UTC') - make_interval(days => :days)"
)


@dataclass(slots=True)
class Sample:
    """One refused request, or event of a request, standing for `count` of them.

    status: of the answer; 200 for an event that was rejected among others. excerpt: how its body begins, None where
    it was not read; bytes: all of it had, None where that is not known.
    """

    organisation_id: int
    app_id: int
    reason: str
    message: str
    status: int
    refused_at: datetime
    write_key_id: int
    request_id: str
    excerpt: str | None
    bytes: int | None
    count: int = 1


@dataclass(frozen=True, slots=True)
class SampleShown:
    """A sample as people see it; key: the beginning of the write key, None once that key is gone."""

    reason: str
    message: str
    status: int
    refused_at: datetime
    key: str | None
    request_id: str
    excerpt: str | None
    bytes: int | None


@across_organisations()
def add(samples: Iterable[Sample]) -> None:
    """Keep these, each in the place of its reason's oldest; commits."""
    with db.engine.begin() as connection:
        # In one order, so that two processes never wait for each other.
        for sample in sorted(samples, key=lambda s: (s.app_id, s.reason)):
            values = asdict(sample) | {"slots": SLOTS}
            connection.execute(ADD, values)
            connection.execute(COUNT, values)


def of(organisation_id: int, app_id: int) -> list[SampleShown]:
    """The app's samples, newest first."""
    found = db.session.execute(OF, {"organisation_id": organisation_id, "app_id": app_id})
    return [SampleShown(*row) for row in found]


def counts(organisation_id: int, app_id: int) -> dict[str, int]:
    """How many were refused in KEPT_DAYS days and today, by reason, the most frequent first."""
    found = db.session.execute(COUNTS, {"organisation_id": organisation_id, "app_id": app_id})
    return dict(found.all())


@across_organisations()
def forget() -> None:
    """Forget what is older than KEPT_DAYS. The caller commits."""
    db.session.execute(FORGET_SAMPLES, {"days": KEPT_DAYS})
    db.session.execute(FORGET_COUNTS, {"days": KEPT_DAYS})
