"""A tracking sheet in an Excel workbook: its cells as text, read row by row, within limits that hold for any file.

What a workbook unpacks to is told by its directory and held by the reader, so nothing of a bomb is ever unpacked.
openpyxl reads XML by defusedxml where it is installed: no entities, no document from elsewhere.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final
from xml.etree.ElementTree import ParseError

import openpyxl
from defusedxml.common import DefusedXmlException
from openpyxl.utils.exceptions import InvalidFileException

from app.plans import cells, sheet
from app.plans.cells import Row
from app.plans.imported import Imported
from app.plans.reading import Reading
from app.validation.problems import PlanInvalid, Problem

assert openpyxl.DEFUSEDXML, "defusedxml must be installed, or a workbook could expand entities"

MOST_PARTS: Final = 1_000
# A workbook is read while somebody waits; 40 MiB of XML take seconds.
MOST_UNPACKED_BYTES: Final = 40 * 1024 * 1024
# Texts that cells share are held in memory all at once.
MOST_SHARED_BYTES: Final = 10 * 1024 * 1024
# The last row that Excel knows. A cell may claim to stand on any, and the reader gives all rows before it.
LAST_ROW: Final = 1_048_576
# Formatted cells count here, even if they are empty.
MOST_CELLS_IN_A_ROW: Final = 1_000
# Above this a double is written with an exponent, and was one.
LARGEST_WHOLE: Final = 1e16
ROWS_PER_GLANCE: Final = 500
SHARED: Final = "xl/sharedStrings.xml"
# What openpyxl raises for files that are no workbooks, or broken ones.
BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, InvalidFileException, DefusedXmlException, ParseError),
    *(KeyError, ValueError, TypeError, AttributeError, IndexError, EOFError, OSError, NotImplementedError),
    *(RuntimeError, RecursionError, OverflowError),
)


def read(body: bytes, reading: Reading) -> Imported:
    """The plan in a worksheet; problems name its rows, from 1, header included."""
    try:
        found, warnings = rows(body, reading)
    except PlanInvalid as invalid:
        return Imported(problems=invalid.problems)
    return sheet.read_rows(found, warnings, reading)


def rows(body: bytes, reading: Reading) -> tuple[list[Row], list[Problem]]:
    """The rows with something in them, of the worksheet of that name or the first visible one.

    Raises PlanInvalid `not_a_workbook`, `too_large`, `unknown_sheet`.
    """
    unpacked_size(body)
    try:
        return _rows(body, reading)
    except BROKEN as error:
        raise _refused(
            "not_a_workbook", "This is not a workbook that can be read. Save it anew as XLSX."
        ) from error


def unpacked_size(body: bytes) -> int:
    """How many bytes the workbook unpacks to, by its directory. Raises PlanInvalid `not_a_workbook`, `too_large`."""
    try:
        parts = zipfile.ZipFile(io.BytesIO(body)).infolist()
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise _refused(
            "not_a_workbook", "This is not an XLSX workbook. Save the sheet as XLSX or CSV."
        ) from error
    unpacked = sum(part.file_size for part in parts)
    shared = sum(part.file_size for part in parts if part.filename == SHARED)
    if len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED_BYTES or shared > MOST_SHARED_BYTES:
        raise _refused(
            "too_large", f"Unpacked, the workbook has {unpacked:,} bytes. Save the sheet alone as CSV."
        )
    return unpacked


def _rows(body: bytes, reading: Reading) -> tuple[list[Row], list[Problem]]:
    name = reading.sheet
    book = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=True, keep_links=False)
    try:
        visible = [ws.title for ws in book.worksheets if ws.sheet_state == "visible"]
        names = visible or [ws.title for ws in book.worksheets]
        if not names or (name is not None and name not in book.sheetnames):
            listed = ", ".join(f"`{title}`" for title in names[:20])
            raise _refused(
                "unknown_sheet", f"There is no worksheet `{(name or '')[:100]}`. There are: {listed}."
            )
        chosen = book[name or names[0]]
        chosen.reset_dimensions()  # what the file claims of its size is often wrong
        warnings = []
        if name is None and len(names) > 1:
            others = ", ".join(f"`{title}`" for title in names[1:20])
            message = f"Only the worksheet `{names[0]}` was read. There are also: {others}."
            warnings.append(Problem("other_sheets", message))
        return list(_filled(chosen.iter_rows(values_only=True), reading)), warnings
    finally:
        book.close()


def _filled(all_rows: Iterator[tuple[Any, ...]], reading: Reading) -> Iterator[Row]:
    count = 0
    for line, values in enumerate(all_rows, 1):
        if line % ROWS_PER_GLANCE == 0:
            reading.progress("reading", line, 0)
        if line > LAST_ROW or len(values) > MOST_CELLS_IN_A_ROW:
            message = f"A worksheet may have {LAST_ROW:,} rows of {MOST_CELLS_IN_A_ROW:,} cells."
            raise PlanInvalid([Problem("too_large", message, line=line)])
        texts = [_text(value) for value in values]
        while texts and not texts[-1]:  # formatted, but empty
            texts.pop()
        if not texts:
            continue
        count += 1
        cells.check_size(line, texts, count)
        yield Row(line, texts)


def _text(value: Any) -> str:
    """A cell as a CSV would hold it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_WHOLE:
        return str(int(value))
    if isinstance(value, (datetime, date)):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return cells.unguarded(str(value).strip())


def _refused(code: str, message: str) -> PlanInvalid:
    return PlanInvalid([Problem(code, message)])
