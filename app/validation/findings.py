"""What the errors of a rules' schema say of one payload, told by the rules that they break."""

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

from app.validation import explain
from app.validation.conditions import Condition
from app.validation.formats import BY_PATTERN
from app.validation.model import Severity, Violation, ViolationKind
from app.validation.near import near_names, slip_of
from app.validation.paths import format_path, join
from app.validation.preview import preview
from app.validation.tree import Node
from app.validation.types import DATES, WORDS, Type, looks_like_a_date, word_for, word_for_date

Way = tuple[str | int, ...]
# Behind every rule: conditions, and then what no rule is about.
_CONDITIONS: Final = 1_000_000
_UNPLANNED: Final = 1_000_001
_NOTHING: Final = object()
# Looked up once: a member of an enum, or of a class of Rust's, costs as much as a violation.
_TYPE, _PATTERN, _RANGE = Kind.Type, Kind.Pattern, (Kind.Minimum, Kind.Maximum)
_MISSING: Final = ViolationKind.MISSING_PROPERTY
_EMPTY: Final = ViolationKind.EMPTY_VALUE
_BROKEN: Final = ViolationKind.CONSTRAINT_BROKEN
_SURPLUS: Final = ViolationKind.UNPLANNED_PROPERTY
# In place of a private property's value, where a condition would tell it.
_PRIVATE: Final = "(private)"


class Findings:
    """The violations of one payload, gathered error by error.

    unplanned: the severity of what no rule is about; None where that is allowed.
    payload: with its keys in the plan's spelling; `spellings` says how the sender wrote those that were
    changed.
    """

    __slots__ = (
        "_conditions",
        "_found",
        "_payload",
        "_root",
        "_settled",
        "_spellings",
        "_taken",
        "_unplanned",
    )

    def __init__(
        self,
        root: Node,
        conditions: list[Condition],
        unplanned: Severity | None,
        payload: dict[str, Any],
        spellings: dict[Way, str],
    ) -> None:
        self._root = root
        self._conditions = conditions
        self._unplanned = unplanned
        self._payload = payload
        self._spellings = spellings
        self._found: list[tuple[int, Violation]] = []
        self._taken: list[Violation] = []
        self._settled: set[object] = set()  # places and conditions about which all is said

    def in_order(self) -> list[Violation]:
        """The violations in the order of the rules; what no rule is about comes last."""
        if len(self._found) == 1:
            return [self._found[0][1], *self._taken]
        self._found.sort(key=itemgetter(0))
        return explain.without_echoes([violation for _, violation in self._found]) + self._taken

    def add(self, error: jsonschema_rs.ValidationError) -> None:
        """Take in one error of the rules' validator."""
        if self._conditions:
            place = error.schema_path
            if place and place[0] == "allOf":  # at the top, only conditions stand there
                self._add_condition(int(place[1]))
                return
        way = tuple(error.instance_path)
        node: Node = self._root
        value: Any = self._payload
        for step in way:
            node = node.children[step] if type(step) is str else node.each  # type: ignore[assignment]
            value = value[step]
        kind = error.kind
        told = type(kind)
        if told in _ADD:
            _ADD[told](self, kind, node, way, value)
        elif not self._settled or way not in self._settled:
            self._add_wrong(kind, told, node, way, value)

    def add_taken(self, node: Node, way: Way, text: str) -> None:
        """Take in that a text was taken for what the rule wants, as a lenient plan does."""
        mismatch = _mistyped(node, self._path(way), text)
        weighed = mismatch._replace(severity=Severity.INFO)
        self._taken.append(_hidden(weighed) if node.is_private else weighed)

    def _path(self, way: Way) -> str:
        """The place as the sender spelled it."""
        if not self._spellings:
            return _written(way)
        return format_path([self._spellings.get(way[: i + 1]) or step for i, step in enumerate(way)])

    def _add_required(self, kind: Kind.Required, node: Node, way: Way, parent: dict[str, Any]) -> None:
        name = kind.property
        near = slip_of(name, parent, node.children)
        self._add_missing(node.children[name], (*way, name), near)

    def _add_missing(self, node: Node, way: Way, near: str | None = None) -> None:
        if (
            node.rule is None and node.each is None
        ):  # an object without a rule: its own properties are missing
            for key, child in node.children.items():
                if child.is_needed:
                    self._add_missing(child, (*way, key))
            return
        missing = Violation(_MISSING, self._path(way), node.word, None, node.severity, None, near)
        self._found.append((node.order, missing))

    def _add_unplanned(
        self, kind: Kind.AdditionalProperties, node: Node, way: Way, parent: dict[str, Any]
    ) -> None:
        if self._unplanned is None:
            return
        path = self._path(way)
        names = near_names(node.names)
        for key in kind.unexpected:
            near = names.nearest(key)
            violation = Violation(
                _SURPLUS,
                join(path, key),
                None,
                word_for(parent[key]),
                self._unplanned,
                None,
                near if near not in parent else None,
            )
            self._found.append((_UNPLANNED, violation))

    def _add_wrong(self, kind: Any, told: type, node: Node, way: Way, value: Any) -> None:
        path = self._path(way) if self._spellings else _written(way)
        severity = node.severity
        is_blank = type(value) is str and not value.strip()
        if value is None or (is_blank and _may_not_be_blank(kind, node)):
            received = "null" if value is None else preview(value)
            violation = Violation(_EMPTY, path, node.word, received, severity)
        elif told is _TYPE and not node.is_date:
            violation = explain.type_mismatch(node.accepted, path, value, severity)
        elif told is _TYPE or (told is _PATTERN and node.is_date):
            violation = _mistyped(node, path, value)
        elif told in _RANGE and node.rule is not None and node.rule.epoch is not None:
            violation = _no_format(f"epoch {node.rule.epoch}", path, value, severity)
        elif told is _PATTERN and (name := BY_PATTERN.get(kind.pattern)) is not None:
            violation = _no_format(name, path, value, severity)
        else:
            violation = _weighed(explain.constraint_broken(kind, path, value), severity)
        if violation.kind is not _BROKEN:
            self._settled.add(way)
        self._found.append((node.order, _hidden(violation) if node.is_private else violation))

    def _add_condition(self, position: int) -> None:
        if position in self._settled:
            return
        self._settled.add(position)
        condition = self._conditions[position]
        way, node, value = self._follow(condition.then_steps)
        expected: dict[str, Any] = (
            {"forbidden": True} if condition.forbidden else {"type": condition.type.value}
        )
        if condition.constraints:
            expected["constraints"] = {name: preview(limit) for name, limit in condition.constraints.items()}
        expected |= self._premise(condition)
        received = None if value is _NOTHING else word_for(value)
        is_blank = isinstance(value, str) and not value.strip()
        if is_blank or (condition.constraints and received in _words_of(condition.type)):
            received = preview(value)
        violation = Violation(
            ViolationKind.CONDITION_BROKEN, self._path(way), expected, received, condition.severity
        )
        is_private = node.is_private and value is not _NOTHING
        self._found.append((_CONDITIONS, _hidden(violation) if is_private else violation))

    def _premise(self, condition: Condition) -> dict[str, Any]:
        """The premise, for an explanation: `when` with the value or values, or `present` or `absent`."""
        if condition.premise == "present":
            return {"present" if condition.value else "absent": condition.if_path}
        _, node, _ = self._follow(condition.if_steps)
        return {"when": {condition.if_path: _PRIVATE if node.is_private else preview(condition.value)}}

    def _follow(self, steps: tuple[str, ...]) -> tuple[Way, Node, Any]:
        """Where these steps of a condition lead in the payload and in the plan, and what stands there."""
        way: list[str | int] = []
        node, value = self._root, self._payload
        for step in steps:
            known = node.known(step) or step
            node = node.children[known]
            way.append(known)
            value = value.get(known, _NOTHING) if isinstance(value, dict) else _NOTHING
        return tuple(way), node, value


