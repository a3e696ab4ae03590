"""Rules as a JSON Schema that anybody can use, and a JSON Schema as rules where rules can say it.

What JSON Schema has no word for stands beside it in `x-rule`: severity, owner, private, and the types and
formats that it knows as a pattern only. A rule that only warns is asserted like the others; properties
without a rule are refused only where the plan calls them an error. Formats are asserted, as rules do; a
validator that takes them for notes must be told so.

Reading back is proved, not believed: a schema counts as rules only if these rules give the same schema again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.validation import constraints as constraint_rules
from app.validation.by_rules import RulesEvent
from app.validation.conditions import as_content, read_condition
from app.validation.document import resolve
from app.validation.engine import DEFAULT_DIALECT
from app.validation.formats import PATTERNS
from app.validation.model import Severity
from app.validation.options import ALLOWED, Options
from app.validation.paths import EACH, MOST_STEPS, format_rule_path
from app.validation.problems import Problem
from app.validation.rules import Rule
from app.validation.tree import Node, as_schema
from app.validation.types import DATE_PATTERN, DATES, DATETIME_PATTERN, WORDS, Type

Schema = dict[str, Any]
Definition = dict[str, Any]
NOTE: Final = "x-rule"
UNPLANNED: Final = "x-unplanned-properties"
# Of a note what stands for the schema's own words; whether it says the same is proved.
PROVED: Final = ("nullable", "blank", "constraints")
# What says nothing of the value.
_ANNOTATIONS: Final = frozenset(
    ("title", "description", "examples", "default", "deprecated", "readOnly", "writeOnly", "$comment", "$id")
    + ("$schema", "$defs", "definitions", NOTE, UNPLANNED)
)
_LIMITS: Final = {
    constraint.keyword: name
    for name, constraint in constraint_rules.CONSTRAINTS.items()
    if name not in ("enum", "const")
}


def rules_as_schema(
    definition: Mapping[str, Any], options: Options | None = None, common: Mapping[str, Any] | None = None
) -> Schema:
    """An event's rules and conditions, with the plan's common ones, as a JSON Schema 2020-12.

    Raises PlanInvalid for rules that cannot be used.
    """
    event = RulesEvent("", dict(definition), options or Options(), dict(common) if common else None)
    severity = event.unplanned
    schema = as_schema(event.root, event.conditions, is_open=severity is not Severity.ERROR)
    _annotate(event.root, schema)
    if severity is not Severity.ERROR:
        schema[UNPLANNED] = severity.value if severity is not None else ALLOWED
    for condition, shape in zip(event.conditions, schema.get("allOf", ()), strict=True):
        if condition.severity is not Severity.ERROR:
            shape[NOTE] = {"severity": condition.severity.value}
        if read_condition(_condition(shape))[0] != condition:
            shape[NOTE] = as_content(condition)
    if definition.get("description"):
        schema["description"] = definition["description"]
    return {"$schema": DEFAULT_DIALECT, **schema}


def _annotate(node: Node, schema: Schema) -> None:
    """Write beside the schema what it cannot say, and leave out what says nothing."""
    for keyword in ("properties", "required"):
        if not schema.get(keyword, True):
            del schema[keyword]
    rule = node.rule
    if rule is not None and rule.steps:
        if rule.description:
            schema["description"] = rule.description
        if note := _note(rule, schema):
            schema[NOTE] = note
    elif rule is None:
        schema[NOTE] = {"implied": True}
    for key, child in node.children.items():
        _annotate(child, schema["properties"][key])
    if node.each is not None:
        _annotate(node.each, schema["items"])


def _note(rule: Rule, schema: Schema) -> dict[str, Any]:
    """What of a rule does not come back from its schema alone."""
    note: dict[str, Any] = {}
    if rule.type in DATES:
        note["type"] = rule.type.value
    if rule.epoch is not None:
        note["epoch"] = rule.epoch
    if rule.severity is not Severity.ERROR:
        note["severity"] = rule.severity.value
    if rule.private:
        note["private"] = True
    if rule.owner:
        note["owner"] = rule.owner
    told = _rule(schema, note, is_required=rule.required) or {}
    note |= {
        flag: getattr(rule, flag)
        for flag in ("blank", "nullable")
        if told.get(flag, False) != getattr(rule, flag)
    }
    if told.get("constraints", {}) != rule.constraints:
        note["constraints"] = rule.constraints
    return note


def schema_as_rules(schema: Any) -> tuple[Definition | None, list[Problem]]:
    """The definition that says the same as a schema, or None with the reasons why rules cannot say it.

    Code: not_as_rules; `path` is the property's. Local references are followed.
    """
    if not isinstance(schema, dict):
        return None, [Problem("not_as_rules", "Only an object with properties can be told in rules.")]
    reader = _Reader(schema)
    reader.read_object(schema, ())
    definition: Definition = {"rules": reader.rules}
    reader.read_conditions(schema.get("allOf", []))
    if reader.conditions:
        definition["conditions"] = reader.conditions
    definition["unplanned_properties"] = (
        Severity.ERROR.value if False in reader.openness else schema.get(UNPLANNED, ALLOWED)
    )
    if isinstance(schema.get("description"), str):
        definition["description"] = schema["description"]
    if len(reader.openness) > 1:
        reader.refuse((), "Some objects admit other properties and some do not; rules do for all or none.")
    if not reader.problems and not _says_the_same(definition, schema):
        reader.refuse((), "Rules would not say quite the same.")
    return (None, reader.problems) if reader.problems else (definition, [])


def _says_the_same(definition: Definition, schema: Schema) -> bool:
    return _bare(rules_as_schema(definition), {}) == _bare(schema, schema)


def _bare(schema: Any, document: Schema) -> Any:
    """The schema without annotations and references, lists whose order says nothing in one order."""
    schema = resolve(document, schema)
    if not isinstance(schema, dict):
        return {} if schema is True else schema
    bare = {}
    for keyword, value in schema.items():
        if keyword in _ANNOTATIONS or (keyword == "additionalProperties" and value in (True, {})):
            continue
        if keyword == "properties":
            value = {name: _bare(child, document) for name, child in value.items()}
        elif keyword in ("items", "if", "then", "not"):
            value = _bare(value, document)
        elif keyword == "allOf":
            value = [_bare(part, document) for part in value]
        elif keyword in ("required", "type") and isinstance(value, list):
            value = sorted(value)
        if not (keyword in ("properties", "required", "allOf") and not value):
            bare[keyword] = value
    return bare


@dataclass
class _Reader:
    """Reads a schema object by object; what it cannot tell in rules becomes a problem."""

    document: Schema
    rules: list[dict[str, Any]] = field(default_factory=list)
    conditions: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    openness: set[bool] = field(default_factory=set)

    def refuse(self, steps: tuple[str, ...], reason: str) -> None:
        """Note what rules cannot say, and where."""
        self.problems.append(Problem("not_as_rules", reason, path=format_rule_path(steps) or None))

    def read_object(self, schema: Schema, steps: tuple[str, ...]) -> None:
        """The properties of an object."""
        self.openness.add(schema.get("additionalProperties", True) in (True, {}))
        required = schema.get("required", [])
        properties = schema.get("properties", {})
        if unknown := [name for name in required if name not in properties]:
            self.refuse((*steps, unknown[0]), "It is required, but nothing is said of it.")
        for name, child in properties.items():
            if name == EACH:
                self.refuse((*steps, "?"), "`[]` cannot be a property's name.")
                continue
            self.read(child, (*steps, name), is_required=name in required)

    def read(self, schema: Any, steps: tuple[str, ...], *, is_required: bool) -> None:
        """One property or every element of an array, and what is below it."""
        schema = resolve(self.document, schema)
        if len(steps) > MOST_STEPS:
            self.refuse(steps[:3], "The schema goes deeper than rules do.")
            return
        if schema is True:
            schema = {}
        if not isinstance(schema, dict) or "$ref" in schema:
            self.refuse(
                steps, "Rules cannot say that it must not be there, and follow local references only."
            )
            return
        note = schema.get(NOTE) if isinstance(schema.get(NOTE), dict) else {}
        assert isinstance(note, dict)
        if not note.get("implied"):
            rule = _rule(schema, note, is_required=is_required)
            if rule is None:
                self.refuse(steps, "Rules have no words for its type.")
                return
            self.rules.append({"path": format_rule_path(steps), **rule})
        self._leftovers(schema, steps)
        if "properties" in schema or schema.get("additionalProperties") is False:
            self.read_object(schema, steps)
        if "items" in schema:
            self.read(schema["items"], (*steps, EACH), is_required=False)

    def read_conditions(self, parts: list[Any]) -> None:
        """The `if` and `then` beside the properties."""
        for part in parts:
            condition = _condition(part)
            if condition is None:
                self.refuse((), "Only an `if` of one property with a `then` of another can be a condition.")
            else:
                self.conditions.append(condition)

    def _leftovers(self, schema: Schema, steps: tuple[str, ...]) -> None:
        told = {"type", "enum", "const", "properties", "required", "additionalProperties", "items", "allOf"}
        for keyword in sorted(schema.keys() - told - _LIMITS.keys() - _ANNOTATIONS):
            self.refuse(steps, f"Rules have no word for `{keyword}`.")


def _rule(schema: Schema, note: dict[str, Any], *, is_required: bool) -> dict[str, Any] | None:
    """The rule for one schema, as a plan's content has it; None where its type cannot be told."""
    words = schema.get("type", [])
    words = [words] if isinstance(words, str) else list(words)
    is_nullable = "null" in words
    named = [word for word in words if word != "null"]
    rule: dict[str, Any] = {"type": Type.ANY.value}
    if note.get("type") in DATES:
        rule["type"] = note["type"]
    elif len(named) == 1:
        rule["type"] = WORDS.get(named[0], named[0])
    elif named and sorted(named) != sorted(constraint_rules.NOT_NULL):
        return None
    elif is_required and not named:
        is_nullable = True
    if is_required:
        rule["required"] = True
    if is_nullable:
        rule["nullable"] = True
    rule |= {member: note[member] for member in ("epoch", "severity", "private", "owner") if member in note}
    if isinstance(schema.get("description"), str) and schema["description"]:
        rule["description"] = schema["description"]
    rule = _with_constraints(rule, schema) | {member: note[member] for member in PROVED if member in note}
    return {member: said for member, said in rule.items() if said not in (False, {})}


