"""Why a payload fails its JSON Schema: the errors of jsonschema-rs as violations, of the branch that was
meant.
"""

from collections.abc import Callable
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
Error = jsonschema_rs.ValidationError
_DEPENDENCIES: Final = ("dependentRequired", "dependencies")
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
        explanation = Explanation(self._probes, is_large=explain.is_large(payload, self._probes.widest))
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
        # The choices being explained, by place in the schema and in the payload: one that leads back to
        # itself at the same place of the payload can never be decided.
        self.open_choices: set[tuple[str, str, Way]] = set()
        self._is_large = is_large

    def violations(
        self, validator: jsonschema_rs.Validator, value: Any, way: Way, depth: int = 0
    ) -> list[Violation]:
        """What keeps a value, which stands at `way` in the payload, from being valid."""
        errors = self.errors(validator, value)
        if len(errors) == 1:
            return self._of(errors[0], value, way, depth)
        found: list[Violation] = []
        for error in errors:
            if len(found) >= MOST_VIOLATIONS:
                self.uncounted += 1
                continue
            found += self._of(error, value, way, depth)
        return _in_order(_distinct(found) if self.probes.can_repeat else found)

    def errors(self, validator: jsonschema_rs.Validator, value: Any) -> list[Error]:
        """All errors of a value; of a large payload the first."""
        if self._is_large:
            try:
                validator.validate(value)
            except jsonschema_rs.ValidationError as error:
                return [error]
            return []
        errors = list(validator.iter_errors(value))
        return self._without_guesses(errors, validator, value) if self.probes.has_unevaluated else errors

    def _without_guesses(
        self, errors: list[Error], validator: jsonschema_rs.Validator, value: Any
    ) -> list[Error]:
        """Without wrong errors about what is unevaluated.

        That depends on which branches fit, and the explaining validator does not pass it on: with a failed
        choice these errors are noise, without one the plain validator knows them exactly.
        """
        if not any(isinstance(error.kind, _UNEVALUATED) for error in errors):
            return errors
        if any(isinstance(error.kind, Kind.Custom) for error in errors):
            return [error for error in errors if not isinstance(error.kind, _UNEVALUATED)]
        return list(self.probes.plain.iter_errors(value)) if validator is self.probes.whole else errors

    def _of(self, error: Error, root: Any, way: Way, depth: int) -> list[Violation]:
        steps = error.instance_path
        value = root
        for step in steps:
            value = value[step]
        way = (*way, *steps)
        kind = error.kind
        tell = _TELL.get(type(kind))
        if tell is not None:
            return tell(self, error, kind, value, way)
        if isinstance(kind, Kind.Custom):
            return Choice(self, kind.message, kind.keyword, way, depth).violations(value)
        return [explain.constraint_broken(kind, format_path(way), value)]

    def _mistyped(self, error: Error, kind: Kind.Type, value: Any, way: Way) -> list[Violation]:
        return [explain.type_mismatch(tuple(kind.types), format_path(way), value)]

    def _missing(self, error: Error, kind: Kind.Required, parent: Any, way: Way) -> list[Violation]:
        place, name = tuple(error.schema_path), kind.property
        expected, declared = self.probes.described.get((place, name)) or self._describe(place, name)
        path = join(format_path(way), name)
        if place and place[-1] in _DEPENDENCIES:
            dependencies = documents.at(self.probes.document, place)
            given = {"type": expected or "any", "with": _triggers(dependencies, name, parent)}
            return [Violation(ViolationKind.CONDITION_BROKEN, path, given)]
        near = slip_of(name, parent, declared)
        return [Violation(ViolationKind.MISSING_PROPERTY, path, expected, suggestion=near)]

    def _describe(self, place: tuple[str | int, ...], name: str) -> tuple[str | None, dict[str, Any]]:
        """The type of a property in our words, and the properties declared beside it; remembered."""
        declared = _properties(documents.at(self.probes.document, place[:-1]))
        words = types(self.probes.document, declared.get(name))
        expected = one_of([WORDS.get(word, word) for word in sorted(words)]) if words else None
        return self.probes.described.setdefault((place, name), (expected, declared))

    def _unplanned(
        self, error: Error, kind: Kind.AdditionalProperties, parent: Any, way: Way
    ) -> list[Violation]:
        declared = _properties(documents.at(self.probes.document, error.schema_path[:-1]))
        names, path = near_names(tuple(declared)), format_path(way)
        return [
            Violation(
                ViolationKind.UNPLANNED_PROPERTY,
                join(path, key),
                None,
                word_for(parent[key]),
                suggestion=near if (near := names.nearest(key)) not in parent else None,
            )
            for key in kind.unexpected
        ]

    def _forbidden(self, error: Error, kind: Kind.FalseSchema, value: Any, way: Way) -> list[Violation]:
        """A place that the schema closes with `false`: for a property that is "not in the plan"."""
        path, received = format_path(way), word_for(value)
        if way and isinstance(way[-1], str):
            return [Violation(ViolationKind.UNPLANNED_PROPERTY, path, None, received)]
        return [Violation(ViolationKind.CONSTRAINT_BROKEN, path, None, received, constraint="forbidden")]

    def _misnamed(self, error: Error, kind: Kind.PropertyNames, value: Any, way: Way) -> list[Violation]:
        """A key that breaks `propertyNames`: what is wrong with the name, at the key's own place."""
        reason, key = kind.error.kind, str(kind.error.instance)
        is_choice = isinstance(reason, Kind.Custom)
        constraint, expected = ("choice", None) if is_choice else explain.broken(reason, key)[:2]
        broken = ViolationKind.CONSTRAINT_BROKEN
        path = join(format_path(way), key)
        return [Violation(broken, path, {constraint: expected}, preview(key), constraint="property_names")]


_TELL: Final[dict[type, Callable[..., list[Violation]]]] = {
    Kind.Type: Explanation._mistyped,
    Kind.Required: Explanation._missing,
    Kind.AdditionalProperties: Explanation._unplanned,
    Kind.UnevaluatedProperties: Explanation._unplanned,
    Kind.FalseSchema: Explanation._forbidden,
    Kind.PropertyNames: Explanation._misnamed,
}


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


def _identity(violation: Violation) -> tuple[Any, ...]:
    """What two violations have in common that say the same: two parts of an `allOf` may both ask for a
    property.
    """
    if violation.kind is ViolationKind.MISSING_PROPERTY:
        return violation.kind, violation.path
    return violation.kind, violation.path, violation.constraint, str(violation.expected)


def _distinct(found: list[Violation]) -> list[Violation]:
    return list({_identity(violation): violation for violation in reversed(found)}.values())[::-1]


def _in_order(found: list[Violation]) -> list[Violation]:
    """What is unplanned comes last: a property that is missing reads better before the one that is there
    instead.
    """
    found = explain.without_echoes(found)
    unplanned = [violation for violation in found if violation.kind is ViolationKind.UNPLANNED_PROPERTY]
    if not unplanned:
        return found
    return [
        violation for violation in found if violation.kind is not ViolationKind.UNPLANNED_PROPERTY
    ] + unplanned
