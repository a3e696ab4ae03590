"""A large upload in pieces: the same values wherever it is cut, and from any place where a piece ended."""

import csv
import io
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import Refusal
from app.ingest import pieces as module
from app.ingest.body import Broken
from app.ingest.pieces import MOST_PIECE_BYTES, NOTHING, Piece, format_of, pieces

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def cut(body: bytes, step: int) -> list[bytes]:
    return [body[start : start + step] for start in range(0, len(body), step)]


def read(body: bytes, step: int = 7, offset: int = 0, number: int = 0) -> list[Piece]:
    return list(pieces(format_of(body), body, iter(cut(body[offset:], step)), offset, number))


def values(body: bytes, step: int = 7) -> list[Any]:
    found = [piece.value for piece in read(body, step) if piece.value is not NOTHING]
    return [value.reason if isinstance(value, Broken) else value for value in found]


def as_csv(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def x(payload: dict[str, Any]) -> dict[str, Any]:
    return {"event": "x", "payload": payload}


@pytest.mark.parametrize("step", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a":1}\n\r\n {"a":"\xc3\xa9"} \n{"a":2}', [{"a": 1}, {"a": "é"}, {"a": 2}]),
        (b'\xef\xbb\xbf{"a":1}\nnonsense\n{"a":2}\n', [{"a": 1}, "bad_json", {"a": 2}]),
        (b' [ {"a":"],[\\"{"} , [1,2] ,\n"x\\\\", 3 ] \n', [{"a": '],["{'}, [1, 2], "x\\", 3]),
        (b"[]", []),
        (b"\xef\xbb\xbf[1]", [1]),
        (b"[1,]", [1, "bad_json"]),
        (b"[,1]", ["bad_json", 1]),
        (b"[1 2]", ["bad_json"]),
        (b"[1}", ["bad_json"]),
        (b'[1, {"a":', [1, "bad_json"]),
        (b'[1, "abc', [1, "bad_json"]),
        (b"[1] x [2]", [1, "bad_json"]),
        (b"event,payload.a\nx,1\n\ny,true\n", [x({"a": 1}), {"event": "y", "payload": {"a": True}}]),
        (b"event;payload.a.b\r\nx;0123\r\n", [x({"a": {"b": "0123"}})]),
        (b'event,payload\nx,"{""a"":[1]}"\nz,{\n', [x({"a": [1]}), "bad_json"]),
        (b'event,payload.a\nx,"1\n2"\ny,1,2\nz,"un"x\n', [x({"a": "1\n2"}), "bad_csv", "bad_csv"]),
        (b"event,payload.a\n\xff,1\nx,2\n", ["bad_csv", x({"a": 2})]),
        (b"event\tpayload.a\tpayload.a.b\nx\t1\t2\n", ["bad_csv"]),
    ],
)
def test_each_value_is_found_wherever_the_body_is_cut(body: bytes, expected: list[Any], step: int) -> None:
    assert values(body, step) == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(JSON_VALUES, max_size=6), st.integers(1, 40), st.sampled_from(["json", "pretty", "ndjson"]))
def test_it_goes_on_from_any_place_where_a_piece_ended(
    given_values: list[Any], step: int, layout: str
) -> None:
    if layout == "ndjson":
        given_values = [{"v": value} for value in given_values]
        body = b"\n".join(map(orjson.dumps, given_values)) or b"{}"
    else:
        body = orjson.dumps(given_values, option=orjson.OPT_INDENT_2 if layout == "pretty" else None)
    whole = read(body, step)
    assert [piece.value for piece in whole] == (given_values or ([] if layout != "ndjson" else [{}]))
    for n, piece in enumerate(whole):
        assert read(body, step, piece.end, piece.number) == whole[n + 1 :]


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_a_csv_goes_on_from_any_record(step: int) -> None:
    body = as_csv([["event", "payload.t"], ["a", "x\ny"], ["b", ""], ["c", 'q"q'], ["d", "4"]])
    whole = read(body, step)
    assert [piece.number for piece in whole] == [2, 4, 5, 6]
    for n, piece in enumerate(whole):
        assert [p.value for p in read(body, step, piece.end, piece.number)] == [
            p.value for p in whole[n + 1 :]
        ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"' + b"x" * (3 * MOST_PIECE_BYTES) + b'"}\n{"a":1}',
        b'[{"a":"' + b"\\\\" * (2 * MOST_PIECE_BYTES) + b'"},{"a":1}]',
        b"[" + b"[" * (2 * MOST_PIECE_BYTES) + b"]" * (2 * MOST_PIECE_BYTES) + b',{"a":1}]',
        b"[[" + b'"abc", ' * MOST_PIECE_BYTES + b'0],{"a":1}]',
    ],
    ids=["line", "string", "brackets", "list"],
)
def test_what_is_too_long_for_an_event_is_skipped_without_being_collected(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = 0
    real = module._Scan.fill

    def watched(scan: Any) -> bool:
        nonlocal longest
        longest = max(longest, len(scan._window))
        return real(scan)

    monkeypatch.setattr(module._Scan, "fill", watched)
    assert values(body, 512 * 1024) == ["too_large", {"a": 1}]
    assert longest < 3 * MOST_PIECE_BYTES


def test_an_unclosed_quote_costs_its_neighbourhood_and_not_the_rest() -> None:
    rows = b"".join(b"e,%d\n" % n for n in range(60_000))
    found = values(b"event,payload.n\n" + b'e,"open\n' + rows, 65536)
    assert found.count("bad_csv") == 1
    assert len(found) > 30_000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b" \n\t", "empty_body"),
        (b"", "empty_body"),
        (b"hello", "bad_header"),
        (b"event,event\n", "bad_header"),
        (b"\xff\xfe{\x00", "bad_header"),
        (b"PK\x03\x04 a zip", "bad_header"),
        (b'"event\n', "bad_header"),
    ],
)
def test_what_is_none_of_the_formats_is_refused_at_once(body: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        format_of(body)
    assert refused.value.code == code
