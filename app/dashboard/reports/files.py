"""Rows as a file: CSV and Excel for people, JSON lines for programs. Cells that would be formulas are guarded here."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import openpyxl
import orjson
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from app.plans.cells import guarded

Cell = str | int | float | datetime | None
Item = dict[str, Any]

# By which Excel knows that a CSV is UTF-8.
MARK: Final = b"\xef\xbb\xbf"
# Of Excel: a longer text makes the whole workbook unreadable.
MOST_CELL_CHARACTERS: Final = 32_767
CUT: Final = " … (cut: the CSV has all of it)"
NO_CHARACTER: Final = "\ufffd"  # stands where XML cannot hold one


@dataclass(frozen=True, slots=True)
class Format:
    """One format: what it is called for people, how its files end, what they are."""

    title: str
    extension: str
    media_type: str


FORMATS: Final = {
    "csv": Format("CSV", "csv", "text/csv; charset=utf-8"),
    "xlsx": Format(
        "Excel workbook", "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    ),
    "ndjson": Format("JSON lines", "ndjson", "application/x-ndjson"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a report's files hold. rows: those of one item, which is one line of the JSON lines."""

    name: str
    titles: tuple[str, ...]
    rows: Callable[[Item], Iterable[list[Cell]]]


def beginning(format_: str, shape: Shape) -> bytes:
    """What stands before the first item, of the formats that are written piece by piece."""
    return MARK + _csv([list(shape.titles)]) if format_ == "csv" else b""


def piece(format_: str, shape: Shape, items: Iterable[Item]) -> bytes:
    """These items' part of the file; pieces one after the other are the file."""
    if format_ == "ndjson":
        return b"".join(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in items)
    return _csv(row for item in items for row in shape.rows(item))


def whole(format_: str, shape: Shape, items: Iterable[Item]) -> bytes:
    """The file of so few items that it may be made at once."""
    if format_ == "xlsx":
        return workbook(shape, items)
    return beginning(format_, shape) + piece(format_, shape, items)


def workbook(shape: Shape, items: Iterable[Item]) -> bytes:
    """A workbook of one worksheet. Numbers stay numbers, all else is text."""
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet(shape.name.replace("-", " ").capitalize())
    page.freeze_panes = "A2"
    header = [WriteOnlyCell(page, title) for title in shape.titles]
    for cell in header:
        cell.font = Font(bold=True)
    page.append(header)
    for item in items:
        for row in shape.rows(item):
            page.append([_in_workbook(cell) for cell in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def file_name(app_slug: str, shape_name: str, extension: str, at: datetime) -> str:
    """`shop-results-2026-01-31T1200Z.csv`: of letters, digits, `-`, `_` and dots alone, as app ids are."""
    return f"{app_slug}-{shape_name}-{at.astimezone(UTC):%Y-%m-%dT%H%MZ}.{extension}"


def as_text(value: Any) -> str:
    """A value of a payload as a cell shows it: text as it is, all else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _csv(rows: Iterable[list[Cell]]) -> bytes:
    """RFC 4180."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows(_texts(row) for row in rows)
    return file.getvalue().encode(errors="replace")


def _texts(row: list[Cell]) -> Iterator[str | int | float]:
    for cell in row:
        if isinstance(cell, int | float):
            yield cell
        else:
            yield guarded(_said(cell))


def _in_workbook(cell: Cell) -> str | int | float | None:
    if cell is None or isinstance(cell, int | float):
        return cell
    text = guarded(ILLEGAL_CHARACTERS_RE.sub(NO_CHARACTER, _said(cell)))
    return text if len(text) <= MOST_CELL_CHARACTERS else text[: MOST_CELL_CHARACTERS - len(CUT)] + CUT


def _said(cell: str | datetime | None) -> str:
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return cell or ""
