"""The page docs/judging.md: the judge's case law in tables, and how it stands to the official JSON Schema suite."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

CASES: Final = Path(__file__).parent.parent / "tests" / "validation" / "cases"
LONGEST: Final = 160
_CUSTOM: Final = "schema that uses custom metaschema with with no validation vocabulary"
_OPTIONAL: Final = "ignore unrecognized optional vocabulary"
# The groups of the official suite whose schemas are refused at import, with the code of the refusal.
SUITE_REFUSED: Final = (
    ("draft2019-09", "vocabulary.json", _CUSTOM, "unknown_dialect"),
    ("draft2019-09", "vocabulary.json", _OPTIONAL, "unknown_dialect"),
    ("draft2020-12", "vocabulary.json", _CUSTOM, "unknown_dialect"),
    ("draft2020-12", "vocabulary.json", _OPTIONAL, "unknown_dialect"),
    (
        "draft2020-12",
        "dynamicRef.json",
        "strict-tree schema, guards against misspelled properties",
        "remote_reference",
    ),
    (
        "draft2020-12",
        "dynamicRef.json",
        "tests for implementation dynamic anchor and reference link",
        "remote_reference",
    ),
    (
        "draft2020-12",
        "dynamicRef.json",
        "$ref and $dynamicAnchor are independent of order - $defs first",
        "remote_reference",
    ),
    (
        "draft2020-12",
        "dynamicRef.json",
        "$ref and $dynamicAnchor are independent of order - $ref first",
        "remote_reference",
    ),
    (
        "draft2020-12",
        "dynamicRef.json",
        "$ref to $dynamicRef finds detached $dynamicAnchor",
        "remote_reference",
    ),
)
_WHY: Final = {
    "remote_reference": "it refers to a document on another server; plans stand alone",
    "unknown_dialect": "its dialect is defined on another server; plans are written in one of the drafts",
}
HEAD: Final = """# Judging

Made from `tests/validation/cases/` by `make docs`: every case here is a test. What can be written in a rule stands
in `app/validation/rules.py`, in a condition in `conditions.py`, for a whole plan in `options.py`.

## JSON Schema

Plans may be written in the drafts 4, 6, 7, 2019-09 and 2020-12. The required tests of the
[official suite](https://github.com/json-schema-org/JSON-Schema-Test-Suite) run in `make test`; none gets another
verdict than the suite expects. Left out is `refRemote.json`, and refused at import, each with its code, are the groups
that need a document from elsewhere:

| draft | file | group | code | why |
|---|---|---|---|---|
"""
BUDGET: Final = """
## The budget of one event

No plan and no payload can hold the judge. A schema is refused at import where it is nested deeper than 128 levels or,
with its references written out, has over two million places, or asks over 5,000 things of each element of an
array (`too_deep`, `too_complex`); every pattern must run in time linear in the text (`bad_pattern`). Of an event
at most 100 violations are listed, and of a payload with more than 10,000 places the first one only; 200 branches
of choices are looked at to explain one event. `tests/validation/test_hostile.py` holds each hostile schema and
payload to two seconds.

## Case law

"""


def page() -> str:
    """The whole page."""
    rows = [
        f"| {draft} | {file} | {group} | `{code}` | {_WHY[code]} |"
        for draft, file, group, code in SUITE_REFUSED
    ]
    sections = [_section(json.loads(path.read_text()), path.stem) for path in sorted(CASES.glob("*.json"))]
    return HEAD + "\n".join(rows) + "\n" + _reference() + BUDGET + "\n".join(sections)


def _reference() -> str:
    """The cases whose verdict is another one than the reference dashboard's."""
    rows = [
        f"| {_code(case['event']['payload'])} | {case['case']} | {case['reference_verdict']} | {case['verdict']} "
        f"| {case['why']} |"
        for file in _files()
        for case in file["cases"]
        if "why" in case
    ]
    head = (
        "\n## Where the verdict differs from the reference dashboard's\n\n"
        "| payload | case | there | here | why |\n|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def _files() -> Iterator[dict[str, Any]]:
    for path in sorted(CASES.glob("*.json")):
        yield json.loads(path.read_text())


def _section(file: dict[str, Any], name: str) -> str:
    plan = json.dumps(file["plan"], ensure_ascii=False)
    lines = [
        *(f"### {name.replace('_', ' ').capitalize()}", "", file["about"], ""),
        *("<details><summary>The plan</summary>", "", "```json", plan, "```", "", "</details>", ""),
        *("| case | payload | verdict | what is said |", "|---|---|---|---|"),
    ]
    for case in file["cases"]:
        said = "<br>".join(
            _cell(v["message"]) + ("" if v["severity"] == "error" else f" *({v['severity']})*")
            for v in case["violations"]
        )
        lines.append(
            f"| {_cell(case['case'])} | {_code(case['event']['payload'])} | {case['verdict']} | {said or '–'} |"
        )
    return "\n".join(lines) + "\n"


def _code(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return f"`` {_cell(text)} ``"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
