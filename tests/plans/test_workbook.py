"""Tracking sheets as Excel workbooks: the same plan as the same sheet as CSV, within limits that hold for any file."""

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest

from app.plans import importing, workbook
from app.plans.imported import Imported
from app.plans.reading import Reading

Rows = Sequence[Sequence[Any]]
HEADER = ("eventName", "eventPayload", "dataType", "required", "max")
SHEET: Rows = [
    HEADER,
    ("purchase", "order_id", "text", True, None),
    (None, "total", "float", "yes", 12.5),
    (None, "items[]", "object", False, None),
    ("app_opened", "source", "text", "no", None),
]
PART = "xl/worksheets/sheet1.xml"


def book(*sheets: tuple[str, Rows], merged: str = "") -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for title, rows in sheets:
        worksheet = made.create_sheet(title)
        for row in rows:
            worksheet.append(row)
        if merged:
            worksheet.merge_cells(merged)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def read(body: bytes, sheet: str | None = None) -> Imported:
    return importing.read("xlsx", body, Reading(sheet))


def codes(imported: Imported) -> list[str]:
    return [problem.code for problem in imported.problems]


def repacked(body: bytes, part: str, change: Any) -> bytes:
    """The workbook with one of its parts changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name == part else old.read(name))
    return file.getvalue()


def test_a_workbook_says_what_the_same_sheet_says_as_csv() -> None:
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in SHEET]
    as_csv = importing.read("csv", "\n".join(lines).encode())
    as_xlsx = read(book(("Plan", SHEET), merged="A2:A4"))
    assert as_xlsx.problems == []
    assert as_xlsx.content == as_csv.content
    assert (as_xlsx.events, as_xlsx.rules, as_xlsx.loss) == (2, 4, [])
    total = as_xlsx.content["events"]["purchase"]["rules"][1]
    assert total == {"path": "total", "type": "number", "required": True, "constraints": {"maximum": 12.5}}


def test_problems_name_the_worksheets_rows() -> None:
    imported = read(book(("Plan", [*SHEET, (), ("x", "y", "nonsense", True)])))
    assert [(problem.line, problem.code) for problem in imported.problems] == [(7, "unknown_type")]


def test_the_first_worksheet_is_read_or_the_named_one_and_the_others_are_told() -> None:
    body = book(("Read me", SHEET), ("Web", [HEADER, ("click", "x", "integer", True)]))
    first = read(body)
    assert list(first.content["events"]) == ["purchase", "app_opened"]
    assert [(warning.code, "`Web`" in warning.message) for warning in first.warnings] == [
        ("other_sheets", True)
    ]
    named = read(body, "Web")
    assert (list(named.content["events"]), named.warnings) == (["click"], [])
    assert codes(read(body, "Android")) == ["unknown_sheet"]


@pytest.mark.parametrize(
    "body", [b"", b"PK\x03\x04", b"eventName,eventPayload,dataType\n", b"PK\x05\x06" + b"\0" * 18]
)
def test_what_is_no_workbook_is_refused(body: bytes) -> None:
    assert codes(read(body)) in (["not_a_workbook"], ["unknown_sheet"])


def test_a_broken_part_is_refused() -> None:
    body = repacked(book(("Plan", SHEET)), PART, lambda xml: xml[: len(xml) // 2])
    assert codes(read(body)) == ["not_a_workbook"]


def test_entities_are_never_expanded() -> None:
    declared = b'<!DOCTYPE w [<!ENTITY name "purchase">]>'
    body = repacked(book(("Plan", SHEET)), PART, lambda xml: declared + xml)
    assert codes(read(body)) == ["not_a_workbook"]


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    body = repacked(book(("Plan", SHEET)), PART, lambda xml: xml + b" " * workbook.MOST_UNPACKED_BYTES)
    assert len(body) < 1024 * 1024
    monkeypatch.setattr(workbook.openpyxl, "load_workbook", pytest.fail)
    assert codes(read(body)) == ["too_large"]


@pytest.mark.parametrize(
    ("given", "claimed"),
    [
        (b'<row r="5">', b'<row r="999999999999">'),
        (b"</row></sheetData>", b'<c r="ZZZ5"/></row></sheetData>'),
    ],
    ids=["row", "empty cell"],
)
def test_a_cell_that_claims_to_stand_far_away_is_refused(given: bytes, claimed: bytes) -> None:
    body = book(("Plan", SHEET))
    assert codes(read(repacked(body, PART, lambda xml: xml.replace(given, claimed)))) == ["too_large"]


def test_too_many_cells_are_refused() -> None:
    wide = [*HEADER, *(f"c{number}" for number in range(300))]
    assert codes(read(book(("Plan", [wide])))) == ["too_large"]
