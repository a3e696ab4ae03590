"""The reference dashboard's SQLite file, read as it is: any of its three generations, whatever its cells hold.

Its tables were made by `create_all` and never migrated, so which columns there are tells the generation:

    first   users, apps, validation_rules, log_entries; passwords in clear text
    main    + otps, log_entries.payload_hash, validation_rules.expected_pattern; bcrypt passwords
    scale   + apps.platform, apps.sdk_type

SQLite enforces neither types nor foreign keys nor UTF-8, so every value is looked at before it is believed.
"""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

Record = dict[str, Any]

NEEDED: Final = {
    "users": {"id", "username", "password"},
    "apps": {"id", "app_id", "name", "user_id"},
    "validation_rules": {"id", "app_id", "event_name", "field_name", "data_type"},
    "log_entries": {"id", "app_id", "event_name", "payload", "created_at"},
}
# Codes live for minutes; the push test page, whose private keys stood there in clear text, has no place here.
LEFT_BEHIND: Final = ("otps", "fcm_tokens", "firebase_credentials")


class NotTheReference(Exception):
    """The file is no database of the reference dashboard; the message says what is missing."""


class Reference:
    """One opened file. It is only read."""

    def __init__(self, path: Path) -> None:
        """Raises NotTheReference."""
        self.path = path
        self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        self._connection.row_factory = sqlite3.Row
        # Bytes that are no UTF-8 stay visible as such instead of stopping the whole move.
        self._connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        try:
            self._columns = {table: self._columns_of(table) for table in (*NEEDED, *LEFT_BEHIND)}
        except sqlite3.DatabaseError as error:
            raise NotTheReference(f"{path} is no SQLite database: {error}.") from error
        for table, needed in NEEDED.items():
            if missing := needed - self._columns[table]:
                raise NotTheReference(f"{path} has no {table} with {', '.join(sorted(missing))}.")

    @property
    def generation(self) -> str:
        """`first`, `main` or `scale`."""
        if "platform" in self._columns["apps"]:
            return "scale"
        return "main" if self._columns["otps"] else "first"

    def count(self, table: str) -> int:
        """The rows of a table; 0 where this generation does not have it."""
        if not self._columns[table]:
            return 0
        return self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608  (our names)

    def rows(self, table: str) -> Iterator[Record]:
        """All rows of one of the small tables, in the order of their ids."""
        for row in self._connection.execute(f"SELECT * FROM {table} ORDER BY id"):  # noqa: S608
            yield dict(row)

    def entries(self, after: int, most: int) -> list[Record]:
        """The next log entries after this id, in the order of their ids."""
        asked = "SELECT * FROM log_entries WHERE id > ? ORDER BY id LIMIT ?"
        return [dict(row) for row in self._connection.execute(asked, (after, most))]

    def count_after(self, entry_id: int) -> int:
        """How many log entries come after this id."""
        return self._connection.execute(
            "SELECT count(*) FROM log_entries WHERE id > ?", (entry_id,)
        ).fetchone()[0]

    def oldest_entries(self) -> dict[int, datetime]:
        """When each app (by its row's id) received its first entry."""
        found = self._connection.execute("SELECT app_id, min(created_at) FROM log_entries GROUP BY app_id")
        return {app_id: at for app_id, text in found if (at := moment(text))}

    def days(self) -> list[date]:
        """The days (UTC) on which there are entries."""
        found = self._connection.execute("SELECT DISTINCT substr(created_at, 1, 10) FROM log_entries")
        return sorted(at.date() for (text,) in found if (at := moment(text)))

    def close(self) -> None:
        self._connection.close()

    def _columns_of(self, table: str) -> set[str]:
        return {row["name"] for row in self._connection.execute(f"PRAGMA table_info({table})")}


def moment(value: Any) -> datetime | None:
    """A stored time, which was UTC without saying so; None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def words(value: Any) -> str:
    """A cell as text: what was meant as text may have been stored as a number."""
    return "" if value is None else str(value)
