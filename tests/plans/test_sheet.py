"""Tracking sheets: what spreadsheets write is understood; what is wrong is told by its line, and nothing is
kept.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from app.plans import importing
from app.plans.cells import MOST_ROWS
from app.plans.imported import Imported
from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event, Verdict

HEADER = "eventName,eventPayload,dataType"
SHEET = f"""{HEADER},required
purchase,order_id,text,true
,total,float,yes
,coupon,text,
app_opened,source,text,false
"""
RULES = {
    "purchase": [
        {"path": "order_id", "type": "text", "required": True},
        {"path": "total", "type": "number", "required": True},
        {"path": "coupon", "type": "text", "required": False},
    ],
    "app_opened": [{"path": "source", "type": "text", "required": False}],
}


def read(text: str, encoding: str = "utf-8") -> Imported:
    return importing.read("csv", text.encode(encoding))


def rules(imported: Imported) -> dict[str, list[dict[str, Any]]]:
    assert imported.problems == []
    return {name: definition["rules"] for name, definition in imported.content["events"].items()}


def quoted(condition: Any) -> str:
    """JSON as a cell of CSV."""
    return '"' + json.dumps(condition).replace('"', '""') + '"'


def told(imported: Imported) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.code) for problem in imported.problems]


def test_a_sheet_is_read_with_its_merged_names_and_in_its_order() -> None:
    imported = read(SHEET)
    assert rules(imported) == RULES
    assert list(imported.content["events"]) == ["purchase", "app_opened"]
    assert (imported.events, imported.rules, imported.warnings, imported.loss) == (2, 4, [], [])


@pytest.mark.parametrize(
    ("habit", "text", "encoding"),
    [
        ("a byte order mark", SHEET, "utf-8-sig"),
        ("UTF-16", SHEET, "utf-16"),
        ("UTF-16 without its mark, little end first", SHEET, "utf-16-le"),
        ("UTF-16 without its mark, big end first", SHEET, "utf-16-be"),
        ("CRLF", SHEET.replace("\n", "\r\n"), "utf-8"),
        ("CR alone", SHEET.replace("\n", "\r"), "utf-8"),
        ("semicolons", SHEET.replace(",", ";"), "utf-8"),
        ("tabs", SHEET.replace(",", "\t"), "utf-8"),
        ("bars", SHEET.replace(",", "|"), "utf-8"),
        ("Excel's line that names the separator", "sep=;\n" + SHEET.replace(",", ";"), "utf-8"),
        (
            "headers in another case, with spaces",
            SHEET.replace(HEADER, "Event Name, EVENT_PAYLOAD ,Data Type"),
            "utf-8",
        ),
        ("headers under other names", SHEET.replace(HEADER, "event,property,type"), "utf-8"),
        ("spaces around cells", SHEET.replace(",", " , "), "utf-8"),
        ("blank lines", "\n" + SHEET.replace("\n", "\n\n,,,\n"), "utf-8"),
        (
            "everything quoted",
            "\n".join(f'"{line}"'.replace(",", '","') for line in SHEET.split("\n") if line),
            "utf-8",
        ),
        ("no line break at the end", SHEET.rstrip(), "utf-8"),
        ("payload. before the properties", SHEET.replace("order_id", "payload.order_id"), "utf-8"),
        ("the name on every row", SHEET.replace("\n,", "\npurchase,"), "utf-8"),
        ("a name in two spellings is one event", SHEET.replace("\n,", "\nPURCHASE ,"), "utf-8"),
    ],
    ids=lambda value: value if len(value) < 60 else "",
)
def test_the_habits_of_spreadsheets_change_nothing(habit: str, text: str, encoding: str) -> None:
    assert rules(read(text, encoding)) == RULES


def test_a_sheet_without_a_required_column_requires_every_row() -> None:
    assert rules(read(f"{HEADER}\nbuy,a,text\n,b,integer\n")) == {
        "buy": [
            {"path": "a", "type": "text", "required": True},
            {"path": "b", "type": "integer", "required": True},
        ]
    }


@pytest.mark.parametrize(
    ("cell", "is_required"),
    [
        ("true", True),
        ("TRUE", True),
        ("yes", True),
        ("Y", True),
        ("1", True),
        ("x", True),
        ("Mandatory", True),
    ]
    + [("false", False), ("no", False), ("0", False), ("", False), ("-", False), ("Optional", False)],
)
def test_required_is_said_in_many_words(cell: str, is_required: bool) -> None:
    assert rules(read(f"{HEADER},Required?\nbuy,a,text,{cell}"))["buy"][0]["required"] is is_required


@pytest.mark.parametrize(
    ("cell", "kind"),
    [("text", "text"), ("String", "text"), ("int", "integer"), ("Long", "integer"), ("float", "number")]
    + [
        ("Double", "number"),
        ("number", "number"),
        ("bool", "boolean"),
        ("date", "date"),
        ("date_time", "datetime"),
    ]
    + [
        ("timestamp", "datetime"),
        ("array", "array"),
        ("List", "array"),
        ("object", "object"),
        ("any", "any"),
    ],
)
def test_types_are_known_by_many_names(cell: str, kind: str) -> None:
    assert rules(read(f"{HEADER}\nbuy,a,{cell}"))["buy"][0]["type"] == kind


def test_an_event_may_have_no_properties() -> None:
    assert rules(read(f"{HEADER}\nlogout,,\nbuy,a,text\n")) == {
        "logout": [],
        "buy": [{"path": "a", "type": "text", "required": True}],
    }


def test_constraints_have_columns() -> None:
    header = f"{HEADER},allowedValues,pattern,min,max,Min Length,max length,minItems,unique_items,format,const,nullable"
    rows = [
        "buy,currency,text,EUR|USD|GBP,,,,,,,,,,yes",
        ",rating,integer,,,1,5,,,,,,,",
        ',sku,text,,"^P-[0-9]{2,4}$",,,3,6,,,,,',
        ',level,integer,"[1, 2]",,,,,,,,,,',
        ",price,number,,,0.5,,,,,,,,",
        ",tags,array,,,,,,,1,true,,,",
        ",mail,text,,,,,,,,,Email,,",
        ",source,text,,,,,,,,,,app,",
    ]
    found = rules(read("\n".join([header, *rows])))["buy"]
    assert [rule.get("constraints") for rule in found] == [
        {"enum": ["EUR", "USD", "GBP"]},
        {"minimum": 1, "maximum": 5},
        {"pattern": "^P-[0-9]{2,4}$", "min_length": 3, "max_length": 6},
        {"enum": [1, 2]},
        {"minimum": 0.5},
        {"min_items": 1, "unique_items": True},
        {"format": "email"},
        {"const": "app"},
    ]
    assert [rule.get("nullable") for rule in found] == [True] + [None] * 7


def test_conditions_severity_and_descriptions_are_kept() -> None:
    condition = quoted(
        {"if_field": "payload.payment", "if_value": "card", "then_field": "brand", "then_type": "string"}
    )
    imported = read(
        f"{HEADER},condition,severity,Description,Owner\nbuy,payment,text,{condition},Warning,How,Ann\n"
    )
    assert imported.problems == []
    assert imported.content["events"]["buy"] == {
        "rules": [
            {
                "path": "payment",
                "type": "text",
                "required": True,
                "severity": "warning",
                "description": "How",
                "owner": "Ann",
            }
        ],
        "conditions": [{"if": "payload.payment", "equals": "card", "then": "brand", "type": "text"}],
    }
    plan = compile_plan(imported.content, 1)
    assert judge(Event("buy", {"payment": "card"}), plan).verdict is Verdict.INVALID
    assert judge(Event("buy", {"payment": "cash"}), plan).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("buy,a,colour", "unknown_type"),
        ("buy,a,", "unknown_type"),
        ("buy,,text", "missing_path"),
        ("buy,a..b,text", "bad_path"),
        ("buy,items[0].a,text", "bad_path"),
        ("buy,a,text,perhaps", "bad_required"),
        ("buy,a,text,,[", "bad_pattern"),
        ("buy,a,text,,(?!x)", "bad_pattern"),
        ("buy,a,text,,,3", "bad_constraint"),
        ("buy,a,integer,,,three", "bad_constraint"),
        ("buy,a,integer,,,3,2", "contradiction"),
        ("buy,a,text,,,,,no JSON", "bad_condition"),
        ("buy,a,text,,,,,[1]", "bad_condition"),
        ('buy,a,text,,,,,"{""if_field"": ""a""}"', "bad_condition"),
        (
            'buy,a,text,,,,,"{""if_field"": ""a"", ""if_value"": 1, ""then_field"": ""b"", ""then_kind"": ""x""}"',
            "bad_condition",
        ),
        (
            'buy,a,text,,,,,"{""if_field"": ""a"", ""if_value"": 1, ""then_field"": ""b"", ""then_type"": ""x""}"',
            "bad_condition",
        ),
        ('buy,a,text,,,,,"{""if_field"": ""a"", ""if_value"": 1, ""then_field"": ""b[]""}"', "bad_condition"),
        ("buy,a,text,,,,,,fatal", "bad_severity"),
        ("x" * 300 + ",a,text", "name_too_long"),
        ("buy,ok,text", "duplicate_rule"),
        ("buy,OK,integer", "duplicate_rule"),
        ("buy,ok.b,text", "path_conflict"),
        ("buy,ok[],text", "path_conflict"),
    ],
)
def test_a_wrong_row_is_told_by_its_line_and_a_stable_code(row: str, code: str) -> None:
    header = f"{HEADER},required,pattern,min,max,condition,severity"
    imported = read(f"{header}\nbuy,ok,text\n\n{row}\n")
    assert told(imported) == [(4, code)]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    """A cell with line breaks in it takes several lines, and CRLF is one break."""
    text = (
        f'{HEADER},description\r\nbuy,a,text,"one\r\ntwo\r\nthree"\r\n,b,colour,\r\n,"c\n",shape,\r\n,d,size,'
    )
    assert told(read(text)) == [(5, "unknown_type"), (6, "unknown_type"), (8, "unknown_type")]


def test_all_problems_are_told_at_once_and_nothing_is_lost_between() -> None:
    text = f"{HEADER}\n,orphan,text\nbuy,a,colour\n,b..c,number\n,d,text\n,d,text\n"
    assert told(read(text)) == [
        (2, "missing_event_name"),
        (3, "unknown_type"),
        (4, "bad_path"),
        (6, "duplicate_rule"),
    ]


def test_every_bad_line_is_told_as_far_as_anybody_can_read_them() -> None:
    problems = read(HEADER + "\nbuy,a,x" * 5_000).problems
    assert [problem.line for problem in problems] == list(range(2, 5_002))
    problems = read(HEADER + "\nbuy,a,x" * 5_010).problems
    assert (len(problems), problems[-1].code) == (5_001, "more_problems")


@pytest.mark.parametrize(
    ("body", "told_as"),
    [
        (b"", (None, "empty_file")),
        (b"\n\n  \n", (None, "empty_file")),
        (HEADER.encode(), (None, "no_events")),
        (b"buy,a,text\n", (1, "missing_column")),
        (b"eventName,dataType\nbuy,text\n", (1, "missing_column")),
        (b"\n\nname,size\n", (3, "missing_column")),
        (b"PK\x03\x04 an XLSX by another name", (None, "not_a_sheet")),
        (b"\x89PNG\r\n\x1a\n", (None, "not_a_sheet")),
        (b"%PDF-1.7", (None, "not_a_sheet")),
        (b"MZ\x90\x00", (None, "not_a_sheet")),
        (b"eventName,event\x00Payload,dataType\n", (None, "not_a_sheet")),
        (b"\xff\xfea", (None, "not_a_sheet")),
        (b"<html><body>Sign in</body></html>", (1, "missing_column")),
        (f'{HEADER}\nbuy,"a,text\nmore\n'.encode(), (2, "bad_csv")),
        (f'{HEADER}\nbuy,"a"x,text\n'.encode(), (2, "bad_csv")),
        (f"{HEADER}\nbuy,{'a' * 30_000},text\n".encode(), (2, "too_large")),
        (f'{HEADER}\nbuy,"{"a" * 200_000}",text\n'.encode(), (2, "too_large")),
        (f"{HEADER}\n{',' * 500}x\n".encode(), (2, "too_large")),
        (
            f"{HEADER}\n{'buy,a,text' + chr(10)}".encode() * 1 + b"b,,\n" * MOST_ROWS,
            (MOST_ROWS + 1, "too_large"),
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_sheet_is_refused(body: bytes, told_as: tuple[int | None, str]) -> None:
    imported = importing.read("csv", body)
    assert told(imported) == [told_as]
    assert imported.events == 0


def test_what_is_not_utf_8_is_read_as_windows_writes_it_and_said_so() -> None:
    imported = read(f"{HEADER},description\nbuy,größe,text,£5 – “now”\n", "cp1252")
    assert rules(imported)["buy"][0]["path"] == "größe"
    assert [warning.code for warning in imported.warnings] == ["guessed_encoding"]


def test_what_no_plan_holds_is_told_as_loss() -> None:
    imported = read(f"{HEADER},Sample Value,PatternRange\nbuy,a,text,42,1-5\n")
    assert [(loss["code"], loss["column"]) for loss in imported.loss] == [
        ("unknown_column", "Sample Value"),
        ("unknown_column", "PatternRange"),
    ]


def test_cells_beyond_the_header_are_warned_about() -> None:
    imported = read(f"{HEADER}\nbuy,a,text,true\n")
    assert [(warning.code, warning.line) for warning in imported.warnings] == [("extra_cells", 2)]


def test_the_shop_of_the_demo_is_a_sheet_without_a_problem() -> None:
    body = (Path(__file__).parents[2] / "local" / "shop.csv").read_bytes()
    imported = importing.read("csv", body)
    assert (imported.problems, imported.warnings, imported.loss) == ([], [], [])
    assert imported.events >= 15
