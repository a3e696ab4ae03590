"""Databases as the reference dashboard left them: its three generations, column by column, and what lies in them."""

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bcrypt

GENERATIONS = ("first", "main", "scale")
PASSWORD = "Otters!paint7quiet"
SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, username VARCHAR(80) NOT NULL UNIQUE, password VARCHAR(255) NOT NULL,
    email VARCHAR(120) UNIQUE, created_at DATETIME, updated_at DATETIME, is_active BOOLEAN);
CREATE TABLE apps (id INTEGER PRIMARY KEY, app_id VARCHAR(100) NOT NULL UNIQUE, name VARCHAR(200) NOT NULL,
    description TEXT, user_id INTEGER NOT NULL REFERENCES users (id), created_at DATETIME, updated_at DATETIME,
    is_active BOOLEAN);
CREATE TABLE validation_rules (id INTEGER PRIMARY KEY, app_id INTEGER NOT NULL REFERENCES apps (id),
    event_name VARCHAR(200) NOT NULL, field_name VARCHAR(200) NOT NULL, data_type VARCHAR(50) NOT NULL,
    is_required BOOLEAN, condition JSON, created_at DATETIME, updated_at DATETIME);
CREATE TABLE log_entries (id INTEGER PRIMARY KEY, app_id INTEGER NOT NULL REFERENCES apps (id),
    event_name VARCHAR(200) NOT NULL, payload JSON NOT NULL, validation_status VARCHAR(20) NOT NULL,
    validation_results JSON, created_at DATETIME);
CREATE INDEX ix_log_entries_created_at ON log_entries (created_at);
"""
MAIN = """
CREATE TABLE otps (id INTEGER PRIMARY KEY, email VARCHAR(120) NOT NULL, otp_hash VARCHAR(255) NOT NULL,
    expires_at DATETIME NOT NULL, is_used BOOLEAN, created_at DATETIME);
CREATE TABLE fcm_tokens (id INTEGER PRIMARY KEY, app_id INTEGER NOT NULL, token VARCHAR(500), last_used_at DATETIME);
CREATE TABLE firebase_credentials (id INTEGER PRIMARY KEY, app_id INTEGER NOT NULL UNIQUE, credentials_json TEXT,
    created_at DATETIME, updated_at DATETIME);
ALTER TABLE validation_rules ADD COLUMN expected_pattern VARCHAR(500);
ALTER TABLE log_entries ADD COLUMN payload_hash VARCHAR(64);
INSERT INTO otps VALUES (1, 'anna@example.com', 'x', '2025-12-01 10:00:00.000000', 1, '2025-12-01 09:53:00.000000');
INSERT INTO firebase_credentials VALUES (1, 1, '{"private_key": "a very private key"}', NULL, NULL);
"""
SCALE = """
ALTER TABLE apps ADD COLUMN platform VARCHAR(50);
ALTER TABLE apps ADD COLUMN sdk_type VARCHAR(50);
"""


def written(moment: datetime) -> str:
    """A time as SQLAlchemy writes it into SQLite: UTC, and not saying so."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def ago(**how_long: float) -> str:
    return written(datetime.now(UTC) - timedelta(**how_long))


class ReferenceFile:
    """One database of a generation. Rows are added by the columns' names."""

    def __init__(self, path: Path, generation: str) -> None:
        self.path = path
        self.generation = generation
        self._connection = sqlite3.connect(path)
        self._connection.executescript(SCHEMA)
        if generation != "first":
            self._connection.executescript(MAIN)
        if generation == "scale":
            self._connection.executescript(SCALE)

    def add(self, table: str, **cells: Any) -> int:
        columns, marks = ", ".join(cells), ", ".join("?" * len(cells))
        added = self._connection.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(cells.values())
        )
        assert added.lastrowid is not None
        return added.lastrowid

    def user(self, username: str, email: str | None = None, **more: Any) -> int:
        """An account; its password is PASSWORD, or in the first generation the user's name."""
        password = username
        if self.generation != "first":
            password = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        given = {
            "username": username,
            "email": email,
            "password": password,
            "created_at": ago(days=90),
            "is_active": 1,
        }
        return self.add("users", **(given | more))

    def app(self, user_id: int, app_id: str, **more: Any) -> int:
        given = {
            "app_id": app_id,
            "name": app_id.title(),
            "user_id": user_id,
            "created_at": ago(days=80),
            "is_active": 1,
        }
        labels = {"platform": "android", "sdk_type": "ce"} if self.generation == "scale" else {}
        return self.add("apps", **(given | {"created_at": ago(days=80)} | labels | more))

    def rule(self, app: int, event: str, field: str, kind: str, **more: Any) -> int:
        given = {"app_id": app, "event_name": event, "field_name": field, "data_type": kind, "is_required": 0}
        return self.add("validation_rules", **(given | {"condition": "{}"} | more))

    def entry(self, app: int, event: dict[str, Any], at: str, status: str = "valid", **more: Any) -> int:
        given = {
            "app_id": app, "event_name": str(event.get("eventName")).lower(), "payload": json.dumps(event),
            "validation_status": status, "validation_results": "[]", "created_at": at,
        }  # fmt: skip
        return self.add("log_entries", **(given | more))

    def entries(self, app: int, count: int, names: Iterable[str] = ("purchase",), days: int = 30) -> None:
        """Many entries of the usual kind, spread evenly over so many days."""
        begin, step = datetime.now(UTC) - timedelta(days=days), timedelta(days=days) / (count + 1)
        names = list(names)
        self._connection.executemany(
            "INSERT INTO log_entries (app_id, event_name, payload, validation_status, validation_results, created_at)"
            " VALUES (?, ?, ?, 'valid', '[]', ?)",
            (
                (
                    app,
                    names[n % len(names)],
                    json.dumps(purchase(n, names[n % len(names)])),
                    written(begin + step * n),
                )
                for n in range(count)
            ),
        )

    def done(self) -> Path:
        self._connection.commit()
        self._connection.close()
        return self.path


def purchase(n: int, name: str = "purchase") -> dict[str, Any]:
    """An event as an SDK of those days sent it; every tenth has a price that is no number."""
    return {
        "eventId": 0, "eventName": name, "identity": f"user-{n % 500}", "sessionId": str(n // 20),
        "eventTime": str(1_760_000_000_000 + n * 1000), "networkMode": "wifi", "appVersion": f"4.{n % 3}.0",
        "payload": {"order_id": f"o-{n}", "price": "12,50" if n % 10 == 0 else 12.5 + n % 7, "items": n % 4 + 1},
    }  # fmt: skip
