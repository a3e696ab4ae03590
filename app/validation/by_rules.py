"""Judging an event by rules: the rules' schema says whether, the tree of rules says why."""

from collections.abc import Iterator
from typing import Any, Final

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

from app.validation import explain
from app.validation.conditions import Condition, read_condition
from app.validation.engine import DEFAULT_DIALECT, validator_for
from app.validation.findings import Findings
from app.validation.lenient import as_meant
from app.validation.model import VALID, Judgement, Severity, conclude
from app.validation.options import Options
from app.validation.paths import relax
from app.validation.problems import PlanInvalid, Problem
from app.validation.rules import Rule, read_rule
from app.validation.tree import Node, Way, align, as_schema, build

Definition = dict[str, Any]
_SURPLUS: Final = Kind.AdditionalProperties


class RulesEvent:
    """An event that rules describe. Compiled when it is first judged, so that publishing a large plan is
    cheap.

    common: the rules and conditions that the plan has for all its events; the event's own rule for the same
    property counts instead.
    """

    has_rules: Final = True

    def __init__(
        self, name: str, definition: Definition, options: Options, common: Definition | None = None
    ) -> None:
        self.name = name
        self._definition = definition
        self._options = options
        self._common = common or {}
        self._root: Node | None = None
        self._widest: int | None = None

    def problems(self) -> list[Problem]:
        """Why the rules cannot be used; empty where they can."""
        try:
            self._compile()
        except PlanInvalid as invalid:
            return invalid.problems
        return []

    def judge(self, payload: dict[str, Any]) -> Judgement:
        """The verdict on a payload. Raises ValueError for a payload that is not JSON."""
        if self._root is None:
            self._compile()
        if self._validator.is_valid(payload):
            return VALID
        return self._explain(payload)

    @property
    def is_ready(self) -> bool:
        """Was it compiled?"""
        return self._root is not None

    def prepare(self) -> None:
        """Compile it now rather than with the first event to judge. Raises PlanInvalid."""
        if self._root is None:
            self._compile()

    def is_same_as(self, other: object) -> bool:
        """Does the other one say the same of an event of the same name?"""
        return isinstance(other, RulesEvent) and (
            (self.name, self._options, self._definition, self._common)
            == (other.name, other._options, other._definition, other._common)
        )

    @property
    def root(self) -> Node:
        """The tree of the rules. Raises PlanInvalid, as do the next two."""
        self.prepare()
        assert self._root is not None
        return self._root

    @property
    def conditions(self) -> list[Condition]:
        """The event's conditions, the common ones last."""
        return self._conditions if self.root else []

    @property
    def unplanned(self) -> Severity | None:
        """What a property without a rule weighs; None where it is allowed."""
        return self._unplanned if self.root else None

    def _compile(self) -> None:
        options = self._options.of_event(self._definition)
        rules, conditions = self._read()
        root, problems = build(rules, conditions, relaxed=options.relaxed_properties)
        if problems:
            raise PlanInvalid(problems)
        # Where names are relaxed, another spelling shows as a property too many: allowed ones are then let
        # pass later.
        is_open = options.unplanned_properties is None and not options.relaxed_properties
        schema = {"$schema": DEFAULT_DIALECT, **as_schema(root, conditions, is_open=is_open)}
        try:
            self._validator = validator_for(schema, validate_formats=True)
        except ValueError as error:
            raise PlanInvalid([Problem("bad_rule", f"The rules cannot be compiled: {error}")]) from error
        self._conditions = conditions
        self._unplanned = options.unplanned_properties
        self._root = root

    def _read(self) -> tuple[list[Rule], list[Condition]]:
        """The event's rules and conditions, then the plan's common ones. Raises PlanInvalid."""
        rules, conditions, problems = read_definition(self._definition)
        if problems:
            raise PlanInvalid(problems)
        if not self._common:
            return rules, conditions
        common_rules, common_conditions, _ = read_definition(self._common)  # checked on their own
        own = {self._identity(rule) for rule in rules}
        rules += [rule for rule in common_rules if self._identity(rule) not in own]
        return rules, conditions + common_conditions

    def _identity(self, rule: Rule) -> tuple[str, ...]:
        is_relaxed = self._options.relaxed_properties
        return tuple(relax(step) for step in rule.steps) if is_relaxed else rule.steps

    def _explain(self, payload: dict[str, Any]) -> Judgement:
        if self._widest is None:
            self._widest = explain.widest(as_schema(self.root, self._conditions))
        is_large = explain.is_large(payload, self._widest)
        spellings: dict[Way, str] = {}
        taken: list[tuple[Node, Way, str]] = []
        validator = self._validator
        errors = _first(validator, payload) if is_large else list(validator.iter_errors(payload))
        # Every object with rules is closed, so a key in another spelling shows as one that is not in the
        # plan.
        meant = payload
        if is_large or _has_surplus(errors):
            meant = align(self.root, meant, (), spellings)
        if self._options.lenient:
            meant = as_meant(self.root, meant, (), lambda *text: taken.append(text))
        if meant is not payload:
            errors = _first(validator, meant) if is_large else list(validator.iter_errors(meant))
        found = Findings(self.root, self._conditions, self._unplanned, meant, spellings)
        for error in errors:
            found.add(error)
        for node, way, text in taken:
            found.add_taken(node, way, text)
        return conclude(found.in_order())


def read_definition(definition: Definition) -> tuple[list[Rule], list[Condition], list[Problem]]:
    """The rules and conditions of an event's definition, and what is wrong with them."""
    rules, conditions, problems = [], [], []
    for position, given in enumerate(definition.get("rules", [])):
        rule, reasons = read_rule(given)
        problems += [reason.at(rule=position) for reason in reasons]
        rules += [rule] if rule else []
    for position, given in enumerate(definition.get("conditions", [])):
        condition, reasons = read_condition(given)
        problems += [reason.at(path=f"condition {position + 1}") for reason in reasons]
        conditions += [condition] if condition else []
    return rules, conditions, problems


def _has_surplus(errors: list[jsonschema_rs.ValidationError]) -> bool:
    for error in errors:  # noqa: SIM110  (a generator costs more than all that it is asked here)
        if type(error.kind) is _SURPLUS:
            return True
    return False


def _first(
    validator: jsonschema_rs.Validator, payload: dict[str, Any]
) -> list[jsonschema_rs.ValidationError]:
    """The first error alone: what a large payload is explained by."""
    try:
        validator.validate(payload)
    except jsonschema_rs.ValidationError as error:
        return [error]
    return []


def rules_of(root: Node) -> Iterator[tuple[Node, Rule]]:
    """All rules below a node, in the order of the plan."""
    found = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.rule is not None and node.rule.steps:
            found.append((node, node.rule))
        waiting.extend(node.children.values())
        waiting += [node.each] if node.each is not None else []
    yield from sorted(found, key=lambda item: item[0].order)
