"""Judging an event by rules: the rules' schema says whether, the tree of rules says why."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

from app.validation import explain
from app.validation.engine import DEFAULT_DIALECT, validator_for
from app.validation.model import VALID, Judgement, Severity, Violation, ViolationKind, conclude
from app.validation.near import near_names, slip_of
from app.validation.paths import format_path, join
from app.validation.preview import preview
from app.validation.problems import PlanInvalid, Problem
from app.validation.rules import Condition, Rule, read_condition, read_rule
from app.validation.tree import Node, align, as_schema, build
from app.validation.types import FORMATS, Type, looks_like_a_date, word_for, word_for_date

Way = tuple[str | int, ...]
_LAST: Final = 1_000_000  # behind every rule: what no rule is about


class RulesEvent:
    """An event that rules describe. Compiled when it is first judged, so that publishing a large plan is
    cheap.
    """

    def __init__(self, name: str, definition: dict[str, Any], *, relaxed: bool) -> None:
        self.name = name
        self._definition = definition
        self._relaxed = relaxed
        self._root: Node | None = None

    def problems(self) -> list[Problem]:
        """Why the rules cannot be used; empty where they can."""
        try:
            self._compile()
        except PlanInvalid as invalid:
            return invalid.problems
        return []

    def judge(self, payload: dict[str, Any]) -> Judgement:
        """The verdict on a payload. Never raises, whatever the payload."""
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
            self._validator = validator_for(schema, formats=FORMATS, validate_formats=True)
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
        spellings: dict[Way, str] = {}
        aligned = align(self.root, payload, (), spellings)
        errors = _errors(self._validator, aligned)
        found = Findings(self.root, self._conditions, aligned, spellings)
        for error in errors:
            found.add(error)
        return conclude(explain.without_echoes(found.in_order()))


def _errors(validator: jsonschema_rs.Validator, payload: Any) -> list[jsonschema_rs.ValidationError]:
    """All errors, or of a large payload the first."""
    if not explain.is_large(payload):
        return list(validator.iter_errors(payload))
    try:
        validator.validate(payload)
    except jsonschema_rs.ValidationError as error:
        return [error]
    return []


class Findings:
    """The violations of one payload, gathered error by error."""

    def __init__(
        self, root: Node, conditions: list[Condition], payload: dict[str, Any], spellings: dict[Way, str]
    ) -> None:
        self._root = root
        self._conditions = conditions
        self._payload = payload
        self._spellings = spellings
        self._found: list[tuple[int, Violation]] = []
        self._settled: set[object] = set()  # places and conditions about which all is said

    def in_order(self) -> list[Violation]:
        """The violations in the order of the rules; what no rule is about comes last."""
        self._found.sort(key=lambda item: item[0])
        return [violation for _, violation in self._found]

    def add(self, error: jsonschema_rs.ValidationError) -> None:
        """Take in one error of the rules' validator."""
        place = error.schema_path
        if place and place[0] == "allOf":  # only conditions stand there
            self._add_condition(int(place[1]))
            return
        kind = error.kind
        way = tuple(error.instance_path)
        node, value = self._root, self._payload
        for step in way:
            node = node.each if isinstance(step, int) else node.children[step]  # type: ignore[assignment]
            value = value[step]  # type: ignore[index]
        match kind:
            case Kind.Required():
                self._add_missing(node.children[kind.property], (*way, kind.property), value)
            case Kind.AdditionalProperties():
                for key in kind.unexpected:
                    self._add_unplanned(node, way, key, value)
            case _:
                self._add_wrong(kind, node, way, value)

    def _path(self, way: Way) -> str:
        """The place as the sender spelled it."""
        if not self._spellings:
            return format_path(way)
        return format_path([self._spellings.get(way[: i + 1]) or step for i, step in enumerate(way)])

    def _add(self, node: Node, violation: Violation) -> None:
        self._found.append((node.order, violation))

    def _add_missing(self, node: Node, way: Way, parent: dict[str, Any]) -> None:
        if node.rule is None and node.each is None:
            for key, child in node.children.items():
                if child.is_needed:
                    self._add_missing(child, (*way, key), {})
            return
        name = str(way[-1])
        near = slip_of(name, parent, self._of(way[:-1]).children)
        self._add(
            node,
            Violation(
                ViolationKind.MISSING_PROPERTY,
                self._path(way),
                node.type.value,
                severity=node.severity,
                suggestion=near,
            ),
        )

    def _of(self, way: Way) -> Node:
        node = self._root
        for step in way:
            below = node.each if isinstance(step, int) else node.children.get(step)
            if below is None:
                return Node()
            node = below
        return node

    def _add_unplanned(self, node: Node, way: Way, key: str, parent: dict[str, Any]) -> None:
        near = near_names(tuple(node.children)).nearest(key)
        violation = Violation(
            ViolationKind.UNPLANNED_PROPERTY,
            join(self._path(way), key),
            None,
            word_for(parent[key]),
            severity=Severity.WARNING,
            suggestion=near if near not in parent else None,
        )
        self._found.append((_LAST, violation))

    def _add_wrong(self, kind: Any, node: Node, way: Way, value: Any) -> None:
        if way in self._settled:
            return
        violation = self._wrong(kind, node, self._path(way), value)
        if violation.kind is not ViolationKind.CONSTRAINT_BROKEN:
            self._settled.add(way)
        self._add(node, violation)

    def _wrong(self, kind: Any, node: Node, path: str, value: Any) -> Violation:
        severity, wanted = node.severity, node.type
        if value is None:
            return Violation(ViolationKind.EMPTY_VALUE, path, wanted.value, "null", severity)
        if isinstance(value, str) and not value.strip() and _may_not_be_blank(kind, node):
            return Violation(ViolationKind.EMPTY_VALUE, path, wanted.value, preview(value), severity)
        if isinstance(kind, Kind.Type) or (
            isinstance(kind, Kind.Format) and wanted in (Type.DATE, Type.DATETIME)
        ):
            return _mistyped(node, path, value)
        return _weighed(explain.constraint_broken(kind, path, value), severity)

    def _add_condition(self, position: int) -> None:
        if position in self._settled:
            return
        self._settled.add(position)
        condition = self._conditions[position]
        way, value = self._follow(condition)
        expected = {
            "type": condition.type.value,
            "when": {k: preview(v) for k, v in condition.when().items()},
        }
        received = None if value is _NOTHING else word_for(value)
        if isinstance(value, str):
            received = preview(value) if not value.strip() else received
        violation = Violation(ViolationKind.CONDITION_BROKEN, self._path(way), expected, received)
        self._found.append((_LAST - 1, violation))

    def _follow(self, condition: Condition) -> tuple[Way, Any]:
        """Where the condition's consequence stands in the payload, and what stands there."""
        way: list[str | int] = []
        node, value = self._root, self._payload
        for step in condition.then_steps:
            known = node.known(step) or step
            node = node.children[known]
            way.append(known)
            value = value.get(known, _NOTHING) if isinstance(value, dict) else _NOTHING
        return tuple(way), value


