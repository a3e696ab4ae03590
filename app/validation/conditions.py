"""Conditions as a plan holds them: where one property is so, another must be so.

    {"if": "payment", "equals": "card", "then": "card_brand", "type": "text"}

Where `payment` is `card`, `card_brand` must be there, not empty, and a text. The premise is one of
`"equals": value`, `"in": [values]` and `"present": true | false`. The consequence has, beside `type` (default
any), `"required"` (default true; false: only what is sent is judged), `"constraints"` as a rule has, or
`"forbidden": true`. `severity` is as a rule's. Conditions are asked once, all of the same payload: none can
trigger another, so no circle of them can be endless.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from app.validation import constraints as constraint_rules
from app.validation.model import Severity
from app.validation.paths import EACH, BadPath, format_rule_path, parse_rule_path
from app.validation.problems import Problem
from app.validation.rules import SEVERITIES, TYPES
from app.validation.types import SCHEMAS, Type

PREMISES: Final = ("equals", "in", "present")
MOST_VALUES: Final = 1_000
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """Where the premise holds of one property, the consequence must hold of another.

    premise, value: one of PREMISES with the value that stands beside it in the plan.
    """

    if_steps: tuple[str, ...]
    premise: str
    value: Any
    then_steps: tuple[str, ...]
    type: Type = Type.ANY
    required: bool = True
    forbidden: bool = False
    constraints: dict[str, Any] = field(default_factory=dict)
    severity: Severity = Severity.ERROR

    @property
    def if_path(self) -> str:
        return format_rule_path(self.if_steps)

    def premise_schema(self, steps: tuple[str, ...]) -> Schema:
        """The premise as a JSON Schema; `steps`: where it is asked, in the spelling of the payload."""
        if self.premise == "present":
            there = at(steps, {})
            return there if self.value else {"not": there}
        return at(steps, {"const": self.value} if self.premise == "equals" else {"enum": self.value})

    def consequence_schema(self, steps: tuple[str, ...]) -> Schema:
        """The consequence as a JSON Schema."""
        if self.forbidden:
            return {"not": at(steps, {})}
        wanted = {**SCHEMAS[self.type], **constraint_rules.as_schema(self.constraints, nullable=False)}
        if self.required:
            return at(steps, constraint_rules.not_empty(wanted, self.type))
        for step in reversed(steps):
            wanted = {"properties": {step: wanted}}
        return wanted


def at(steps: tuple[str, ...], schema: Schema) -> Schema:
    """The schema of a payload in which this schema holds at these steps, which must be there."""
    for step in reversed(steps):
        schema = {"type": "object", "properties": {step: schema}, "required": [step]}
    return schema


def read_condition(given: Any) -> tuple[Condition | None, list[Problem]]:
    """A condition from a plan's content, or None with the reasons.

    Codes: bad_condition, and those of `constraints.check`.
    """
    steps = []
    if not isinstance(given, dict):
        return _refused("A condition is an object with `if`, `then`, and `equals`, `in` or `present`.")
    for member in ("if", "then"):
        try:
            path = given.get(member)
            steps.append(parse_rule_path(path if isinstance(path, str) else ""))
        except BadPath as error:
            return _refused(f"The condition's `{member}` cannot be read: {error}.")
        if EACH in steps[-1]:
            return _refused(f"The condition's `{member}` cannot go into an array.")
    if steps[0] == steps[1]:
        return _refused("A condition cannot be about one property alone.")
    kind = str(given.get("type", Type.ANY))
    if kind not in TYPES:
        return _refused(f"The condition's type `{kind[:100]}` is unknown. Use {', '.join(Type)}.")
    premises = [name for name in PREMISES if name in given]
    if len(premises) != 1:
        return _refused("A condition needs one of `equals`, `in` and `present`.")
    if reason := _premise_problem(premises[0], given[premises[0]]) or _consequence_problem(given):
        return _refused(reason)
    constraints = given.get("constraints", {})
    if problems := constraint_rules.check(Type(kind), constraints):
        return None, problems
    condition = Condition(
        steps[0],
        premises[0],
        given[premises[0]],
        steps[1],
        Type(kind),
        required=bool(given.get("required", True)),
        forbidden=bool(given.get("forbidden")),
        constraints=constraints,
        severity=Severity(given.get("severity", Severity.ERROR)),
    )
    return condition, []


def as_content(condition: Condition) -> dict[str, Any]:
    """The condition as a plan's content has it."""
    content: dict[str, Any] = {
        "if": condition.if_path,
        condition.premise: condition.value,
        "then": format_rule_path(condition.then_steps),
        "type": condition.type.value,
    }
    if condition.forbidden:
        content["forbidden"] = True
    elif not condition.required:
        content["required"] = False
    if condition.constraints:
        content["constraints"] = condition.constraints
    if condition.severity is not Severity.ERROR:
        content["severity"] = condition.severity.value
    return content


def _premise_problem(premise: str, value: Any) -> str | None:
    if premise == "present":
        return None if isinstance(value, bool) else "A condition's `present` is true or false."
    if premise == "in" and not (isinstance(value, list) and 0 < len(value) <= MOST_VALUES):
        return "A condition's `in` is a list of 1 to 1,000 values."
    if any(isinstance(each, (dict, list)) for each in (value if premise == "in" else [value])):
        return "A condition compares with a text, a number, true, false or null."
    return None


def _consequence_problem(given: dict[str, Any]) -> str | None:
    if str(given.get("severity", Severity.ERROR)) not in SEVERITIES:
        return "A condition's `severity` must be error, warning or info."
    if not isinstance(given.get("constraints", {}), dict):
        return "A condition's `constraints` must be an object."
    if given.get("forbidden") and (given.get("required") or given.get("constraints")):
        return "What a condition forbids can be neither required nor constrained."
    return None


def _refused(message: str) -> tuple[None, list[Problem]]:
    return None, [Problem("bad_condition", message)]
