"""A tracking sheet as a plan: one row per property, the event's name on its first row or on all of them."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import orjson

from app.plans import cells, columns
from app.plans.content import LONGEST_NAME, empty
from app.plans.imported import Imported
from app.plans.reading import Reading
from app.validation.compile import compile_plan
from app.validation.conditions import read_condition
from app.validation.constraints import check
from app.validation.model import Severity
from app.validation.options import ALLOWED
from app.validation.paths import BadPath, format_rule_path, parse_rule_path, relax
from app.validation.problems import PlanInvalid, Problem
from app.validation.types import DATES, EPOCHS, Type

NEEDED: Final = {"event": "eventName", "path": "eventPayload", "type": "dataType"}
CONDITION: Final = {"if_field": "if", "if_value": "equals", "then_field": "then", "then_type": "type"}
UNPLANNED: Final = (*Severity, ALLOWED)
ROWS_PER_GLANCE: Final = 500


def read(body: bytes, reading: Reading) -> Imported:
    """The plan in a sheet's bytes; problems name the file's lines, from 1, header included."""
    try:
        text, warnings = cells.decode(body)
        rows = list(cells.rows(text))
    except PlanInvalid as invalid:
        return Imported(problems=invalid.problems)
    return read_rows(rows, warnings, reading)


def read_rows(rows: list[cells.Row], warnings: list[Problem], reading: Reading) -> Imported:
    """The plan in a sheet's rows, the first of which is its header."""
    if not rows:
        return Imported(problems=[Problem("empty_file", "The sheet is empty.")])
    where, unknown = columns.recognise(rows[0].cells)
    if missing := [title for column, title in NEEDED.items() if column not in where]:
        message = f"The header lacks {', '.join(missing)}. It needs eventName, eventPayload and dataType."
        return Imported(problems=[Problem("missing_column", message, line=rows[0].line)], warnings=warnings)
    sheet = Sheet(where, len(rows[0].cells))
    for number, row in enumerate(rows[1:]):
        if number % ROWS_PER_GLANCE == 0:
            reading.progress("checking", number, len(rows) - 1)
        sheet.add(row)
    reading.progress("checking", len(rows) - 1, len(rows) - 1)
    unkept = [
        {"code": "unknown_column", "column": title, "message": f"The column `{title}` is not kept."}
        for title in (title[:100] for title in unknown)
    ]
    return Imported(
        sheet.content, sheet.all_problems(), [*warnings, *sheet.warnings], [*unkept, *sheet.loss()]
    )


