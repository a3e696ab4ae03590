"""An event's rules as a tree of properties: it becomes one JSON Schema, and finds the rule for a place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any

from app.validation import constraints as constraint_rules
from app.validation.conditions import Condition
from app.validation.model import Severity
from app.validation.paths import EACH, relax
from app.validation.problems import Problem
from app.validation.rules import Rule
from app.validation.types import DATES, EPOCHS, SCHEMAS, Type

Way = tuple[str | int, ...]


@dataclass(slots=True)
class Node:
    """One property, or every element of an array. `rule` is None where only places below it have rules."""

    order: int = 0
    rule: Rule | None = None
    children: dict[str, "Node"] = field(default_factory=dict)
    each: "Node | None" = None
    by_relaxed: dict[str, str] = field(default_factory=dict)
    # Settled when the tree is complete, for they are asked for every violation.
    deep: list[str] = field(default_factory=list)  # the children that have places below them
    names: tuple[str, ...] = ()  # the children's
    is_needed: bool = False
    type: Type = Type.ANY
    severity: Severity = Severity.ERROR
    is_private: bool = False  # its value, or one within it or around it, must not be shown
    # The type in words, so that no violation asks an enum for them: `word` for people, `accepted` of JSON Schema's.
    word: str = Type.ANY.value
    accepted: tuple[str, ...] = (Type.ANY.value,)
    is_date: bool = False

    def known(self, key: str) -> str | None:
        """The plan's spelling of a key, or None where the plan knows no such key."""
        return key if key in self.children else self.by_relaxed.get(relax(key)) if self.by_relaxed else None

    def below(self) -> list["Node"]:
        """The nodes one step down."""
        return [*self.children.values(), *([self.each] if self.each is not None else [])]

    def settle(self) -> None:
        """Work out what follows from the rules here and below: what must be there, what it is, how much it
        weighs.
        """
        below = self.below()
        for node in below:
            node.is_private = self.is_private or (node.rule is not None and node.rule.private)
            node.settle()
        self.is_private = self.is_private or any(node.is_private for node in below)
        self.names = tuple(self.children)
        self.deep = [key for key, child in self.children.items() if child.children or child.each]
        if self.rule is not None:
            self.is_needed, self.type, self.severity = self.rule.required, self.rule.type, self.rule.severity
        elif below:
            self.is_needed = any(node.is_needed for node in below)
            self.type = Type.ARRAY if self.each is not None else Type.OBJECT
            self.severity = min((node.severity for node in below), key=list(Severity).index)
        self.word, self.is_date = self.type.value, self.type in DATES
        self.accepted = ("string" if self.type is Type.TEXT else self.word,)
        if self.rule is not None:
            self.accepted += ("number",) if self.rule.epoch is not None else ()
            self.accepted += ("null",) if self.rule.nullable else ()


def build(
    rules: Sequence[Rule], conditions: Sequence[Condition], *, relaxed: bool
) -> tuple[Node, list[Problem]]:
    """The tree of these rules; problems carry the rule's position. Codes: duplicate_rule, path_conflict."""
    root = Node(rule=Rule((), Type.OBJECT, required=True))
    problems: list[Problem] = []
    for position, rule in enumerate(rules):
        node = _reach(root, rule.steps, position + 1, relaxed=relaxed)
        if node.rule is not None:
            text = f"`{rule.path}` has a rule already: `{node.rule.path}`."
            problems.append(Problem("duplicate_rule", text, rule=position, path=rule.path))
        else:
            node.rule, node.order = rule, position + 1
    problems += _conflicts(root)
    for condition in conditions:
        for steps in (condition.if_steps, condition.then_steps):
            _reach(root, steps, len(rules) + 1, relaxed=relaxed)
    root.settle()
    return root, problems


def _reach(node: Node, steps: Sequence[str], order: int, *, relaxed: bool) -> Node:
    """The node at these steps, made where there is none."""
    for step in steps:
        if step == EACH:
            if node.each is None:
                node.each = Node(order)
            node = node.each
            continue
        known = node.known(step)
        if known is None:
            known = step
            node.children[step] = Node(order)
            if relaxed:
                node.by_relaxed[relax(step)] = step
        node = node.children[known]
    return node