def _with_constraints(rule: dict[str, Any], schema: Schema) -> dict[str, Any]:
    constraints = {name: schema[keyword] for keyword, name in _LIMITS.items() if keyword in schema}
    parts = list(schema.get("allOf", []))
    if (pattern := {"pattern": PATTERNS.get(constraints.get("format", ""), "")}) in parts:
        parts.remove(pattern)
    if rule.get("type") == Type.TEXT and rule.get("required") and not rule.get("nullable"):
        if constraint_rules.NOT_BLANK not in parts and constraints.get("pattern") != r"\S":
            rule["blank"] = True
        elif constraint_rules.NOT_BLANK not in parts:
            del constraints["pattern"]
    if rule["type"] in DATES:
        constraints.pop("pattern", None)
    if rule.get("epoch"):
        constraints.pop("minimum", None)
        constraints.pop("maximum", None)
    if isinstance(values := schema.get("enum"), list):
        constraints["enum"] = [value for value in values if value is not None or not rule.get("nullable")]
    if "const" in schema:
        constraints["const"] = schema["const"]
    return {**rule, "constraints": constraints} if constraints else rule


def _condition(part: Any) -> dict[str, Any] | None:
    """The condition that an `if` and `then` say, or None."""
    if not isinstance(part, dict) or part.keys() - {"if", "then", NOTE} or not {"if", "then"} <= part.keys():
        return None
    condition: dict[str, Any] = dict(part.get(NOTE) or {})
    if "if" in condition:
        return condition if read_condition(condition)[0] is not None else None
    is_absent, if_steps, premise = _place(part["if"])
    is_forbidden, then_steps, wanted = _place(part["then"])
    if is_absent or not premise:
        condition |= {"if": format_rule_path(if_steps), "present": not is_absent}
    elif len(premise) == 1 and "const" in premise:
        condition |= {"if": format_rule_path(if_steps), "equals": premise["const"]}
    elif len(premise) == 1 and "enum" in premise:
        condition |= {"if": format_rule_path(if_steps), "in": premise["enum"]}
    condition["then"] = format_rule_path(then_steps)
    if is_forbidden:
        condition["forbidden"] = True
    else:
        is_required = "required" in part["then"]
        rule = _rule(wanted, _date_note(wanted), is_required=is_required)
        if rule is None:
            return None
        condition["type"] = rule["type"]
        condition |= {} if is_required else {"required": False}
        condition |= {"constraints": rule["constraints"]} if "constraints" in rule else {}
    return condition if read_condition(condition)[0] is not None else None


def _date_note(schema: Schema) -> dict[str, Any]:
    """A condition has no note of its own: its dates are known by their pattern."""
    known = {DATE_PATTERN: Type.DATE, DATETIME_PATTERN: Type.DATETIME}
    kind = known.get(schema.get("pattern", ""))
    return {"type": kind.value} if kind is not None else {}


def _place(schema: Any) -> tuple[bool, tuple[str, ...], Schema]:
    """Whether the schema denies, the way through objects of one property each, and what is asked there."""
    denies = isinstance(schema, dict) and schema.keys() == {"not"}
    if denies:
        schema = schema["not"]
    steps: list[str] = []
    while isinstance(schema, dict) and len(schema.get("properties", ())) == 1 and len(steps) < MOST_STEPS:
        [(name, schema)] = schema["properties"].items()
        steps.append(name)
    return denies, tuple(steps), schema if isinstance(schema, dict) else {}
