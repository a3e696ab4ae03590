"""JSON's grammar (RFC 8259) at every door: what it forbids is refused alike, what it allows is kept as it was sent.

Where it leaves the choice to the parser, the answer stands here and is the same for one event, for a line among
others, and for a line of an upload.
"""

import math
from typing import Any

import orjson
import psycopg2
import pytest
from flask.testing import FlaskClient

from app.ingest import body, pieces
from app.ingest.body import Broken
from tests.world import World

FORBIDDEN = [
    b"[1", b"[1}", b'{"a":1]', b'{"a"', b'{"a":', b'"a', b"[1,]", b"[,1]", b"[1,,2]", b"[1 2]", b'{"a":1,}',
    b'{,"a":1}', b'{"a" 1}', b'{"a"::1}', b'{"a":1 "b":2}', b"{a:1}", b"{'a':1}", b'{1:"a"}', b'{"a","b"}',
    b"tru", b"True",
    b"nul", b"None", b"NaN", b"Infinity", b"-Infinity", b"undefined", b"01", b"-01", b"00", b"-", b"+1", b".5", b"1.",
    b"1.e1", b"1e", b"1e+", b"0x1", b"1_000", b"1,5", b"--1", b'"\\x"', b'"\\u12"', b'"\\u12g4"', b'"\\', b'"a\tb"',
    b'"a\x00b"', b'"a\x1fb"', b"'a'", b"1 2", b'{"a":1}x', b"[1]]", b"/* a */ 1", b"1 // a", b"# a", b'"\xff"',
    b'"\xc0\xaf"',
    b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"', b"\xc2\xa01", b"\x0b1", b"\x0c1", b"\xef\xbb\xbf1", b"1e999", b"-1e999", b"[1e400]",
]  # fmt: skip
# What is kept for it. Where a parser may choose: the last of two keys counts, integers beyond 64 bits become floats.
ALLOWED: dict[bytes, Any] = {
    b" 1 ": 1, b"\t[ 1 ,\r 2 ]": [1, 2], b"[]": [], b"{}": {}, b'""': "", b'{"":0}': {"": 0}, b"true": True,
    b"null": None, b"0": 0, b"1.0": 1.0, b"1E2": 100.0, b"1e-2": 0.01, b"1e-400": 0.0, b"0.1e1": 1.0, b"-1": -1,
    b"9007199254740993": 9007199254740993, b"9223372036854775807": 2**63 - 1, b"18446744073709551615": 2**64 - 1,
    b"-9223372036854775808": -(2**63), b"123456789012345678901234567890": 1.2345678901234568e29,
    b"0.1000000000000000055511151231257827": 0.1, b'"\\u0041\\/\\"\\\\"': 'A/"\\', b'"\\b\\f\\n\\r\\t"': "\b\f\n\r\t",
    b'"\\ud83d\\ude00"': "\U0001f600", b'"\xf0\x9f\x98\x80"': "\U0001f600", b'"\\uffff"': "\uffff", b'"\x7f"': "\x7f",
    '"\u2028\u2029"'.encode(): "\u2028\u2029", '"\ufeff"'.encode(): "\ufeff", b'{"a":1,"a":2}': {"a": 2},
    b'{"a":{"b":1},"a":{"c":2}}': {"a": {"c": 2}}, b"[" * 28 + b"]" * 28: None,
    b'{"__proto__":{"x":1},"constructor":1}': {"__proto__": {"x": 1}, "constructor": 1},
    b'{"a.b":1,"$ref":"#","a[]":2," ":3}': {"a.b": 1, "$ref": "#", "a[]": 2, " ": 3},
}  # fmt: skip
# Grammatical, but nothing that a database can hold.
UNHOLDABLE = [b'"\\u0000"', b'{"a\\u0000":1}', b'"\\ud800"', b'"\\udc00\\ud800"', b'{"\\udfff":1}']


def event(value: bytes, message_id: str = "m") -> bytes:
    return b'{"event":"syntax","messageId":"%s","payload":{"x":%s}}' % (message_id.encode(), value)


