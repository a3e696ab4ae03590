"""From a JSON value to an event: its name, payload and envelope, screened for what no store can hold."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from app.config import Settings
from app.ingest.body import Broken
from app.validation.model import NAME_MEMBERS, PAYLOAD_MEMBERS, Event

# An index entry of PostgreSQL holds 2,704 bytes; 256 characters of any script fit.
MOST_NAME_CHARACTERS = 256
MOST_ID_CHARACTERS = 256
MOST_FACT_CHARACTERS = 256
# Numbers above this are milliseconds: in seconds it would be the year 5138.
LEAST_MILLISECONDS = 100_000_000_000


class Received(NamedTuple):
    """An event that can be judged and kept, with its JSON as it will be stored."""

    event: Event
    message_id: str | None  # None: the sender gave none
    payload_json: str
    envelope_json: str
    digest: str  # of name and payload in canonical JSON: equal for a retry, different for a conflict


@dataclass(frozen=True, slots=True)
class Rejected:
    """A value that is no event, or none that can be kept; `reason` is a stable code."""

    reason: str


def event(value: Any, limits: Settings) -> Received | Rejected:
    """Read one value of a body."""
    if isinstance(value, Broken):
        return Rejected(value.reason)
    if not isinstance(value, dict):
        return Rejected("not_an_object")
    try:
        return _event(value, limits)
    except Unfit as unfit:
        return Rejected(unfit.reason)


class Unfit(Exception):
    """Why a value is no event."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _event(value: dict[str, Any], limits: Settings) -> Received:
    name_member, name = _name(value)
    payload_member, payload = _payload(value)
    envelope = value.copy()
    del envelope[name_member]
    envelope.pop(payload_member, None)
    try:
        payload_json, envelope_json = orjson.dumps(payload), orjson.dumps(envelope)
        canonical = orjson.dumps((name, payload), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, UnicodeEncodeError) as error:
        raise Unfit("too_deep" if "recursion" in str(error).lower() else "bad_string") from error
    _screen(value, (payload_json, envelope_json, name.encode()), limits)
    return Received(
        event=Event(name, payload, envelope),
        message_id=_message_id(envelope),
        payload_json=payload_json.decode(),
        envelope_json=envelope_json.decode(),
        digest=hashlib.sha256(canonical).hexdigest(),
    )


def _name(value: dict[str, Any]) -> tuple[str, str]:
    for member in NAME_MEMBERS:
        name = value.get(member)
        if isinstance(name, str) and (trimmed := name.strip()):
            if len(trimmed) > MOST_NAME_CHARACTERS:
                raise Unfit("name_too_long")
            if not _is_encodable(trimmed):
                raise Unfit("bad_string")
            return member, trimmed
    raise Unfit("no_event_name")


def _payload(value: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    for member in PAYLOAD_MEMBERS:
        if member in value:
            payload = value[member]
            if not isinstance(payload, dict):
                raise Unfit("bad_payload")
            return member, payload
    return "", {}


def _message_id(envelope: dict[str, Any]) -> str | None:
    given = envelope.get("messageId")
    if given is None or given == "":
        return None
    if isinstance(given, bool) or not isinstance(given, (str, int)):
        raise Unfit("bad_message_id")
    if len(message_id := str(given)) > MOST_ID_CHARACTERS:
        raise Unfit("bad_message_id")
    return message_id


def _screen(value: Any, documents: Iterable[bytes], limits: Settings) -> None:
    """Size, depth, keys and NUL. Counting bytes settles nearly every event; only a suspicious one is walked."""
    whole = b"".join(documents)
    if len(whole) > limits.max_event_bytes:
        raise Unfit("too_large")
    if (
        b"\\u0000" in whole
        or b"\x00" in whole
        or whole.count(b"{") + whole.count(b"[") >= limits.max_depth
        or whole.count(b":") > limits.max_keys
    ):
        _walk(value, limits)


def _walk(value: Any, limits: Settings) -> None:
    """Visit every key and value. Raises Unfit `too_deep`, `too_many_keys`, `bad_string`."""
    keys, waiting = 0, [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, str) and "\x00" in item:
            raise Unfit("bad_string")  # PostgreSQL's text cannot hold NUL
        if not isinstance(item, (dict, list)):
            continue
        if depth > limits.max_depth:
            raise Unfit("too_deep")
        children: Iterable[Any] = item
        if isinstance(item, dict):
            keys += len(item)
            if keys > limits.max_keys:
                raise Unfit("too_many_keys")
            waiting.extend((key, depth) for key in item)
            children = item.values()
        waiting.extend((child, depth + 1) for child in children)


def _is_encodable(string: str) -> bool:
    try:
        string.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return "\x00" not in string


def fact(envelope: dict[str, Any], *members: str) -> str | None:
    """The first of these envelope members that is a string or number, cut to a column's width."""
    for member in members:
        given = envelope.get(member)
        if isinstance(given, (str, int, float)) and not isinstance(given, bool) and given != "":
            return str(given)[:MOST_FACT_CHARACTERS]
    return None


def moment(given: Any) -> str | None:
    """A client's time (seconds, milliseconds or ISO 8601) as ISO 8601 in UTC; None where it is none.

    A client's clock is shown, never relied on, so a wrong one is no reason to refuse an event.
    """
    try:
        if isinstance(given, str) and given.strip().lstrip("-").isdigit():
            given = int(given)
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            seconds = given / 1000 if abs(given) >= LEAST_MILLISECONDS else given
            return datetime.fromtimestamp(seconds, UTC).isoformat()
        if isinstance(given, str):
            parsed = datetime.fromisoformat(given.strip())
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
    return None
