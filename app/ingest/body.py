"""From a request's bytes to a list of JSON values: unpacking, formats, one strict parser."""

import json
import math
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import zstandard

from app.errors import Refusal

TEXT_LINE_MARK: Final = b"Event Payload:"
# What a format is known by is the body itself; these types promise something that is not JSON at all.
FOREIGN_TYPES = ("multipart/", "application/x-www-form-urlencoded")
UNPACK_STEP_BYTES = 64 * 1024
# What RFC 8878, 3.1.1.1.2 asks decoders to support; a frame that wants more memory is refused.
ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
EXCERPT_BYTES: Final = 1024  # of what was refused, for people to see
MOST_INTEGER_DIGITS = 20  # of an integer of 64 bits, with its sign


@dataclass(frozen=True, slots=True)
class Broken:
    """A part of a body that is no JSON value; its neighbours are not harmed. excerpt: how it begins."""

    reason: str
    excerpt: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Body:
    """The values of a body, and whether it was one single event rather than a list of them."""

    values: list[Any]
    is_single: bool


def unpack(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """Undo gzip or zstd, never making more than `most_bytes`.

    Raises Refusal `too_large`, `bad_encoding` or `unsupported_media_type`.
    """
    match encoding.strip().lower():
        case "" | "identity":
            unpacked = body
        case "gzip":
            unpacked = _gunzip(body, most_bytes)
        case "zstd":
            unpacked = _unzstd(body, most_bytes)
        case _:
            raise Refusal(
                "unsupported_media_type", "Send the body plain or with Content-Encoding: gzip or zstd.", 415
            )
    if len(unpacked) > most_bytes:
        raise too_large(most_bytes)
    return unpacked


def too_large(most_bytes: int) -> Refusal:
    """413 that names the limit."""
    return Refusal("too_large", f"The body may have {most_bytes:,} bytes unpacked. Send it in parts.", 413)


def _gunzip(body: bytes, most_bytes: int) -> bytes:
    """At most one byte more than allowed is ever made, whatever a bomb promises."""
    unpacked, rest = bytearray(), body
    try:
        while rest and len(unpacked) <= most_bytes:
            stream = zlib.decompressobj(wbits=31)  # 31: gzip with its checksum
            while rest and not stream.eof and len(unpacked) <= most_bytes:
                unpacked += stream.decompress(rest, min(UNPACK_STEP_BYTES, most_bytes + 1 - len(unpacked)))
                rest = stream.unconsumed_tail
            rest = stream.unused_data  # a gzip file may have several members
            if not stream.eof and len(unpacked) <= most_bytes:
                raise zlib.error("truncated")
    except zlib.error as error:
        raise Refusal(
            "bad_encoding", "The body is not valid gzip. Compress it again and resend.", 400
        ) from error
    return bytes(unpacked)


def _unzstd(body: bytes, most_bytes: int) -> bytes:
    """As _gunzip. A reader that stops at the limit comes first; it takes a torn end for an end, so a second looks."""
    try:
        unpacker = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
        with unpacker.stream_reader(body, read_size=UNPACK_STEP_BYTES, read_across_frames=True) as reader:
            unpacked = bytearray()
            while len(unpacked) <= most_bytes:
                step = reader.read(min(UNPACK_STEP_BYTES, most_bytes + 1 - len(unpacked)))
                if not step:
                    break
                unpacked += step
        rest = body if len(unpacked) <= most_bytes else b""
        while rest:
            frame = unpacker.decompressobj()
            frame.decompress(rest)
            if not frame.eof:
                raise zstandard.ZstdError("truncated")
            rest = frame.unused_data
    except zstandard.ZstdError as error:
        raise Refusal(
            "bad_encoding", "The body is not valid zstd. Compress it again and resend.", 400
        ) from error
    return bytes(unpacked)


def check_type(content_type: str) -> None:
    """Raises Refusal `unsupported_media_type` for forms; any other type is judged by the body alone."""
    if content_type.lower().startswith(FOREIGN_TYPES):
        raise Refusal(
            "unsupported_media_type", "Send JSON, NDJSON or `Event Payload:` lines, not a form.", 415
        )


def read(body: bytes) -> Body:
    """The values in a body: an object, an array, {"batch": […]}, NDJSON, or `Event Payload:` lines.

    Raises Refusal `empty_body`, `bad_json`, `too_deep`.
    """
    if not body.strip():
        raise Refusal("empty_body", "The body is empty. Send at least one event.")
    value = parse(body)
    if isinstance(value, Broken):
        return Body(_read_lines(body, value), is_single=False)
    if isinstance(value, list):
        return Body(value, is_single=False)
    if isinstance(value, dict):
        if isinstance(batch := value.get("batch"), list):
            return Body(batch, is_single=False)
        return Body([value], is_single=True)
    raise Refusal("bad_json", "The body is JSON, but neither an object nor an array.")


def parse(document: bytes) -> Any:
    """One JSON value, or Broken with the reason.

    orjson refuses the whole document for a lone surrogate, which JSON's grammar allows (RFC 8259, 8.2). Python's own
    slower parser then tells such a document from a broken one, so that only the event that carries it is refused.
    """
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        return _parse_slowly(document)


def _parse_slowly(document: bytes) -> Any:
    try:
        return json.loads(
            document.decode("utf-8"), parse_constant=_refuse, parse_float=_finite, parse_int=_bounded
        )
    except RecursionError:
        return Broken("too_deep", document[:EXCERPT_BYTES])
    except ValueError:  # also what decode() and the three below raise
        return Broken("bad_json", document[:EXCERPT_BYTES])


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _bounded(digits: str) -> int | float:
    """As orjson does: an integer beyond 64 bits becomes a float."""
    if len(digits) <= MOST_INTEGER_DIGITS and -(2**63) <= (number := int(digits)) < 2**64:
        return number
    return _finite(digits)


def _read_lines(body: bytes, broken: Broken) -> list[Any]:
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    marked = [line.partition(TEXT_LINE_MARK)[2] for line in lines if TEXT_LINE_MARK in line]
    if marked:  # a device's log: what carries no mark is not an event
        return [parse(line) for line in marked]
    if len(lines) > 1 and body.lstrip().startswith(b"{"):
        first, last = parse(lines[0]), parse(lines[-1])
        if isinstance(first, dict) or isinstance(last, dict):
            return [parse(line) for line in lines]
    if broken.reason == "too_deep":
        raise Refusal("too_deep", "The body is nested too deeply.")
    raise Refusal(
        "bad_json", "The body is not valid JSON. NaN, comments and trailing commas are not allowed."
    )
