"""Judging an event by rules: the rules' schema says whether, the tree of rules says why."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

from app.validation import explain
from app.validation.engine import DEFAULT_DIALECT, validator_for
from app.validation.findings import Findings
from app.validation.model import VALID, Judgement, conclude
from app.validation.problems import PlanInvalid, Problem
from app.validation.rules import Condition, Rule, read_condition, read_rule
from app.validation.tree import Node, align, as_schema, build


class RulesEvent:
    """An event that rules describe. Compiled when it is first judged, so that publishing a large plan is
    cheap.
    """

    def __init__(self, name: str, definition: dict[str, Any], *, relaxed: bool) -> None:
        self.name = name
        self._definition = definition
        self._relaxed = relaxed
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
    def root(self) -> Node:
        """The tree of the rules."""
        if self._root is None:
            self._compile()
        assert self._root is not None
        return self._root

    def _compile(self) -> None:
        rules, conditions = self._read()
        root, problems = build(rules, conditions, relaxed=self._relaxed)
        if problems:
            raise PlanInvalid(problems)
        schema = {"$schema": DEFAULT_DIALECT, **as_schema(root, conditions)}
        try:
            self._validator = validator_for(schema, validate_formats=True)
        except ValueError as error:
            raise PlanInvalid([Problem("bad_rule", f"The rules cannot be compiled: {error}")]) from error
        self._conditions = conditions
        self._root = root

    def _read(self) -> tuple[list[Rule], list[Condition]]:
        rules, conditions, problems = [], [], []
        for position, given in enumerate(self._definition.get("rules", [])):
            rule, reasons = read_rule(given)
            problems += [reason.at(rule=position) for reason in reasons]
            rules += [rule] if rule else []
        for position, given in enumerate(self._definition.get("conditions", [])):
            condition, reasons = read_condition(given)
            problems += [reason.at(path=f"condition {position + 1}") for reason in reasons]
            conditions += [condition] if condition else []
        if problems:
            raise PlanInvalid(problems)
        return rules, conditions

    def _explain(self, payload: dict[str, Any]) -> Judgement:
        if self._widest is None:
            self._widest = explain.widest(as_schema(self.root, self._conditions))
        is_large = explain.is_large(payload, self._widest)
        spellings: dict[tuple[str | int, ...], str] = {}
        errors = _errors(self._validator, payload, is_large=is_large)
        # Every object with rules is closed, so a key in another spelling shows as one that is not in the
        # plan.
        if is_large or any(isinstance(error.kind, Kind.AdditionalProperties) for error in errors):
            aligned = align(self.root, payload, (), spellings)
            if aligned is not payload:
                payload, errors = aligned, _errors(self._validator, aligned, is_large=is_large)
        found = Findings(self.root, self._conditions, payload, spellings)
        for error in errors:
            found.add(error)
        return conclude(found.in_order())


def _errors(
    validator: jsonschema_rs.Validator, payload: dict[str, Any], *, is_large: bool
) -> list[jsonschema_rs.ValidationError]:
    """All errors, or of a large payload the first."""
    if not is_large:
        return list(validator.iter_errors(payload))
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