def _conflicts(node: Node) -> Iterator[Problem]:
    below = node.below()
    rule = node.rule
    wanted = None
    if node.children and node.each:
        wanted = "both an object and an array"
    elif node.children and rule and rule.type not in (Type.OBJECT, Type.ANY):
        wanted = "an object"
    elif node.each and rule and rule.type not in (Type.ARRAY, Type.ANY):
        wanted = "an array"
    if wanted:
        first = next((child.rule for child in below if child.rule), rule)
        text = f"Rules below it make `{rule.path if rule else 'a property'}` {wanted}, which cannot be."
        if rule and wanted.startswith("an "):
            text = f"`{rule.path}` is {rule.type}, but rules below it make it {wanted}."
        path = first.path if first else None
        yield Problem("path_conflict", text, rule=max(0, (below[0].order or 1) - 1), path=path)
    for child in below:
        yield from _conflicts(child)


def as_schema(root: Node, conditions: Sequence[Condition], *, is_open: bool = False) -> dict[str, Any]:
    """The rules as a JSON Schema 2020-12. Objects whose properties have rules admit no others, unless
    `is_open`.
    """
    schema = node_schema(root, is_open=is_open)
    if conditions:
        schema["allOf"] = [_condition_schema(root, condition) for condition in conditions]
    return schema


def node_schema(node: Node, *, is_open: bool = False) -> dict[str, Any]:
    """The schema of one node and all below it."""
    rule = node.rule
    schema = dict(SCHEMAS[node.type])
    if rule is not None:
        schema |= constraint_rules.as_schema(rule.constraints, nullable=rule.nullable)
        if rule.epoch is not None:
            schema["type"] = ["string", "number"]
            schema["minimum"], schema["maximum"] = EPOCHS[rule.epoch]
        if rule.required and not rule.nullable and not (rule.blank and rule.type is Type.TEXT):
            schema = constraint_rules.not_empty(schema, rule.type)
        if rule.nullable and "type" in schema:
            schema["type"] = [*_listed(schema["type"]), "null"]
    if node.each is not None:
        schema["items"] = node_schema(node.each, is_open=is_open)
    if node.children or (rule is not None and not rule.steps):
        schema["properties"] = {
            key: node_schema(child, is_open=is_open) for key, child in node.children.items()
        }
        schema["required"] = [key for key, child in node.children.items() if child.is_needed]
        if not is_open:
            schema["additionalProperties"] = False
    return schema


def _listed(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _condition_schema(root: Node, condition: Condition) -> dict[str, Any]:
    return {
        "if": condition.premise_schema(_spelled(root, condition.if_steps)),
        "then": condition.consequence_schema(_spelled(root, condition.then_steps)),
    }


def _spelled(node: Node, steps: Sequence[str]) -> tuple[str, ...]:
    """The steps in the spelling of the tree, which is the one that payloads are brought to."""
    spelled = []
    for step in steps:
        known = node.known(step) or step
        spelled.append(known)
        node = node.children[known]
    return tuple(spelled)


def align(node: Node, value: Any, way: Way, spellings: dict[Way, str]) -> Any:
    """The value with its keys in the plan's spelling; the same object where they are so already.

    `spellings` collects how the sender spelled what was changed, by the new place. A key that is right stays,
    and its twin, `CARDNAME` beside `cardName`, is left as it is: unplanned.
    """
    if node.each is not None and type(value) is list:
        items = [align(node.each, item, (*way, index), spellings) for index, item in enumerate(value)]
        return value if all(map(is_, items, value)) else items
    if not node.children or type(value) is not dict:
        return value
    aligned = value if value.keys() <= node.children.keys() else _renamed(node, value, way, spellings)
    for key in node.deep:
        if key in aligned:
            below = align(node.children[key], aligned[key], (*way, key), spellings)
            if below is not aligned[key]:
                aligned = {**aligned, key: below}
    return aligned


def _renamed(node: Node, value: dict[str, Any], way: Way, spellings: dict[Way, str]) -> dict[str, Any]:
    by_relaxed, children = node.by_relaxed, node.children
    if not [key for key in value if key not in children and relax(key) in by_relaxed]:
        return value
    aligned: dict[str, Any] = {}
    for key, item in value.items():
        known = node.known(key)
        if known is None or known == key or known in value or known in aligned:
            aligned[key] = item
        else:
            aligned[known] = item
            spellings[*way, known] = key
    return aligned if aligned.keys() != value.keys() else value
