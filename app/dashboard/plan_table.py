"""A plan's content as the plan page shows it: events with their rules in words."""

from dataclasses import dataclass
from typing import Any

from app.plans.content import Content
from app.validation.preview import preview, preview_options

# More rules of one event than anybody reads; the page says how many there are.
MOST_RULES = 200

WORDS = {
    "pattern": "matches {}",
    "format": "is written as {}",
    "const": "is {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "min_length": "at least {} characters",
    "max_length": "at most {} characters",
    "min_items": "at least {} items",
    "max_items": "at most {} items",
}


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule in words."""

    path: str
    type: str
    required: str
    constraint: str


@dataclass(frozen=True, slots=True)
class PlanEvent:
    """One event of the plan. With a schema it has no rows here: the page asks for them when it is opened."""

    name: str
    has_schema: bool
    rows: list[RuleRow]
    omitted: int


def events_of(content: Content) -> list[PlanEvent]:
    """The plan's events in the plan's order."""
    return [_event(name, definition) for name, definition in content["events"].items()]


def _event(name: str, definition: dict[str, Any]) -> PlanEvent:
    if "schema" in definition:
        return PlanEvent(name, True, [], 0)
    rows = [_rule(rule) for rule in definition.get("rules", [])]
    rows += [_condition(condition) for condition in definition.get("conditions", [])]
    return PlanEvent(name, False, rows[:MOST_RULES], max(0, len(rows) - MOST_RULES))


def _rule(rule: dict[str, Any]) -> RuleRow:
    severity = rule.get("severity", "error")
    notes = [_constraint(name, limit) for name, limit in rule.get("constraints", {}).items()]
    notes += [] if severity == "error" else [f"only {severity}"]
    return RuleRow(
        rule["path"],
        f"{rule['type']} or null" if rule.get("nullable") else rule["type"],
        "yes" if rule.get("required") else "no",
        ", ".join(notes),
    )


def _condition(condition: dict[str, Any]) -> RuleRow:
    premise = f"where {condition['if']} is {preview(condition['equals'])}"
    return RuleRow(condition["then"], condition.get("type", "any"), premise, "")


def _constraint(name: str, limit: Any) -> str:
    if name == "enum":
        return "one of " + ", ".join(str(option) for option in preview_options(limit))
    if name == "unique_items":
        return "no item twice" if limit else ""
    return WORDS.get(name, f"{name} {{}}").format(preview(limit))
