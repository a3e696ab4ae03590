"""A body of any size, unpacked as it comes in: never whole in memory, never more than was allowed."""

import zlib
from collections.abc import Callable, Generator, Iterator
from typing import IO, Any, Final

import zstandard
from werkzeug.exceptions import ClientDisconnected

from app.errors import Refusal

READ_BYTES: Final = 64 * 1024
# What one piece of input may become at once is bounded by its size alone: at most 128 KiB from 4 bytes
# (RFC 8878, 3.1.1.2), so 16 MiB from this.
ZSTD_STEP_BYTES: Final = 512
# RFC 8878, 3.1.1.1.2 recommends that decoders take windows of up to 8 MiB; what asks for more is no common file.
ZSTD_WINDOW_BYTES: Final = 8 * 1024 * 1024


def unpacked(stream: IO[bytes], encoding: str, most_bytes: int) -> Iterator[bytes]:
    """The body's bytes, a piece at a time.

    most_bytes: of the body as it is sent, and as it is unpacked.
    Raises Refusal `too_large`, `bad_encoding`, `unsupported_media_type`, and ClientDisconnected where the body
    ends before its time.
    """
    packed = _bounded(_read(stream), most_bytes)
    match encoding.strip().lower():
        case "" | "identity":
            return packed
        case "gzip":
            pieces = _members(
                packed, lambda: zlib.decompressobj(wbits=31), _gunzip
            )  # 31: gzip, checksum and all
        case "zstd":
            pieces = _members(packed, _zstd, _unzstd)
        case _:
            raise Refusal(
                "unsupported_media_type", "Send the body plain or with Content-Encoding: gzip or zstd.", 415
            )
    return _bounded(pieces, most_bytes)


def too_large(most_bytes: int) -> Refusal:
    """413 that names the limit."""
    most = f"An upload may have {most_bytes:,} bytes, packed and unpacked. Send it in parts."
    return Refusal("too_large", most, 413)


def _read(stream: IO[bytes]) -> Iterator[bytes]:
    while True:
        try:
            piece = stream.read(READ_BYTES)
        except OSError as error:  # what a broken connection looks like from here
            raise ClientDisconnected from error
        if not piece:
            return
        yield piece


def _bounded(pieces: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > most_bytes:
            raise too_large(most_bytes)
        yield piece


def _zstd() -> Any:
    return zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES).decompressobj()


def _gunzip(member: Any, data: bytes) -> Generator[bytes, None, bytes]:
    while data and not member.eof:
        yield member.decompress(data, READ_BYTES)
        data = member.unconsumed_tail
    return member.unused_data


def _unzstd(frame: Any, data: bytes) -> Generator[bytes, None, bytes]:
    for start in range(0, len(data), ZSTD_STEP_BYTES):
        yield frame.decompress(data[start : start + ZSTD_STEP_BYTES])
        if frame.eof:
            return frame.unused_data + data[start + ZSTD_STEP_BYTES :]
    return b""


def _members(
    packed: Iterator[bytes],
    begin: Callable[[], Any],
    undo: Callable[[Any, bytes], Generator[bytes, None, bytes]],
) -> Iterator[bytes]:
    """A file may be several packed ones, one after the other (RFC 1952, 2.2; RFC 8878, 3).

    undo: unpacks one member and returns what follows it.
    """
    member = None
    try:
        for piece in packed:
            rest = piece
            while rest:
                member = member or begin()
                rest = yield from undo(member, rest)
                if member.eof:
                    member = None
    except (zlib.error, zstandard.ZstdError) as error:
        raise Refusal(
            "bad_encoding",
            "The body is not what its Content-Encoding says. Compress it again and resend.",
            400,
        ) from error
    if member is not None:
        raise Refusal(
            "bad_encoding", "The compressed body ends too early. Compress it again and resend.", 400
        )
