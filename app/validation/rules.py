"""Rules as a plan holds them: one line about one property.

A rule in a plan's content; only path and type are needed, and the values here are the defaults of the rest:

    {"path": "items[].price",     where in the payload (grammar: paths.py)
     "type": "number",            text, integer, number, boolean, date, datetime, array, object or any
     "required": false,           it must be there, not null, and a text not blank
     "nullable": false,           null will do
     "blank": false,              a required text may be blank
     "epoch": null,               of a date or datetime: "seconds" or "milliseconds" since 1970 will do too
     "private": false,            its received value is never shown or stored in a violation
     "severity": "error",         or warning, info: what a violation of this rule weighs
     "constraints": {},           see constraints.py
     "description": "", "owner": ""}    for people; read from the plan when a violation is shown

What holds between two properties is a condition (conditions.py).
"""

from dataclasses import dataclass, field
from typing import Any, Final

from app.validation import constraints as constraint_rules
from app.validation.model import Severity
from app.validation.paths import BadPath, format_rule_path, parse_rule_path
from app.validation.problems import Problem
from app.validation.types import DATES, EPOCHS, Type

TYPES: Final = frozenset(Type)
SEVERITIES: Final = frozenset(Severity)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a plan says of one property."""

    steps: tuple[str, ...]
    type: Type
    required: bool = False
    nullable: bool = False
    severity: Severity = Severity.ERROR
    constraints: dict[str, Any] = field(default_factory=dict)
    blank: bool = False
    epoch: str | None = None
    private: bool = False
    description: str = ""
    owner: str = ""

    @property
    def path(self) -> str:
        return format_rule_path(self.steps)


def read_rule(given: Any) -> tuple[Rule | None, list[Problem]]:
    """A rule from a plan's content, or None with the reasons. Codes: bad_rule, bad_path, unknown_type, those
    of `constraints.check`."""
    if not isinstance(given, dict) or not isinstance(given.get("path"), str):
        return None, [Problem("bad_rule", "A rule is an object with a path and a type.")]
    path = given["path"]
    problems: list[Problem] = []
    steps: tuple[str, ...] = ()
    try:
        steps = parse_rule_path(path)
    except BadPath as error:
        problems.append(Problem("bad_path", f"The path `{path[:200]}` cannot be read: {error}."))
    kind = str(given.get("type"))
    constraints = given.get("constraints", {})
    if kind not in TYPES:
        problems.append(Problem("unknown_type", f"The type `{kind[:100]}` is unknown. Use {_types()}."))
    elif not isinstance(constraints, dict):
        problems.append(Problem("bad_rule", "`constraints` must be an object."))
    else:
        problems += constraint_rules.check(Type(kind), constraints)
    if str(given.get("severity", Severity.ERROR)) not in SEVERITIES:
        problems.append(Problem("bad_rule", "`severity` must be error, warning or info."))
    epoch = given.get("epoch")
    if epoch is not None and not (isinstance(epoch, str) and epoch in EPOCHS and kind in DATES):
        text = "`epoch` is `seconds` or `milliseconds`, and fits the types date and datetime."
        problems.append(Problem("bad_rule", text))
    if problems:
        return None, [problem.at(path=path[:200]) for problem in problems]
    rule = Rule(
        steps,
        Type(kind),
        required=bool(given.get("required")),
        nullable=bool(given.get("nullable")),
        severity=Severity(given.get("severity", Severity.ERROR)),
        constraints=constraints,
        blank=bool(given.get("blank")),
        epoch=epoch,
        private=bool(given.get("private")),
        description=str(given.get("description") or ""),
        owner=str(given.get("owner") or ""),
    )
    return rule, []


def _types() -> str:
    return ", ".join(Type)
