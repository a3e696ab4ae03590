"""What the move remembers, in PostgreSQL beside the product's tables: how far it is, and what it left or changed.

It stands in the transaction of what it speaks of, so a move that was killed goes on where the last commit was and
knows every row that it left. A schema of its own, `moving`: the product knows nothing of it, and it may be dropped
once the move is over.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg2.extensions import connection as Connection  # noqa: N812  (a class that the driver spells small)
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from sqlalchemy import text

from app.extensions import db

# An app is known again by its old address and age, wherever the file lies by now.
TABLES: Final = """
CREATE SCHEMA IF NOT EXISTS moving;
CREATE TABLE IF NOT EXISTS moving.apps (
    source_slug TEXT NOT NULL,
    source_created_at TEXT NOT NULL,
    app_id BIGINT NOT NULL UNIQUE,
    organisation_id BIGINT NOT NULL,
    rules_moved BOOLEAN DEFAULT 'false' NOT NULL,
    last_entry BIGINT DEFAULT '0' NOT NULL,
    PRIMARY KEY (source_slug, source_created_at)
);
CREATE TABLE IF NOT EXISTS moving.people (username TEXT PRIMARY KEY, organisation_id BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS moving.notes (
    outcome TEXT NOT NULL,
    kind TEXT NOT NULL,
    app TEXT NOT NULL,
    source_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (kind, app, source_id, reason)
);
GRANT USAGE ON SCHEMA moving TO live_validation_app;
GRANT SELECT, INSERT, UPDATE ON moving.apps, moving.people, moving.notes TO live_validation_app;
"""
NOTE: Final = "INSERT INTO moving.notes VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
HOME: Final = text("SELECT organisation_id FROM moving.people WHERE username = :username")
ADD_PERSON: Final = text("INSERT INTO moving.people VALUES (:username, :organisation_id)")
MOVED: Final = text(
    """
    SELECT app_id, organisation_id, rules_moved, last_entry FROM moving.apps
    WHERE source_slug = :slug AND source_created_at = :created_at
    """
)
ADD: Final = text(
    "INSERT INTO moving.apps (source_slug, source_created_at, app_id, organisation_id)"
    " VALUES (:slug, :created_at, :app_id, :organisation_id)"
)
RULES_MOVED: Final = text("UPDATE moving.apps SET rules_moved = true WHERE app_id = :app_id")
SETTLED: Final = "UPDATE moving.apps SET last_entry = greatest(last_entry, %s) WHERE app_id = ANY(%s)"
# What was left because its app was: an app that found an heir later takes it along.
CORRECT: Final = """
DELETE FROM moving.notes WHERE (reason = 'app_was_left' AND app = ANY(%(source_ids)s))
    OR (kind = 'apps' AND reason = 'owner_was_left' AND source_id = ANY(%(source_ids)s))
"""
SECRET: Final = frozenset({"password"})
LEFT: Final = "left"
CHANGED: Final = "changed"


@dataclass(frozen=True, slots=True)
class Note:
    """A row that was `left`, or taken over `changed`, and why. `app`: the old address of the app that it belongs to."""

    outcome: str
    kind: str
    app: str
    source_id: Any
    reason: str
    record: dict[str, Any]

    def as_row(self) -> tuple[str, ...]:
        """In ASCII, so that whatever bytes the cells held can be written anywhere; passwords stay out."""
        shown = {name: value for name, value in self.record.items() if name not in SECRET}
        texts = (self.outcome, self.kind, self.app, str(self.source_id), self.reason)
        return (*map(in_ascii, texts), json.dumps(shown, default=repr))


@dataclass(frozen=True, slots=True)
class Moved:
    """What an app became. Every entry up to `last_entry` is settled."""

    app_id: int
    organisation_id: int
    rules_moved: bool
    last_entry: int


class Books:
    """The books of one database. A rehearsal (`owner` None) reads what is there, and keeps its notes to itself."""

    def __init__(self, owner: Connection | None) -> None:
        self._owner = owner
        self._rehearsed: dict[tuple[str, ...], tuple[str, ...]] = {}
        if owner:
            with owner, owner.cursor() as cursor:
                cursor.execute(TABLES)

    @property
    def is_rehearsal(self) -> bool:
        return self._owner is None

    def note(self, noted: Note) -> None:
        """Write a note in the session's transaction."""
        if not self._rehearse([noted]):
            db.session.connection().exec_driver_sql(NOTE, noted.as_row())

    def settle(
        self, cursor: Cursor | None, notes: Sequence[Note], app_ids: Sequence[int], last_entry: int
    ) -> None:
        """Write a slice's notes and how far it came, in the transaction of this cursor."""
        if self._rehearse(notes):
            return
        assert cursor is not None, "only a rehearsal has none"
        for noted in notes:
            cursor.execute(NOTE, noted.as_row())
        cursor.execute(SETTLED, (last_entry, list(app_ids)))

    def home(self, username: str) -> int | None:
        """The organisation that this account got in an earlier run."""
        if not self._are_there():
            return None
        return db.session.execute(HOME, {"username": in_ascii(username)}).scalar()

    def add_person(self, username: str, organisation_id: int) -> None:
        """Remember whose organisation is whose; the caller commits."""
        if not self.is_rehearsal:
            asked = {"username": in_ascii(username), "organisation_id": organisation_id}
            db.session.execute(ADD_PERSON, asked)

    def moved(self, slug: str, created_at: str) -> Moved | None:
        """What this app became in an earlier run."""
        if not self._are_there():
            return None
        asked = {"slug": in_ascii(slug), "created_at": in_ascii(created_at)}
        found = db.session.execute(MOVED, asked).one_or_none()
        return Moved(*found) if found else None

    def add(self, slug: str, created_at: str, app_id: int, organisation_id: int) -> None:
        """Remember what an app became; the caller commits."""
        if not self.is_rehearsal:
            asked = {"slug": in_ascii(slug), "created_at": in_ascii(created_at)}
            db.session.execute(ADD, asked | {"app_id": app_id, "organisation_id": organisation_id})

    def rules_are_moved(self, app_id: int) -> None:
        """Remember that an app's rules were looked through; the caller commits."""
        if not self.is_rehearsal:
            db.session.execute(RULES_MOVED, {"app_id": app_id})

    def correct(self, source_ids: Iterable[int]) -> None:
        """Strike what an earlier run left of these apps, by their ids in the source: all of theirs has moved now."""
        if self._owner:
            with self._owner, self._owner.cursor() as cursor:
                cursor.execute(CORRECT, {"source_ids": list(map(str, source_ids))})

    def notes(self) -> Iterator[tuple[str, ...]]:
        """All notes, of earlier runs too, in the order of the source."""
        if self._owner is None:
            yield from self._rehearsed.values()
            return
        with self._owner, self._owner.cursor("notes") as cursor:
            cursor.execute(
                "SELECT outcome, kind, app, source_id, reason, record FROM moving.notes"
                " ORDER BY kind, length(source_id), source_id, reason"
            )
            yield from cursor

    def _are_there(self) -> bool:
        return (
            not self.is_rehearsal
            or db.session.execute(text("SELECT to_regclass('moving.apps')")).scalar() is not None
        )

    def _rehearse(self, notes: Sequence[Note]) -> bool:
        if self.is_rehearsal:
            self._rehearsed |= {row[1:5]: row for row in (noted.as_row() for noted in notes)}
        return self.is_rehearsal


def in_ascii(value: str) -> str:
    return value.encode("ascii", "backslashreplace").decode()