_ADD: Final[dict[type, Callable[..., None]]] = {
    Kind.Required: Findings._add_required,
    Kind.AdditionalProperties: Findings._add_unplanned,
}


@lru_cache(maxsize=4096)
def _written(way: Way) -> str:
    return format_path(way)


def _may_not_be_blank(kind: Any, node: Node) -> bool:
    """Whether blank text is nothing here: where text is required, or something else than text is wanted."""
    if node.type is Type.TEXT:
        return node.rule is not None and node.rule.required and not node.rule.blank
    return type(kind) is _TYPE or type(kind) is _PATTERN


def _mistyped(node: Node, path: str, value: Any) -> Violation:
    severity = node.severity
    if not node.is_date or not isinstance(value, str):
        return explain.type_mismatch(node.accepted, path, value, severity)
    received = word_for_date(value)
    if received == "text" and looks_like_a_date(value):
        # Somebody meant a date: what is wrong is how it is written, or that no calendar has it.
        return _no_format(node.word, path, value, severity)
    return Violation(ViolationKind.TYPE_MISMATCH, path, node.word, received, severity)


def _no_format(name: str, path: str, value: Any, severity: Severity) -> Violation:
    return Violation(_BROKEN, path, name, preview(value), severity, constraint="format")


def _words_of(kind: Type) -> tuple[str, ...]:
    """The words of the values that have this type."""
    if kind is Type.ANY:
        return tuple(WORDS.values())
    if kind in DATES:
        return ("text",)
    return ("number", "integer") if kind in (Type.NUMBER, Type.INTEGER) else (kind.value,)


def _hidden(violation: Violation) -> Violation:
    """The violation without the value of a private property; the type of a mistyped one may be known."""
    is_type = violation.kind is ViolationKind.TYPE_MISMATCH or violation.received == "null"
    received = violation.received if is_type else None
    return violation._replace(received=received, suggestion=None, is_private=True)


def _weighed(violation: Violation, severity: Severity) -> Violation:
    return violation if violation.severity is severity else violation._replace(severity=severity)
