"""Which events to show: one set of filters, asked of the table by SQL and of the live stream in memory."""

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any


class Origin(enum.StrEnum):
    """Who had the event sent: somebody who did something, or an SDK of its own accord."""

    USER = "user"
    SYSTEM = "system"


# As app/validation/judge.py's is_system_event says it, whether or not the app exempts such events.
ORIGIN = """CASE WHEN e.envelope->>'eventId' ~ CASE json_typeof(e.envelope->'eventId')
    WHEN 'number' THEN '^-?[0-9]*[1-9][0-9]*$' WHEN 'string' THEN '^[0-9]*[1-9][0-9]*$' END
    THEN 'system' ELSE 'user' END"""


# What tells one person from another.
PERSONAL = ("identity", "device")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events to show; None: any."""

    event: str | None = None
    verdict: str | None = None
    app_version: str | None = None
    platform: str | None = None
    session: str | None = None
    device: str | None = None
    identity: str | None = None
    origin: str | None = None
    kind: str | None = None
    path: str | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    q: str | None = None

    def as_sql(self) -> tuple[str, dict[str, Any]]:
        """The conditions and their parameters."""
        given = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        return " ".join(CONDITIONS[name] for name in given), given

    def as_json(self) -> dict[str, str]:
        """Those that are set, to be kept; `of_json` reads them again."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            n: v.isoformat() if isinstance(v, datetime) else str(v) for n, v in given.items() if v is not None
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, str]) -> "Filters":
        """What `as_json` wrote."""
        moments = ("received_from", "received_to")
        return cls(**{n: datetime.fromisoformat(v) if n in moments else v for n, v in kept.items()})  # type: ignore[arg-type]

    def admit(self, entry: Mapping[str, Any], payload: str = "") -> bool:
        """The same question asked of an entry in memory, for the live stream; the moments aside.

        payload: as the text that it came as, which is what `q` is looked for in.
        """
        facts = (
            (self.event, entry["name"]),
            (self.verdict, entry["verdict"]),
            (self.app_version, entry["app_version"]),
            (self.platform, entry["platform"]),
            (self.session, entry["session_id"]),
            (self.device, entry["device_id"]),
            (self.identity, entry["identity"]),
            (self.origin, entry["origin"]),
        )
        reasons = (
            (self.kind, {violation["kind"] for violation in entry["violations"]}),
            (self.path, {violation["path"] for violation in entry["violations"]}),
        )
        return (
            all(asked is None or asked == given for asked, given in facts)
            and all(asked is None or asked in given for asked, given in reasons)
            and (self.q is None or any(self.q.lower() in text.lower() for text in (payload, entry["name"])))
        )


def veiled(kept: Mapping[str, str]) -> dict[str, str]:
    """Filters as a record may keep them for ever: of whom they name, the beginning of the SHA-256 and no more.

    Whoever knows the name can still find the line that says that it was erased.
    """
    return {name: _veiled(value) if name in PERSONAL else value for name, value in kept.items()}


def _veiled(value: str) -> str:
    return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}"


CONDITIONS = {
    "event": "AND e.event_name = :event",
    "verdict": "AND e.verdict = :verdict",
    "app_version": "AND e.app_version = :app_version",
    "platform": "AND e.platform = :platform",
    "session": "AND e.session_id = :session",
    "device": "AND e.device_id = :device",
    "identity": "AND e.identity = :identity",
    "origin": f"AND {ORIGIN} = :origin",
    "kind": "AND EXISTS (SELECT FROM json_array_elements(e.violations) v WHERE v->>'kind' = :kind)",
    "path": "AND EXISTS (SELECT FROM json_array_elements(e.violations) v WHERE v->>'path' = :path)",
    "received_from": "AND e.received_at >= :received_from",
    "received_to": "AND e.received_at < :received_to",
    "q": "AND (strpos(lower(e.payload::text), lower(:q)) > 0 OR strpos(lower(e.event_name), lower(:q)) > 0)",
}