class Sheet:
    """The events gathered row by row. `where` is each column's position, `width` the header's number of
    cells.
    """

    def __init__(self, where: dict[str, int], width: int) -> None:
        self.content = empty()
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._where = where
        self._width = width
        self._current: str | None = None
        self._names: dict[str, str] = {}  # relaxed → as first written
        self._lines: dict[tuple[str, int], int] = {}  # (event, rule's position) → line
        self._paths: dict[tuple[str, str], int] = {}  # (event, relaxed path) → line
        self._foreign: Counter[str] = Counter()  # kinds of property that are not an event's → rows

    def add(self, row: cells.Row) -> None:
        """Take in one row."""
        if any(row.cells[self._width :]):
            self._warn(row, "extra_cells", "The row has more cells than the header; check its delimiters.")
        name = self._cell(row, "event")
        if name:
            self._begin(row, name)
        if self._current is None:
            if not name:
                self._reject(row, "missing_event_name", "No event is named here or above.")
            return
        self._describe(row)
        kind = self._cell(row, "kind").lower()
        if self._cell(row, "path") and kind in columns.FOREIGN_KINDS:
            self._foreign[kind] += 1
        elif self._cell(row, "path"):
            self._add_rule(row)
        elif self._cell(row, "type"):
            self._reject(row, "missing_path", "The row has a type, but no property.")
        self._add_conditions(row)

    def all_problems(self) -> list[Problem]:
        """Everything that is wrong, by line; what only shows between rows is looked for when the rows are
        right.
        """
        if not self.problems and not self.content["events"]:
            return [Problem("no_events", "The sheet has a header, but no event.")]
        if not self.problems:
            try:
                compile_plan(self.content, 0)
            except PlanInvalid as invalid:
                self.problems = [self._at_line(problem) for problem in invalid.problems]
        return sorted(self.problems, key=lambda problem: problem.line or 0)

    def loss(self) -> list[dict[str, Any]]:
        """What the rows say that no plan holds."""
        return [
            {
                "code": "foreign_property",
                "message": f"{rows} {kind} properties are not kept: plans hold an event's own.",
            }
            for kind, rows in self._foreign.items()
        ]

    def _describe(self, row: cells.Row) -> None:
        """What is said of the event itself: the first that is said stays."""
        for column, member in columns.OF_EVENT.items():
            said = self._cell(row, column)
            if column == "unplanned" and said:
                said = said.lower()
                if said not in UNPLANNED:
                    self._reject(row, "bad_unplanned", f"`{said[:100]}` is none of {', '.join(UNPLANNED)}.")
                    continue
            if self._current is not None and said:
                self.content["events"][self._current].setdefault(member, said)

    def _at_line(self, problem: Problem) -> Problem:
        line = self._lines.get((problem.event or "", problem.rule if problem.rule is not None else -1))
        return problem.at(line=line) if line else problem

    def _cell(self, row: cells.Row, column: str) -> str:
        position = self._where.get(column)
        return row.cells[position] if position is not None and position < len(row.cells) else ""

    def _reject(self, row: cells.Row, code: str, message: str) -> None:
        self.problems.append(Problem(code, message, line=row.line))

    def _warn(self, row: cells.Row, code: str, message: str) -> None:
        self.warnings.append(Problem(code, message, line=row.line))

    def _begin(self, row: cells.Row, name: str) -> None:
        if len(name) > LONGEST_NAME:
            self._current = None
            self._reject(row, "name_too_long", f"An event's name may have {LONGEST_NAME} characters.")
            return
        self._current = self._names.setdefault(relax(name), name)
        self.content["events"].setdefault(self._current, {"rules": []})

    def _add_rule(self, row: cells.Row) -> None:
        assert self._current is not None
        path = self._path(row)
        kind = columns.type_of(self._cell(row, "type"))
        if kind is None:
            given = self._cell(row, "type")
            said = f"The type `{given[:100]}` is unknown" if given else "The type is missing"
            self._reject(row, "unknown_type", f"{said}. Use {', '.join(Type)}.")
        rule = self._described(row, path or "", kind)
        if path is None or kind is None:
            return
        if self._flag(row, "is_array"):
            # The column says that there are many of them: one rule for the array, one for what is in it.
            array: dict[str, Any] = {
                member: rule[member] for member in ("required", "nullable", "severity") if member in rule
            }
            self._keep(row, {"path": path, "type": Type.ARRAY.value, **array})
            path, rule = f"{path}[]", {**rule, "path": f"{path}[]", "required": False}
            rule.pop("nullable", None)
        self._keep(row, rule)

    def _keep(self, row: cells.Row, rule: dict[str, Any]) -> None:
        assert self._current is not None
        path = rule["path"]
        first = self._paths.setdefault((self._current, relax(path)), row.line)
        if first != row.line:
            self._reject(
                row, "duplicate_rule", f"`{path}` of `{self._current}` has a rule on line {first} already."
            )
            return
        rules = self.content["events"][self._current]["rules"]
        self._lines[self._current, len(rules)] = row.line
        rules.append(rule)

    def _path(self, row: cells.Row) -> str | None:
        given = self._cell(row, "path")
        try:
            return format_rule_path(parse_rule_path(given))
        except BadPath as error:
            self._reject(row, "bad_path", f"The path `{given[:200]}` cannot be read: {error}.")
            return None

    def _described(self, row: cells.Row, path: str, kind: Type | None) -> dict[str, Any]:
        rule: dict[str, Any] = {"path": path, "type": kind.value if kind else ""}
        # A sheet without this column lists what must be sent.
        rule["required"] = "required" not in self._where or self._flag(row, "required")
        rule |= {flag: True for flag in ("nullable", "blank", "private") if self._flag(row, flag)}
        if epoch := self._cell(row, "epoch").lower():
            rule["epoch"] = epoch
            if epoch not in EPOCHS or kind not in DATES:
                text = f"`{epoch[:100]}`: an epoch is seconds or milliseconds, and fits date and datetime."
                self._reject(row, "bad_epoch", text)
        if given := self._cell(row, "severity"):
            severity = columns.severity(given)
            if severity is None:
                self._reject(
                    row, "bad_severity", f"The severity `{given[:100]}` is not error, warning or info."
                )
            else:
                rule["severity"] = severity.value
        cells_of = {column: self._cell(row, column) for column in columns.CONSTRAINTS}
        constraints = {c: columns.constraint(c, cell, kind) for c, cell in cells_of.items() if cell}
        if constraints:
            rule["constraints"] = constraints
            self._reject_all(row, check(kind, constraints) if kind else [])
        for column in ("description", "owner"):
            if text := self._cell(row, column):
                rule[column] = text
        return rule

    def _reject_all(self, row: cells.Row, problems: Iterable[Problem]) -> None:
        self.problems += [problem.at(line=row.line) for problem in problems]

    def _flag(self, row: cells.Row, column: str) -> bool:
        given = self._cell(row, column)
        said = columns.flag(given)
        if said is None:
            self._reject(
                row, f"bad_{column}", f"`{given[:100]}` in the column {column} is neither yes nor no."
            )
        return bool(said)

    def _add_conditions(self, row: cells.Row) -> None:
        given = self._cell(row, "condition")
        if not given or self._current is None:
            return
        try:
            listed = orjson.loads(given)
        except orjson.JSONDecodeError:
            self._reject(row, "bad_condition", "The condition is not JSON.")
            return
        for condition in listed if isinstance(listed, list) else [listed]:
            if condition == {}:
                continue
            self._add_condition(row, condition)

    def _add_condition(self, row: cells.Row, given: Any) -> None:
        needed = "A condition is a JSON object with if_field, if_value, then_field and then_type."
        if isinstance(given, dict) and "if" in given:  # as our own plans write it, and our own sheets
            self._keep_condition(row, given)
            return
        if not isinstance(given, dict) or not {"if_field", "if_value", "then_field"} <= given.keys():
            self._reject(row, "bad_condition", needed)
            return
        if unknown := given.keys() - CONDITION.keys():
            self._reject(row, "bad_condition", f"`{sorted(unknown)[0][:100]}` is unknown. {needed}")
            return
        condition = {CONDITION[member]: value for member, value in given.items()}
        kind = columns.type_of(str(condition.pop("type", None) or Type.ANY))
        if kind is None:
            self._reject(row, "bad_condition", f"The type `{str(given['then_type'])[:100]}` is unknown.")
            return
        self._keep_condition(row, {**condition, "type": kind.value})

    def _keep_condition(self, row: cells.Row, condition: dict[str, Any]) -> None:
        _, problems = read_condition(condition)
        self._reject_all(row, problems)
        assert self._current is not None
        self.content["events"][self._current].setdefault("conditions", []).append(condition)
