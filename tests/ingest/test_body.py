"""Bytes to values: every format, every way to be broken."""

import gzip
import zlib

import orjson
import pytest

from app.errors import Refusal
from app.ingest import body
from app.ingest.body import Broken

MOST = 100_000


@pytest.mark.parametrize(
    ("sent", "values", "is_single"),
    [
        (b'{"event":"a"}', [{"event": "a"}], True),
        (b' \n{"event":"a"} ', [{"event": "a"}], True),
        (b'[{"event":"a"},{"event":"b"}]', [{"event": "a"}, {"event": "b"}], False),
        (b"[]", [], False),
        (b'{"batch":[{"event":"a"}],"sentAt":1}', [{"event": "a"}], False),
        (b'{"batch":3,"event":"a"}', [{"batch": 3, "event": "a"}], True),
        (b'{"event":"a"}\n{"event":"b"}\n', [{"event": "a"}, {"event": "b"}], False),
        (b'{"event":"a"}\r\n\r\n{"event":"b"}', [{"event": "a"}, {"event": "b"}], False),
        (b'{"event":"a"}\noops', [{"event": "a"}, Broken("bad_json")], False),
        (b'{oops\n{"event":"b"}', [Broken("bad_json"), {"event": "b"}], False),
        (
            b'Event Payload: {"event":"a"}\nnoise\nEvent Payload: {',
            [{"event": "a"}, Broken("bad_json")],
            False,
        ),
        (b'01-31 12:00 D/SDK: Event Payload: {"event":"a"}', [{"event": "a"}], False),
    ],
)
def test_reads_every_format(sent: bytes, values: list[object], is_single: bool) -> None:
    assert body.read(sent) == body.Body(values, is_single)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "empty_body"),
        (b" \n\t", "empty_body"),
        (b"{", "bad_json"),
        (b'{"a":NaN}', "bad_json"),
        (b'{"a":1e999}', "bad_json"),
        (b'{"a":-Infinity}', "bad_json"),
        (b'[\n {"event":"a"}\n oops\n]', "bad_json"),
        (b'{\n "event":"a",\n}', "bad_json"),
        (b"\xff\xfe{", "bad_json"),
        (b'\xef\xbb\xbf{"event":"a"}', "bad_json"),
        (b"3", "bad_json"),
        (b"null", "bad_json"),
        (b'"text"', "bad_json"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "too_deep"),
    ],
)
def test_refuses_what_is_no_body_with_a_stable_code(sent: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        body.read(sent)
    assert refused.value.code == code


def test_a_lone_surrogate_breaks_only_its_own_value() -> None:
    found = body.read(b'[{"event":"a","payload":{"x":"\\ud800"}},{"event":"b"}]')
    assert found.values[1] == {"event": "b"}


def test_numbers_mean_the_same_to_both_parsers() -> None:
    numbers = b"[1, -1, 1.5, 1e3, 9223372036854775807, 123456789012345678901234567890]"
    assert body._parse_slowly(numbers) == orjson.loads(numbers)


def test_gzip_is_unpacked_also_in_several_members() -> None:
    packed = gzip.compress(b'{"event":') + gzip.compress(b'"a"}')
    assert body.unpack(packed, "gzip", MOST) == b'{"event":"a"}'


@pytest.mark.parametrize("size", [MOST - 1, MOST])
def test_a_body_up_to_the_limit_is_taken(size: int) -> None:
    assert len(body.unpack(gzip.compress(b" " * size), "gzip", MOST)) == size
    assert len(body.unpack(b" " * size, "", MOST)) == size


@pytest.mark.parametrize(
    "packed", [gzip.compress(b" " * (MOST + 1)), gzip.compress(b" " * MOST) + gzip.compress(b" ")]
)
def test_a_byte_more_is_refused(packed: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        body.unpack(packed, "gzip", MOST)
    assert (refused.value.code, refused.value.status) == ("too_large", 413)


def test_a_bomb_is_refused_before_it_unfolds(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    real = zlib.decompressobj

    class Counted:
        """Counts what zlib makes; everything else is zlib's own."""

        def __init__(self, wbits: int) -> None:
            self._stream = real(wbits=wbits)

        def decompress(self, data: bytes, most: int) -> bytes:
            nonlocal made
            step = self._stream.decompress(data, most)
            made += len(step)
            return step

        def __getattr__(self, name: str) -> object:
            return getattr(self._stream, name)

    monkeypatch.setattr(body.zlib, "decompressobj", Counted)
    with pytest.raises(Refusal):
        body.unpack(gzip.compress(b"\0" * 50_000_000), "gzip", MOST)
    assert made <= MOST + 1


@pytest.mark.parametrize(
    "broken", [b"", b"not gzip", gzip.compress(b"{}")[:-4], gzip.compress(b"{}") + b"trailing"]
)
def test_broken_gzip_is_named(broken: bytes) -> None:
    if not broken:
        assert body.unpack(broken, "gzip", MOST) == b""
        return
    with pytest.raises(Refusal) as refused:
        body.unpack(broken, "gzip", MOST)
    assert refused.value.code == "bad_encoding"


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate", "x"])
def test_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(Refusal) as refused:
        body.unpack(b"{}", encoding, MOST)
    assert (refused.value.code, refused.value.status) == ("unsupported_media_type", 415)


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
)
def test_forms_are_refused(content_type: str) -> None:
    with pytest.raises(Refusal) as refused:
        body.check_type(content_type)
    assert refused.value.status == 415
