"""A large upload in pieces: one JSON value per line, array item or CSV record, from any place where one ended.

Nothing here ever holds more than one piece and one chunk; what is too long to be an event is skipped, not collected.
"""

import csv
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from app.errors import Refusal
from app.ingest.body import Broken, parse
from app.validation.model import NAME_MEMBERS, PAYLOAD_MEMBERS

BOM: Final = b"\xef\xbb\xbf"
# An event's 64 KiB, each character of it escaped as \uXXXX, and its envelope.
MOST_PIECE_BYTES: Final = 1024 * 1024
HEADER_BYTES: Final = 64 * 1024
DELIMITERS: Final = ",;\t|"
NOTHING: Final = object()  # a blank line: no event, but a place to go on from
TOO_LARGE: Final = Broken("too_large")
BAD_CSV: Final = Broken("bad_csv")
BAD_JSON: Final = Broken("bad_json")


class Piece(NamedTuple):
    """One value of an upload.

    number: its line or, in a JSON array, its place in it; from 1. end: the offset behind it, where the next begins.
    value: JSON, Broken, or NOTHING.
    """

    number: int
    end: int
    value: Any


def format_of(head: bytes) -> str:
    """`json` (an array), `ndjson` or `csv`, by how the upload begins.

    Raises Refusal `empty_body`, and `bad_header` where it can only be CSV but its first line says no event's name.
    """
    text = head.removeprefix(BOM).lstrip()
    if not text:
        raise Refusal("empty_body", "The body is empty. Send at least one event.")
    if text.startswith((b"[", b"{")):
        return "json" if text.startswith(b"[") else "ndjson"
    Columns.of(head)
    return "csv"


def pieces(format_: str, head: bytes, source: Iterator[bytes], offset: int, number: int) -> Iterator[Piece]:
    """The values from `offset` on, where the piece `number` ended. head: how the whole upload begins."""
    source = _without_mark(source) if offset == 0 else source
    begin = len(BOM) if offset == 0 and head.startswith(BOM) else offset
    match format_:
        case "json":
            return _items(source, begin, number, is_resumed=offset > 0)
        case "csv":
            return _records(Columns.of(head), source, begin, number)
        case _:
            return _documents(source, begin, number)


def _without_mark(source: Iterator[bytes]) -> Iterator[bytes]:
    first = b""
    while len(first) < len(BOM) and (chunk := next(source, b"")):
        first += chunk
    yield first.removeprefix(BOM)
    yield from source


# --- Lines ------------------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A line without its end; None: it is longer than any piece may be."""

    number: int
    end: int
    content: bytes | None


def _lines(source: Iterator[bytes], offset: int, number: int) -> Iterator[Line]:
    rest, skipped = b"", 0  # skipped: bytes of an overlong line that are not kept
    for chunk in source:
        *whole, rest = (rest + chunk).split(b"\n")
        for content in whole:
            number += 1
            offset += skipped + len(content) + 1
            yield Line(number, offset, None if skipped else content)
            skipped = 0
        if len(rest) > MOST_PIECE_BYTES:
            rest, skipped = b"", skipped + len(rest)
    if rest or skipped:
        yield Line(number + 1, offset + skipped + len(rest), None if skipped else rest)


def _documents(source: Iterator[bytes], offset: int, number: int) -> Iterator[Piece]:
    for line in _lines(source, offset, number):
        if line.content is None:
            yield Piece(line.number, line.end, TOO_LARGE)
        else:
            text = line.content.strip()
            yield Piece(line.number, line.end, parse(text) if text else NOTHING)


# --- CSV --------------------------------------------------------------------------------------------------------------


class Columns(NamedTuple):
    """The header line: what each cell is."""

    names: tuple[str, ...]
    delimiter: str

    @classmethod
    def of(cls, head: bytes) -> "Columns":
        """Raises Refusal `bad_header`."""
        first = head.removeprefix(BOM)[:HEADER_BYTES].partition(b"\n")[0]
        try:
            line = first.decode().rstrip("\r")
            delimiter = max(DELIMITERS, key=line.count)
            names = tuple(name.strip() for name in next(csv.reader([line], delimiter=delimiter, strict=True)))
        except (UnicodeDecodeError, csv.Error, StopIteration):
            names, delimiter = (), ","
        if not set(names) & set(NAME_MEMBERS) or len(set(names)) < len(names):
            message = (
                "The upload is neither a JSON array nor NDJSON, and its first line is no CSV header. A header names "
                f"each column once and one of them {', '.join(NAME_MEMBERS)}; payload columns are payload.<key>."
            )
            raise Refusal("bad_header", message)
        return cls(names, delimiter)

    def event(self, cells: list[str]) -> Any:
        """The event in a record: envelope members as text, `payload.<path>` columns as JSON where they are JSON."""
        if len(cells) != len(self.names):
            return BAD_CSV
        value: dict[str, Any] = {}
        for name, cell in zip(self.names, cells, strict=True):
            member, _, path = name.partition(".")
            if cell == "":
                continue  # an empty cell is an absent member
            if member not in (*PAYLOAD_MEMBERS, "context"):
                value[name] = cell
            elif not path:
                value[member] = parse(cell.encode())
                if isinstance(value[member], Broken):
                    return value[member]
            elif not _put(value, (member, *path.split(".")), _scalar(cell)):
                return BAD_CSV
        return value


def _put(value: dict[str, Any], path: tuple[str, ...], leaf: Any) -> bool:
    """Put the leaf into nested objects; False where something else stands in its way."""
    *parents, last = path
    for parent in parents:
        value = value.setdefault(parent, {})
        if not isinstance(value, dict):
            return False
    return value.setdefault(last, leaf) is leaf


