"""Validation rules become a plan by the room of plans: as the rows of a sheet, with the room's own reasons.

One row that cannot be read must not cost an app all the others: it is tried without its condition and its pattern,
and left only if that does not help.
"""

from dataclasses import dataclass
from typing import Any, Final

from app.plans import publishing, sheet
from app.plans.cells import Row
from app.plans.current import current
from app.plans.imported import Imported
from app.plans.reading import Reading
from app.store import apps, audit, tenancy
from app.store.apps import AppRef
from app.store.audit import Action
from app.validation.compile import CompiledPlan, compile_plan
from app.validation.problems import Problem
from scripts.moving.books import CHANGED, LEFT, Books, Note
from scripts.moving.people import MovedApp
from scripts.moving.reference import Record, Reference, words

HEADER: Final = ["eventName", "eventPayload", "dataType", "pattern", "condition", "required"]
PATTERN: Final = 3  # how many cells come before it
CONDITION: Final = 4
FORMAT: Final = "reference"


@dataclass(frozen=True, slots=True)
class Receiver:
    """An app of ours that is about to receive its old events, and the plan that judges them."""

    ref: AppRef
    plan: CompiledPlan | None
    last_entry: int  # of the source: up to which they are settled


Receivers = dict[Any, Receiver]  # by the app's id in the source


def move_rules(reference: Reference, books: Books, moved: list[MovedApp]) -> Receivers:
    """Publish each app's rules as a version of its plan; returns who receives what, by the app's id in the source.

    The caller commits. Rules that were looked through by an earlier run are not looked at again.
    """
    by_app: dict[Any, list[Record]] = {app.source_id: [] for app in moved}
    for row in reference.rows("validation_rules"):
        if row["app_id"] in by_app:
            by_app[row["app_id"]].append(row)
        else:
            books.note(Note(LEFT, "validation_rules", words(row["app_id"]), row["id"], "app_was_left", row))
    return {app.source_id: _receiver(app, by_app[app.source_id], books) for app in moved}


def _receiver(app: MovedApp, rules: list[Record], books: Books) -> Receiver:
    with tenancy.inside(app.ref.organisation_id):
        if app.rules_moved:
            return Receiver(app.ref, current(app.ref), app.last_entry)
        plan = _publish(app.ref, read(app.slug, rules, books))
        books.rules_are_moved(app.ref.id)
        ref = apps.find(app.ref.organisation_id, app.ref.slug)
        assert ref is not None, "it is ours"
        return Receiver(ref, plan, app.last_entry)


def _publish(app: AppRef, imported: Imported) -> CompiledPlan | None:
    if not imported.events:
        return None
    note = "Moved in from the reference dashboard"
    version = publishing.publish(app, publishing.Edition(imported.content, FORMAT, note=note))
    audit.record(
        Action.PLAN_PUBLISHED, "plan", app.slug, organisation_id=app.organisation_id, version=version
    )
    return compile_plan(imported.content, version, is_checked=True)


def read(slug: str, rules: list[Record], books: Books) -> Imported:
    """The rules as a plan without problems; what had to be left or changed for that is noted."""

    def note(outcome: str, line: int, reason: str) -> None:
        books.note(Note(outcome, "validation_rules", slug, rules[line - 2]["id"], reason, rules[line - 2]))

    # No flag at all is a sheet that had no such column, and such a sheet lists what must be sent.
    header = HEADER if any(rule.get("is_required") for rule in rules) else HEADER[:-1]
    rows = {line: Row(line, _cells(rule)) for line, rule in enumerate(rules, start=2)}
    for line in [line for line, row in rows.items() if not all(row.cells[:PATTERN])]:
        del rows[line]
        note(LEFT, line, "incomplete: event, field and type are needed")
    while rows:
        imported = sheet.read_rows([Row(1, header), *rows.values()], [], Reading())
        if not imported.problems:
            return imported
        for line, reason in _by_line(imported.problems, rows).items():
            note(_mend(rows, line), line, reason)
    return Imported()


def _by_line(problems: list[Problem], rows: dict[int, Row]) -> dict[int, str]:
    """The first problem of each row; one that names no row is a problem of all of them."""
    reasons: dict[int, str] = {}
    for problem in problems:
        for line in [problem.line] if problem.line else rows:
            reasons.setdefault(line, f"{problem.code}: {problem.message}")
    return reasons


def _mend(rows: dict[int, Row], line: int) -> str:
    """Take away what may be wrong with a row: its pattern and condition first, then all of it."""
    cells = rows[line].cells
    if cells[PATTERN] or cells[CONDITION]:
        rows[line] = Row(line, [*cells[:PATTERN], "", "", *cells[CONDITION + 1 :]])
        return CHANGED
    del rows[line]
    return LEFT


def _cells(rule: Record) -> list[str]:
    return [
        words(rule["event_name"]).strip(),
        words(rule["field_name"]).strip(),
        words(rule["data_type"]).strip(),
        words(rule.get("expected_pattern")).strip(),
        _condition(words(rule.get("condition"))),
        "yes" if rule.get("is_required") else "no",
    ]


def _condition(stored: str) -> str:
    return "" if stored.strip() in ("", "null", "{}") else stored
