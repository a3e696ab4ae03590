"""How often somebody failed lately. In PostgreSQL, so that no loss of Redis gives a guesser new tries."""

from dataclasses import dataclass

from sqlalchemy import text

from app.extensions import db


@dataclass(frozen=True, slots=True)
class Pace:
    """What may be tried: `most` failures in so many minutes, and `most_in_a_row` ever without a success."""

    most: int
    minutes: int
    most_in_a_row: int


# A try is counted before it is looked at: of a thousand at once no more than `most` get through. What is
# refused is not counted, so that a stranger cannot wind `in_a_row` up for nothing.
COUNT = text(
    """
    INSERT INTO brakes AS b (kind, whom, failures, in_a_row) VALUES (:kind, :whom, 1, 1)
    ON CONFLICT (kind, whom) DO UPDATE SET
        failures = CASE WHEN b.began_at <= now() - make_interval(mins => :minutes) THEN 1 ELSE b.failures + 1 END,
        began_at = CASE WHEN b.began_at <= now() - make_interval(mins => :minutes) THEN now() ELSE b.began_at END,
        in_a_row = b.in_a_row + 1
    WHERE b.in_a_row < :most_in_a_row
        AND (b.failures < :most OR b.began_at <= now() - make_interval(mins => :minutes))
    RETURNING 1
    """
)
LEFT = text(
    """
    SELECT CASE WHEN in_a_row >= :most_in_a_row THEN NULL
        ELSE ceil(extract(epoch FROM began_at + make_interval(mins => :minutes) - now()))::int END
    FROM brakes WHERE kind = :kind AND whom = :whom
    """
)
FORGIVE = text("DELETE FROM brakes WHERE kind = :kind AND whom = :whom")
GIVE_BACK = text(
    """
    UPDATE brakes SET failures = greatest(failures - 1, 0), in_a_row = 0 WHERE kind = :kind AND whom = :whom
    """
)
PRUNE = text(
    """
    DELETE FROM brakes WHERE (kind, whom) IN (
        SELECT kind, whom FROM brakes WHERE began_at < now() - interval '30 days' LIMIT :limit
    )
    """
)


def count(kind: str, whom: bytes, pace: Pace) -> bool:
    """Count one try; False, uncounted, where none is left. The caller commits before looking at the try."""
    limits = {"minutes": pace.minutes, "most": pace.most, "most_in_a_row": pace.most_in_a_row}
    return db.session.execute(COUNT, {"kind": kind, "whom": whom, **limits}).one_or_none() is not None


def seconds_left(kind: str, whom: bytes, pace: Pace) -> int | None:
    """How long until the next try; None: not by waiting."""
    limits = {"minutes": pace.minutes, "most_in_a_row": pace.most_in_a_row}
    found = db.session.execute(LEFT, {"kind": kind, "whom": whom, **limits}).one_or_none()
    return found[0] if found else 1


def forgive(kind: str, whom: bytes) -> None:
    """The right password came: what was counted is forgotten. The caller commits."""
    db.session.execute(FORGIVE, {"kind": kind, "whom": whom})


def give_back(kind: str, whom: bytes) -> None:
    """One of the tries counted was right; the others stay. The caller commits."""
    db.session.execute(GIVE_BACK, {"kind": kind, "whom": whom})


def prune(limit: int = 1000) -> None:
    """Forget failures of a month ago; the caller commits."""
    db.session.execute(PRUNE, {"limit": limit})