_NOTHING: Final = object()


def _may_not_be_blank(kind: Any, node: Node) -> bool:
    """Whether blank text is nothing here: where text is required, or where something else than text is
    wanted.
    """
    if node.type is Type.TEXT:
        return node.rule is not None and node.rule.required
    return isinstance(kind, (Kind.Type, Kind.Format))


def _mistyped(node: Node, path: str, value: Any) -> Violation:
    wanted, severity = node.type, node.severity
    if wanted not in (Type.DATE, Type.DATETIME) or not isinstance(value, str):
        words = ["string" if wanted is Type.TEXT else wanted.value]
        words += ["null"] if node.rule is not None and node.rule.nullable else []
        return _weighed(explain.type_mismatch(words, path, value), severity)
    received = word_for_date(value)
    if received == "text" and looks_like_a_date(value):
        # Somebody meant a date: what is wrong is how it is written, or that no calendar has it.
        return Violation(
            ViolationKind.CONSTRAINT_BROKEN, path, wanted.value, preview(value), severity, constraint="format"
        )
    return Violation(ViolationKind.TYPE_MISMATCH, path, wanted.value, received, severity)


def _weighed(violation: Violation, severity: Severity) -> Violation:
    if violation.severity is severity:
        return violation
    return replace(violation, severity=severity)


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
