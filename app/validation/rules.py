"""Rules as a plan holds them: one line about one property, and conditions between two properties.

A rule in a plan's content:

    {"path": "items[].price", "type": "number", "required": true,
     "nullable": false, "severity": "error", "constraints": {"minimum": 0}, "description": "…"}

A condition: {"if": "payment", "equals": "card", "then": "card_brand", "type": "text"}: where `payment` is
`card`, `card_brand` must be there, not empty, and a text. Only path and type (if, equals, then) are needed.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from app.validation import constraints as constraint_rules
from app.validation.model import Severity
from app.validation.paths import EACH, BadPath, format_rule_path, parse_rule_path
from app.validation.problems import Problem
from app.validation.types import Type

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

    @property
    def path(self) -> str:
        return format_rule_path(self.steps)


@dataclass(frozen=True, slots=True)
class Condition:
    """Where one property has a value, another must be there and have a type."""

    if_steps: tuple[str, ...]
    equals: Any
    then_steps: tuple[str, ...]
    type: Type

    def when(self) -> dict[str, Any]:
        """The premise, for an explanation."""
        return {format_rule_path(self.if_steps): self.equals}


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
    if problems:
        return None, [problem.at(path=path[:200]) for problem in problems]
    rule = Rule(
        steps,
        Type(kind),
        required=bool(given.get("required")),
        nullable=bool(given.get("nullable")),
        severity=Severity(given.get("severity", Severity.ERROR)),
        constraints=constraints,
    )
    return rule, []


def read_condition(given: Any) -> tuple[Condition | None, list[Problem]]:
    """A condition from a plan's content, or None with the reasons. Code: bad_condition."""
    if not isinstance(given, dict) or "equals" not in given:
        return None, [Problem("bad_condition", "A condition needs `if`, `equals` and `then`.")]
    steps = []
    for member in ("if", "then"):
        try:
            path = given.get(member)
            steps.append(parse_rule_path(path if isinstance(path, str) else ""))
        except BadPath as error:
            return None, [Problem("bad_condition", f"The condition's `{member}` cannot be read: {error}.")]
        if EACH in steps[-1]:
            return None, [Problem("bad_condition", f"The condition's `{member}` cannot go into an array.")]
    kind = str(given.get("type", Type.ANY))
    if kind not in TYPES:
        text = f"The condition's type `{str(kind)[:100]}` is unknown. Use {_types()}."
        return None, [Problem("bad_condition", text)]
    if isinstance(given["equals"], (dict, list)):
        return None, [
            Problem("bad_condition", "A condition compares with a text, a number, true, false or null.")
        ]
    if steps[0] == steps[1]:
        return None, [Problem("bad_condition", "A condition cannot be about one property alone.")]
    return Condition(steps[0], given["equals"], steps[1], Type(kind)), []


def _types() -> str:
    return ", ".join(Type)