def uploaded(lines: list[bytes]) -> list[Any]:
    """The values of an upload of these lines, as the job reads them."""
    whole = b"\n".join(lines) + b"\n"
    return [
        piece.value for piece in pieces.pieces("ndjson", whole[: pieces.HEADER_BYTES], iter([whole]), 0, 0)
    ]


@pytest.mark.parametrize("value", FORBIDDEN, ids=repr)
def test_what_the_grammar_forbids_is_no_json_at_any_door(value: bytes) -> None:
    assert body.parse(event(value)) == Broken("bad_json")
    assert body.parse(b'{"event":"a"} ' + value) == Broken("bad_json")


def test_what_the_grammar_forbids_is_refused_and_its_neighbours_are_kept(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection
) -> None:
    for value in FORBIDDEN:
        answer = world.alice.send(client, event(value))
        assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_json"), value
    lines = [line for n, bad in enumerate(FORBIDDEN) for line in (event(b"1", f"good-{n}"), event(bad))]
    lines = [line for line in lines if b"\n" not in line]
    results = world.alice.send(client, b"\n".join(lines)).get_json()["results"]
    assert [r.get("reason") for r in results] == [None, "bad_json"] * len(FORBIDDEN)
    assert [isinstance(value, Broken) for value in uploaded(lines)] == [False, True] * len(FORBIDDEN)
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM log_entries")
        assert cursor.fetchone() == (len(FORBIDDEN),)


def test_what_the_grammar_allows_is_kept_as_it_was_sent(
    client: FlaskClient, world: World, owner: psycopg2.extensions.connection
) -> None:
    for n, value in enumerate(ALLOWED):
        answer = world.alice.send(client, event(value, f"one-{n}"))
        assert answer.status_code == 200, value
    lines = [event(value.replace(b"\r", b" "), f"line-{n}") for n, value in enumerate(ALLOWED)]
    assert world.alice.send(client, b"\n".join(lines)).get_json()["accepted"] == len(ALLOWED)
    assert [value["payload"]["x"] for value in uploaded(lines)] == [orjson.loads(value) for value in ALLOWED]
    with owner.cursor() as cursor:
        cursor.execute("SELECT message_id, payload::text FROM log_entries")
        kept = {message_id: orjson.loads(payload)["x"] for message_id, payload in cursor}
    for n, (value, meant) in enumerate(ALLOWED.items()):
        wanted = orjson.loads(value) if meant is None else meant
        for found in (kept[f"one-{n}"], kept[f"line-{n}"]):
            assert (found, type(found)) == (wanted, type(wanted)), value


def test_the_sign_of_zero_is_kept(client: FlaskClient, world: World) -> None:
    world.alice.send(client, event(b"-0.0"))
    (shown,) = world.alice.get(client, "/api/apps/shop/events").get_json()["events"]
    assert math.copysign(1, shown["payload"]["x"]) == -1


@pytest.mark.parametrize("value", UNHOLDABLE, ids=repr)
def test_what_no_database_holds_is_refused_by_name(client: FlaskClient, world: World, value: bytes) -> None:
    assert world.alice.send(client, event(value)).get_json()["code"] == "bad_string"
    results = world.alice.send(client, event(b"1") + b"\n" + event(value)).get_json()["results"]
    assert [r.get("reason") for r in results] == [None, "bad_string"]


@pytest.mark.parametrize(
    ("levels", "code"), [(30, None), (31, "too_deep"), (1_000, "too_deep"), (100_000, "too_deep")]
)
def test_how_deep_an_event_may_be(client: FlaskClient, world: World, levels: int, code: str | None) -> None:
    """32 levels with the event and its payload."""
    for closed in (b"]" * levels, b""):
        answer = world.alice.send(client, event(b"[" * levels + closed)).get_json()
        expected = code if closed or levels >= 1_000 else "bad_json"
        assert answer.get("code") == expected, (levels, closed)