def _scalar(cell: str) -> Any:
    """7, true, null, "7", [1] as JSON reads them; anything else is text."""
    value = parse(cell.encode()) if cell[0] in '-0123456789tfn"[{' else cell
    return cell if isinstance(value, Broken) else value


class _Text:
    """Lines as csv wants them, remembering which was read last."""

    def __init__(self, lines: Iterator[Line], last: Line) -> None:
        self._lines = lines
        self.last = last

    def __iter__(self) -> "_Text":
        return self

    def __next__(self) -> str:
        self.last = next(self._lines)
        if self.last.content is None:
            raise csv.Error("line too long")
        try:
            return self.last.content.decode() + "\n"
        except UnicodeDecodeError as error:
            raise csv.Error("no UTF-8") from error


def _records(columns: Columns, source: Iterator[bytes], offset: int, number: int) -> Iterator[Piece]:
    text = _Text(_lines(source, offset, number), Line(number, offset, b""))
    if number == 0:
        next(text, None)
    reader = csv.reader(text, delimiter=columns.delimiter, strict=True)
    while True:
        first = text.last.number + 1
        try:
            cells = next(reader)
            value = columns.event(cells) if any(cells) else NOTHING
        except StopIteration:
            return
        except csv.Error:  # also a quote that is never closed: csv gives up a cell after 128 KiB
            value = BAD_CSV
        yield Piece(first, text.last.end, value)


# --- One JSON array ---------------------------------------------------------------------------------------------------

MARK: Final = re.compile(rb'["\[\]{},]')
STRING_END: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def _items(source: Iterator[bytes], offset: int, number: int, *, is_resumed: bool) -> Iterator[Piece]:
    """The items of one array. Only brackets, commas and strings are looked at; each item is parsed by itself.

    A piece ends before the comma or bracket that closes it: what is there says how to go on.
    """
    scan = _Scan(source, offset)
    depth = 1 if is_resumed else 0
    is_due = False  # after a comma an item must come
    if is_resumed:
        if not scan.fill():
            return  # the array was closed, or broken off, in the last piece
        is_due = scan.pass_comma()
    while (mark := scan.next_mark()) is not None:
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1, b",": 0}[mark]
        if depth == 1 and mark == b"[" and number == 0 and not is_resumed:
            scan.begin_item()
        elif depth == 0 or (depth == 1 and mark == b","):
            number, value = number + 1, scan.item()
            if value is NOTHING and (is_due or depth == 1):  # [1,] and [,1]
                value = BAD_JSON
            if value is not NOTHING:
                yield Piece(number, scan.here - 1, value if mark != b"}" else BAD_JSON)
            is_due = depth == 1
            scan.begin_item()
        if depth == 0:
            break
    if depth or scan.has_more():
        yield Piece(number + 1, scan.finish(), BAD_JSON)


class _Scan:
    """A window on the source, with the place where the current item begins and the one where we look."""

    def __init__(self, source: Iterator[bytes], offset: int) -> None:
        self._source = source
        self._offset = offset  # of the window's first byte
        self._window = b""
        self._item = 0
        self._position = 0
        self._is_string = False
        self._is_overlong = False

    @property
    def here(self) -> int:
        return self._offset + self._position

    def fill(self) -> bool:
        """Read on, and forget what lies before the item; False at the end."""
        if self._position - self._item > MOST_PIECE_BYTES:  # no event is that long
            self._is_overlong, self._item = True, self._position
        chunk = next(self._source, None)
        if chunk is None:
            return False
        self._window = self._window[self._item :] + chunk
        self._offset += self._item
        self._position -= self._item
        self._item = 0
        return True

    def pass_comma(self) -> bool:
        """Go behind a comma, if one is here."""
        if self._window[self._position : self._position + 1] != b",":
            return False
        self._position += 1
        self.begin_item()
        return True

    def next_mark(self) -> bytes | None:
        """The next bracket or comma outside of strings; None at the end."""
        while True:
            if self._is_string:
                if not self._pass_string() and not self.fill():
                    return None
                continue
            found = MARK.search(self._window, self._position)
            self._position = found.end() if found else len(self._window)
            if found is None:
                if not self.fill():
                    return None
            elif found[0] == b'"':
                self._is_string = True
            else:
                return found[0]

    def _pass_string(self) -> bool:
        """Go behind the string's closing quote; or, for want of it, as far as no escape is cut in two."""
        end = STRING_END.match(self._window, self._position)
        if end:
            self._position, self._is_string = end.end(), False
            return True
        backslashes = len(self._window) - len(self._window[self._position :].rstrip(b"\\")) - self._position
        self._position = len(self._window) - backslashes % 2
        return False

    def item(self) -> Any:
        """What stands before the mark, parsed; NOTHING where that is blank."""
        if self._is_overlong:
            return TOO_LARGE
        text = self._window[self._item : self._position - 1].strip()
        return parse(text) if text else NOTHING

    def begin_item(self) -> None:
        """The next item begins here."""
        self._item, self._is_overlong = self._position, False

    def has_more(self) -> bool:
        """Does anything but blanks follow?"""
        while not self._window[self._position :].strip():
            self._position = self._item = len(self._window)
            if not self.fill():
                return False
        return True

    def finish(self) -> int:
        """Read to the end; its offset."""
        self._position = self._item = len(self._window)
        while self.fill():
            self._position = self._item = len(self._window)
        return self.here
