"""A plan as a tracking sheet, CSV or workbook: one row per rule, in the columns that the import knows.

Every cell is written so that it is read again as it was, and so that no spreadsheet takes it for a formula. What a
cell cannot hold (blanks around a text, characters that the format has no place for) is left out and told.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import openpyxl
import orjson
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from app.plans import cells, columns
from app.plans.content import Content
from app.plans.exports.exported import Exported, Loss, TooLarge, lost, members_lost, settings_lost
from app.validation.by_rules import read_definition
from app.validation.model import Severity
from app.validation.paths import relax
from app.validation.rules import Rule
from app.validation.translate import schema_as_rules
from app.validation.types import Type

# Each column's title; of the optional ones those that no row needs are left out.
TITLES: Final = {
    "event": "eventName",
    "path": "eventPayload",
    "type": "dataType",
    "required": "required",
    "nullable": "nullable",
    "condition": "condition",
    "severity": "severity",
    "description": "description",
    "owner": "owner",
    "blank": "blank",
    "epoch": "epoch",
    "private": "private",
    "enum": "allowedValues",
    "const": "const",
    "pattern": "pattern",
    "format": "format",
    "minimum": "min",
    "maximum": "max",
    "exclusive_minimum": "exclusiveMin",
    "exclusive_maximum": "exclusiveMax",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_items": "minItems",
    "max_items": "maxItems",
    "unique_items": "uniqueItems",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
    "event_description": "eventDescription",
    "event_tags": "eventTags",
    "unplanned": "unplannedProperties",
}
ALWAYS: Final = ("event", "path", "type", "required")
YES: Final = "yes"
NO: Final = "no"
# Writing a workbook takes a second for so many rows; a CSV of any plan takes less.
MOST_WORKBOOK_ROWS: Final = 20_000
WIDEST: Final = 60
LARGEST_EXACT: Final = 2**53  # of a double, which is all that a workbook's numbers are

Cell = str | int | float
Row = dict[str, Cell]
Definition = dict[str, Any]


def as_csv(content: Content) -> Exported:
    """The plan as CSV in UTF-8, with the mark by which Excel knows it. Raises TooLarge."""
    rows, loss = _Rows(_is_text).of(content)
    if len(rows) >= cells.MOST_ROWS:
        raise TooLarge("A sheet holds 100,000 rows at most. Take the JSON Schemas.")
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    used = _used(rows)
    writer.writerow(TITLES[column] for column in used)
    for row in rows:
        writer.writerow(cells.guarded(str(row.get(column, ""))) for column in used)
    return Exported(b"\xef\xbb\xbf" + file.getvalue().encode(), loss)


def as_workbook(content: Content) -> Exported:
    """The plan as an Excel workbook with one worksheet. Raises TooLarge."""
    rows, loss = _Rows(_is_xml_text).of(content)
    if len(rows) > MOST_WORKBOOK_ROWS:
        raise TooLarge(f"A workbook of more than {MOST_WORKBOOK_ROWS:,} rows is slow to open. Take the CSV.")
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet("Tracking plan")
    page.freeze_panes = "A2"
    used = _used(rows)
    for position, column in enumerate(used, 1):
        widest = max((len(str(row.get(column, ""))) for row in rows), default=0)
        letter = openpyxl.utils.get_column_letter(position)
        page.column_dimensions[letter].width = min(max(widest, len(TITLES[column])) + 2, WIDEST)
    header = [WriteOnlyCell(page, TITLES[column]) for column in used]
    for cell in header:
        cell.font = Font(bold=True)
    page.append(header)
    for row in rows:
        page.append([_as_cell(row.get(column)) for column in used])
    file = io.BytesIO()
    book.save(file)
    return Exported(file.getvalue(), loss)


def _as_cell(value: Cell | None) -> Cell | None:
    """Numbers as numbers, as far as a workbook holds them exactly; a text that could be a formula guarded."""
    if isinstance(value, int) and abs(value) > LARGEST_EXACT:
        value = str(value)
    return cells.guarded(value) if isinstance(value, str) else value


def _used(rows: list[Row]) -> list[str]:
    there = set(ALWAYS).union(*rows)
    return [column for column in TITLES if column in there]


def _is_text(text: str) -> bool:
    """Whether a cell of a CSV is read again as this text."""
    return text == text.strip() and "\x00" not in text and len(text) < cells.MOST_CELL_CHARACTERS


def _is_xml_text(text: str) -> bool:
    """The same of a workbook. XML has no control characters and no carriage return, and openpyxl drops `x005F_`."""
    is_xml = not ILLEGAL_CHARACTERS_RE.search(text) and "\r" not in text and "x005F_" not in text
    return is_xml and _is_text(text)


@dataclass
class _Rows:
    """The rows of one plan. holds: whether a cell of the format is read again as this text."""

    holds: Callable[[str], bool]
    rows: list[Row] = field(default_factory=list)
    loss: list[Loss] = field(default_factory=list)
    unplanned: str = ""  # what the plan says for all events that say nothing themselves

    def of(self, content: Content) -> tuple[list[Row], list[Loss]]:
        """All rows, and what is not in them."""
        self.loss += settings_lost(content)
        self.unplanned = (content.get("judging") or {}).get("unplanned_properties", "")
        common = content.get("common") or {}
        if "schema" in common:
            self._lose("not_kept", "The common JSON Schema is not in the file.", what="common")
            common = {}
        elif common:
            self._lose("folded", "The common rules stand in every event.", what="common")
        names: dict[str, str] = {}
        for name, definition in content["events"].items():
            twin = names.setdefault(relax(name), name)
            if twin != name:
                text = f"`{name}` is left out: a sheet takes it for `{twin}`."
                self._lose("left_out", text, event=name)
            elif not self.holds(name) or not name:
                text = "An event is left out: no cell holds its name."
                self._lose("left_out", text, event=name)
            else:
                self._event(name, self._told_in_rules(name, definition, content), common)
        return self.rows, self.loss

    def _lose(self, code: str, message: str, **place: str | None) -> None:
        self.loss.append(lost(code, message, **place))

    def _told_in_rules(self, name: str, definition: Definition, content: Content) -> Definition | None:
        """The definition with rules; None, and told, where a schema says what no rules say."""
        self.loss += members_lost(name, definition)
        if "schema" not in definition:
            return definition
        bundle = content["bundles"].get(definition.get("bundle", ""), {})
        schema = definition["schema"]
        if isinstance(schema, dict):
            schema = {
                **{place: bundle[place] for place in ("$defs", "definitions") if place in bundle},
                **schema,
            }
        told, problems = schema_as_rules(schema)
        if told is None:
            text = f"`{name}` is left out: its JSON Schema says what rules cannot. {problems[0].message}"
            self._lose("left_out", text, event=name)
            return None
        text = f"`{name}` is described by rules in the file, by a JSON Schema in the plan."
        self._lose("becomes_rules", text, event=name)
        return told | {what: definition[what] for what in ("description", "tags") if what in definition}

    def _event(self, name: str, definition: Definition | None, common: Definition) -> None:
        if definition is None:
            return
        rules, _, _ = read_definition(definition)
        own = {relax(rule.path) for rule in rules}
        shared, _, _ = read_definition(common)
        rules += [rule for rule in shared if relax(rule.path) not in own]
        conditions = [*definition.get("conditions", []), *common.get("conditions", [])]
        first: Row = {"event": name}
        for column, member in columns.OF_EVENT.items():
            if said := definition.get(member):
                first |= self._text(column, said, name, None)
        if self.unplanned:
            first.setdefault("unplanned", self.unplanned)
        begins = len(self.rows)
        self.rows += self._rule_rows(name, rules) or [{"event": name}]
        self.rows[begins] |= first
        for number, group in enumerate(self._condition_cells(name, conditions)):
            if number:
                self.rows.append({"event": name})
            self.rows[begins if number == 0 else -1]["condition"] = group

    def _rule_rows(self, name: str, rules: list[Rule]) -> list[Row]:
        rows: list[Row] = []
        paths: dict[str, str] = {}
        for rule in rules:
            path = rule.path
            twin = paths.setdefault(relax(path), path)
            if twin != path:
                text = f"`{path}` is left out: a sheet takes it for `{twin}`."
                self._lose("left_out", text, event=name, path=path)
            elif not self.holds(path):
                self._lose("left_out", "A rule is left out: no cell holds its path.", event=name, path=path)
            else:
                rows.append(self._rule(name, rule))
        return rows

    def _rule(self, name: str, rule: Rule) -> Row:
        row: Row = {"event": name, "path": rule.path, "type": rule.type.value}
        row["required"] = YES if rule.required else NO
        row |= {flag: YES for flag in ("nullable", "blank", "private") if getattr(rule, flag)}
        if rule.epoch:
            row["epoch"] = rule.epoch
        if rule.severity is not Severity.ERROR:
            row["severity"] = rule.severity.value
        for column in ("description", "owner"):
            if said := getattr(rule, column):
                row |= self._text(column, said, name, rule.path)
        for what, limit in rule.constraints.items():
            cell = self._limit(what, limit, rule.type)
            if cell is None:
                text = f"The {what} of `{rule.path}` is left out: no cell holds it."
                self._lose("left_out", text, event=name, path=rule.path, what=what)
            else:
                row[what] = cell
        return row

    def _text(self, column: str, said: Any, event: str, path: str | None) -> Row:
        """A text for people: what a cell cannot hold of it goes, and is told."""
        text = said if isinstance(said, str) else orjson.dumps(said).decode()
        kept = text
        if not self.holds(text):
            kept = "".join(each for each in text if self.holds(f"a{each}a"))
            kept = kept[: cells.MOST_CELL_CHARACTERS - 1].strip()
        if kept != said or not self.holds(kept):
            message = f"The {column.replace('_', ' ')} is in the file without what a cell cannot hold."
            self._lose("trimmed", message, event=event, path=path, what=column)
        return {column: kept} if kept and self.holds(kept) else {}

    def _limit(self, what: str, limit: Any, kind: Type) -> Cell | None:
        """A constraint's cell: the first way of writing it that is read again as this limit."""
        for cell in _ways(what, limit):
            text = str(cell)
            if self.holds(text) and text and _same(columns.constraint(what, text, kind), limit):
                return cell
        return None

    def _condition_cells(self, name: str, conditions: list[Any]) -> Iterator[str]:
        """All conditions of an event as JSON arrays, as many in a cell as it holds."""
        waiting: list[Any] = []
        for condition in conditions:
            # Escaped throughout: no character in it that a cell could not hold.
            if not self.holds(_escaped([condition])):
                path = str(condition.get("then"))
                self._lose("left_out", "A condition is left out: no cell holds it.", event=name, path=path)
                continue
            if waiting and not self.holds(_escaped([*waiting, condition])):
                yield _escaped(waiting)
                waiting = []
            waiting.append(condition)
        if waiting:
            yield _escaped(waiting)


def _ways(what: str, limit: Any) -> Iterator[Cell]:
    if isinstance(limit, bool):
        yield from (YES, "true") if limit else (NO, "false")
    elif isinstance(limit, (int, float, str)):
        yield limit
    if what == "enum" and all(isinstance(value, str) for value in limit):
        yield " | ".join(limit)
    if what in ("enum", "const"):
        yield _escaped(limit if what == "enum" else [limit])


def _escaped(value: Any) -> str:
    """JSON in ASCII, so that a character that no cell holds is written out."""
    return json.dumps(value, separators=(",", ":"))


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: true is not 1."""
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
