"""The rows of a sheet's bytes: any encoding and delimiter that spreadsheets write, each row with its line."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.validation.problems import PlanInvalid, Problem

MOST_ROWS: Final = 100_001  # the header is one of them
MOST_COLUMNS: Final = 200
MOST_CELL_CHARACTERS: Final = 20_000
DELIMITERS: Final = ",;\t|"
# How Excel may say which delimiter it used, on a line of its own before the header.
SEPARATOR_LINE: Final = "sep="
# With these a spreadsheet begins a formula or a command.
# Some skip the blanks before it, and all see no NUL.
FORMULA: Final = re.compile(r"['\s\x00\u200b\ufeff]*(?:[=+\-@＝＋－＠]|(?<=[\t\r]))")
# Files that are often named .csv, and are none: zip (XLSX), OLE (XLS), PDF, PNG, GIF, JPEG, executables.
FOREIGN: Final = (
    b"PK\x03\x04",
    b"\xd0\xcf\x11\xe0",
    b"%PDF",
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",
    b"MZ",
    b"\x7fELF",
)


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one record, and the line of the file, from 1, on which it begins."""

    line: int
    cells: list[str]


def decode(body: bytes) -> tuple[str, list[Problem]]:
    """The text of a sheet, with a warning where the encoding had to be guessed.

    Raises PlanInvalid `not_a_sheet` for what is no text at all.
    """
    if body.startswith(FOREIGN):
        message = "This is not a text file. Save the sheet as CSV (UTF-8)."
        if body.startswith(FOREIGN[0]):
            message = "This is not a text file. Import a workbook as XLSX, or save the sheet as CSV (UTF-8)."
        raise PlanInvalid([Problem("not_a_sheet", message)])
    warnings: list[Problem] = []
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = _decode(body, "utf-16")
    elif body[1:2] == b"\x00" or body[:1] == b"\x00":
        text = _decode(body, "utf-16-le" if body[1:2] == b"\x00" else "utf-16-be")
    else:
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = _decode(body, "cp1252")
            message = "The file is not UTF-8; it was read as Windows-1252. Check letters with accents."
            warnings.append(Problem("guessed_encoding", message))
    if "\x00" in text:
        raise PlanInvalid([Problem("not_a_sheet", "The file holds NUL characters; it is not a text file.")])
    return text, warnings


def _decode(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        problem = Problem("not_a_sheet", "The file's encoding cannot be read. Save the sheet as CSV (UTF-8).")
        raise PlanInvalid([problem]) from error


def rows(text: str, delimiter: str | None = None) -> Iterator[Row]:
    """The rows with something in them. Raises PlanInvalid `bad_csv`, `too_large`.

    The delimiter is the given one, the one that a `sep=` line names, or the most frequent in the first row.
    """
    named = _named_delimiter(text)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter or named or _frequent_delimiter(text), strict=True
    )
    # A quote that is never closed makes one cell of the rest of the file; the limit is on what we keep,
    # below.
    line, count = 1, 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise PlanInvalid([_csv_problem(error, line)]) from error
        begins, line = line, reader.line_num + 1
        if (begins == 1 and named) or not any(cell.strip() for cell in cells):
            continue
        count += 1
        check_size(begins, cells, count)
        yield Row(begins, [unguarded(cell.strip()) for cell in cells])


def guarded(cell: str) -> str:
    """The cell as a spreadsheet may see it: what it would take for a formula gets an apostrophe before it.

    CWE-1236; the full-width forms too, which some spreadsheets fold. `unguarded` takes exactly that away again.
    """
    return f"'{cell}" if FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """The cell without the apostrophe that `guarded` put before it."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def check_size(line: int, cells: list[str], count: int) -> None:
    """Raises PlanInvalid `too_large` for a row beyond the limits; `count` is its number among those kept."""
    too_large = None
    if count > MOST_ROWS:
        too_large = f"The sheet has more than {MOST_ROWS - 1:,} rows below its header."
    elif len(cells) > MOST_COLUMNS:
        too_large = f"The row has more than {MOST_COLUMNS} cells."
    elif max(map(len, cells)) > MOST_CELL_CHARACTERS:
        too_large = (
            f"A cell has more than {MOST_CELL_CHARACTERS:,} characters. Is a quotation mark not closed?"
        )
    if too_large:
        raise PlanInvalid([Problem("too_large", too_large, line=line)])


def _csv_problem(error: csv.Error, line: int) -> Problem:
    if "unexpected end" in str(error):
        return Problem("bad_csv", "A quotation mark that opens in this row is never closed.", line=line)
    if "field larger" in str(error):
        return Problem("too_large", "A cell is too large. Is a quotation mark not closed?", line=line)
    return Problem("bad_csv", f"The row is not valid CSV: {error}.", line=line)


def _named_delimiter(text: str) -> str | None:
    first = text.lstrip("\ufeff").partition("\n")[0].strip().strip('"')
    if first.lower().startswith(SEPARATOR_LINE) and len(first) == len(SEPARATOR_LINE) + 1:
        return first[-1]
    return "\t" if first.lower() == SEPARATOR_LINE else None


def _frequent_delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=first.count)
