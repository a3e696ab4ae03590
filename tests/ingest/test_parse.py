"""A value to an event: names, payloads, ids, times, and what no store can hold."""

from typing import Any

import pytest

from app.config import Settings
from app.ingest import parse
from app.ingest.parse import Received, Rejected

LIMITS = Settings(
    secret_key="k" * 32,
    database_url="x",
    ingest_database_url="x",
    redis_url="x",
    redis_cache_url="x",
    mail_url="x",
    public_url="http://localhost",
)


def nested(levels: int) -> dict[str, Any]:
    """An event of so many levels, itself the first."""
    value: dict[str, Any] = {}
    for _ in range(levels - 2):
        value = {"a": value}
    return {"event": "deep", "payload": value}


def read(value: Any) -> Received:
    got = parse.event(value, LIMITS)
    assert isinstance(got, Received), got
    return got


@pytest.mark.parametrize(
    ("value", "name", "payload"),
    [
        ({"eventName": "a", "payload": {"x": 1}}, "a", {"x": 1}),
        ({"event_name": " a ", "properties": {"x": 1}}, "a", {"x": 1}),
        ({"event": "A b"}, "A b", {}),
        ({"name": "n", "event": "", "eventName": 5}, "n", {}),
        ({"eventName": "first", "event": "second"}, "first", {}),
    ],
)
def test_the_first_usable_name_counts_and_an_absent_payload_is_empty(
    value: Any, name: str, payload: Any
) -> None:
    event = read(value).event
    assert (event.name, event.payload) == (name, payload)


def test_what_is_neither_name_nor_payload_is_the_envelope() -> None:
    event = read({"event": "a", "eventName": "b", "payload": {}, "properties": {"kept": 1}, "odd": [1]}).event
    assert event.envelope == {"event": "a", "properties": {"kept": 1}, "odd": [1]}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (3, "not_an_object"),
        ([], "not_an_object"),
        (None, "not_an_object"),
        ({}, "no_event_name"),
        ({"event": "  "}, "no_event_name"),
        ({"event": ["a"]}, "no_event_name"),
        ({"event": "a" * 257}, "name_too_long"),
        ({"event": "a\x00b"}, "bad_string"),
        ({"event": "a\ud800"}, "bad_string"),
        ({"event": "a", "payload": []}, "bad_payload"),
        ({"event": "a", "payload": None}, "bad_payload"),
        ({"event": "a", "payload": {"x": "\ud800"}}, "bad_string"),
        ({"event": "a", "payload": {"\ud800": 1}}, "bad_string"),
        ({"event": "a", "payload": {"x": "a\x00"}}, "bad_string"),
        ({"event": "a", "payload": {"a\x00": 1}}, "bad_string"),
        ({"event": "a", "odd": "\x00"}, "bad_string"),
        ({"event": "a", "messageId": {"$ne": ""}}, "bad_message_id"),
        ({"event": "a", "messageId": "x" * 257}, "bad_message_id"),
        ({"event": "a", "messageId": True}, "bad_message_id"),
        ({"event": "a", "payload": {"x": "y" * 70_000}}, "too_large"),
        ({"event": "a", "payload": {str(n): 1 for n in range(2001)}}, "too_many_keys"),
        (nested(33), "too_deep"),
        (nested(400), "too_deep"),
    ],
)
def test_rejects_with_a_stable_reason(value: Any, reason: str) -> None:
    assert parse.event(value, LIMITS) == Rejected(reason)


def test_what_only_looks_suspicious_is_kept() -> None:
    read(nested(32))
    read({"event": "a", "payload": {"x": "\\u0000 spelled out", "y": "{[" * 40, "z": ":" * 3000}})
    read({"event": "a", "payload": {str(n): 1 for n in range(1990)}})


def test_the_digest_is_of_name_and_payload_in_canonical_form() -> None:
    one = read({"event": "a", "payload": {"x": 1, "y": 2}, "retry": 1})
    assert one.digest == read({"eventName": "a", "properties": {"y": 2, "x": 1}, "retry": 2}).digest
    assert one.digest != read({"event": "a", "payload": {"x": 1, "y": 3}}).digest
    assert one.digest != read({"event": "b", "payload": {"x": 1, "y": 2}}).digest


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (1762151564, "2025-11-03T06:32:44+00:00"),
        (1762151564369, "2025-11-03T06:32:44.369000+00:00"),
        ("1762151564369", "2025-11-03T06:32:44.369000+00:00"),
        ("2025-11-03T06:32:44Z", "2025-11-03T06:32:44+00:00"),
        ("2025-11-03T08:32:44+02:00", "2025-11-03T06:32:44+00:00"),
        ("2025-11-03 06:32:44", "2025-11-03T06:32:44+00:00"),
        ("2025-02-30T00:00:00Z", None),
        (10**30, None),
        (float("1e300"), None),
        (True, None),
        (None, None),
        ({}, None),
        ("", None),
        ("٣", None),
    ],
)
def test_client_times_are_read_or_ignored_never_refused(given: Any, moment: str | None) -> None:
    if given == "٣":  # digits of another script are a number to Python: seconds, harmless
        assert parse.moment(given) == "1970-01-01T00:00:03+00:00"
    else:
        assert parse.moment(given) == moment


def test_facts_are_text_of_bounded_width() -> None:
    assert parse.fact({"sessionId": "s"}, "sessionId") == "s"
    assert parse.fact({"sessionId": 12}, "sessionId") == "12"
    assert parse.fact({"identity": "", "userId": "u"}, "identity", "userId") == "u"
    assert parse.fact({"identity": ["x"], "userId": True}, "identity", "userId") is None
    assert len(parse.fact({"x": "é" * 9999}, "x") or "") == 256
