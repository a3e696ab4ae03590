"""Why a payload fails its JSON Schema: the errors of jsonschema-rs as violations, of the branch that was
meant.
"""

from collections.abc import Iterator
from typing import Any, Final

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

from app.validation import document as documents
from app.validation import explain
from app.validation.branches import types
from app.validation.choice import Choice
from app.validation.engine import Schema
from app.validation.model import MOST_VIOLATIONS, Judgement, Violation, ViolationKind, conclude
from app.validation.near import near_names, slip_of
from app.validation.paths import format_path, join
from app.validation.preview import preview
from app.validation.probes import Probes
from app.validation.types import WORDS, one_of, word_for

Way = tuple[str | int, ...]
# So many branches are looked at to explain one event; the choices after that are only named.
MOST_BRANCHES: Final = 200
_UNEVALUATED: Final = (Kind.UnevaluatedProperties, Kind.UnevaluatedItems)


class Reasons:
    """Explains the failures of one event's schema."""

    def __init__(self, document: Schema, validator: jsonschema_rs.Validator) -> None:
        self._probes = Probes(document, validator)

    def explain(self, payload: dict[str, Any]) -> Judgement:
        """The judgement on a payload that is not valid. It always has at least one violation of severity
        error.
        """
        explanation = Explanation(self._probes, is_large=explain.is_large(payload))
        found = explanation.violations(self._probes.whole, payload, ())
        if not found:
            found = [Violation(ViolationKind.CONSTRAINT_BROKEN, "", constraint="schema")]
        return conclude(found, explanation.uncounted)


class Explanation:
    """One payload's explanation. `uncounted` errors were seen, but not explained: enough others were."""

    def __init__(self, probes: Probes, *, is_large: bool) -> None:
        self.probes = probes
        self.uncounted = 0
        self.branches_left = MOST_BRANCHES
        self._is_large = is_large

    def violations(
        self, validator: jsonschema_rs.Validator, value: Any, way: Way, depth: int = 0
    ) -> list[Violation]:
        """What keeps a value, which stands at `way` in the payload, from being valid."""
        found: dict[tuple[Any, ...], Violation] = {}
        for error in self.errors(validator, value):
            if len(found) >= MOST_VIOLATIONS:
                self.uncounted += 1
                continue
            for violation in self._of(error, value, way, depth):
                found.setdefault(_identity(violation), violation)
        # What is missing reads better before what is there under another name.
        return sorted(
            explain.without_echoes(list(found.values())),
            key=lambda v: v.kind is ViolationKind.UNPLANNED_PROPERTY,
        )

    def errors(self, validator: jsonschema_rs.Validator, value: Any) -> list[jsonschema_rs.ValidationError]:
        """All errors of a value; of a large payload the first."""
        if self._is_large:
            try:
                validator.validate(value)
            except jsonschema_rs.ValidationError as error:
                return [error]
            return []
        errors = list(validator.iter_errors(value))
        # What is unevaluated depends on which branches fit, and the explaining validator does not tell that
        # on: with a failed choice these errors are noise, without one the plain validator knows them exactly.
        if any(isinstance(error.kind, _UNEVALUATED) for error in errors):
            if any(isinstance(error.kind, Kind.Custom) for error in errors):
                return [error for error in errors if not isinstance(error.kind, _UNEVALUATED)]
            if validator is self.probes.whole:
                return list(self.probes.plain.iter_errors(value))
        return errors

    def _of(
        self, error: jsonschema_rs.ValidationError, root: Any, way: Way, depth: int
    ) -> Iterator[Violation]:
        kind = error.kind
        steps = error.instance_path
        value = root
        for step in steps:
            value = value[step]
        way = (*way, *steps) if steps else way
        match kind:
            case Kind.Required():
                yield self._missing(error, kind.property, value, way)
            case Kind.Type():
                yield explain.type_mismatch(kind.types, format_path(way), value)
            case Kind.AdditionalProperties() | Kind.UnevaluatedProperties():
                yield from self._unplanned(error, kind.unexpected, value, way)
            case Kind.FalseSchema():
                yield _forbidden(value, way)
            case Kind.PropertyNames():
                yield _misnamed(kind.error, way)
            case Kind.Custom():
                yield from Choice(self, kind.message, kind.keyword, way, depth).violations(value)
            case _:
                yield explain.constraint_broken(kind, format_path(way), value)

    def _missing(self, error: jsonschema_rs.ValidationError, name: str, parent: Any, way: Way) -> Violation:
        place = error.schema_path
        schema = documents.at(self.probes.document, place[:-1])
        declared = _properties(schema)
        expected = self._words(declared.get(name))
        path = join(format_path(way), name)
        if place and place[-1] in ("dependentRequired", "dependencies"):
            given = {"type": expected or "any", "with": _triggers(schema.get(place[-1]), name, parent)}
            return Violation(ViolationKind.CONDITION_BROKEN, path, given)
        near = slip_of(name, parent, declared)
        return Violation(ViolationKind.MISSING_PROPERTY, path, expected, suggestion=near)

    def _words(self, schema: Any) -> str | None:
        """The type that a property's schema asks for, in our words."""
        words = types(self.probes.document, schema)
        return one_of([WORDS.get(word, word) for word in sorted(words)]) if words else None

    def _unplanned(
        self, error: jsonschema_rs.ValidationError, keys: list[str], parent: Any, way: Way
    ) -> Iterator[Violation]:
        declared = _properties(documents.at(self.probes.document, error.schema_path[:-1]))
        path = format_path(way)
        for key in keys:
            near = near_names(tuple(declared)).nearest(key)
            yield Violation(
                ViolationKind.UNPLANNED_PROPERTY,
                join(path, key),
                None,
                word_for(parent.get(key)) if isinstance(parent, dict) else None,
                suggestion=near if near not in parent else None,
            )


def _properties(schema: Any) -> dict[str, Any]:
    declared = schema.get("properties") if isinstance(schema, dict) else None
    return declared if isinstance(declared, dict) else {}


def _triggers(dependencies: Any, name: str, parent: Any) -> list[str]:
    """The properties whose presence asks for `name`."""
    if not isinstance(dependencies, dict) or not isinstance(parent, dict):
        return []
    return [
        key
        for key, names in dependencies.items()
        if key in parent and isinstance(names, list) and name in names
    ]


def _forbidden(value: Any, way: Way) -> Violation:
    """A place that the schema closes with `false`: for a property that is "not in the plan"."""
    if way and isinstance(way[-1], str):
        return Violation(ViolationKind.UNPLANNED_PROPERTY, format_path(way), None, word_for(value))
    return Violation(
        ViolationKind.CONSTRAINT_BROKEN, format_path(way), None, word_for(value), constraint="forbidden"
    )


def _misnamed(error: Any, way: Way) -> Violation:
    """A key that breaks `propertyNames`: what is wrong with the name, at the key's own place."""
    key = str(error.instance)
    constraint, expected, _ = explain.broken(error.kind, key)
    if isinstance(error.kind, Kind.Custom):
        constraint, expected = "choice", None
    return Violation(
        ViolationKind.CONSTRAINT_BROKEN,
        join(format_path(way), key),
        {constraint: expected},
        preview(key),
        constraint="property_names",
    )


def _identity(violation: Violation) -> tuple[Any, ...]:
    """What two violations have in common that say the same: two parts of an `allOf` may both ask for a
    property.
    """
    if violation.kind is ViolationKind.MISSING_PROPERTY:
        return violation.kind, violation.path
    return violation.kind, violation.path, violation.constraint, str(violation.expected)
