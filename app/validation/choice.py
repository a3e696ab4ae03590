"""A failed `oneOf` or `anyOf`, explained by the branch that was meant."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

from app.validation import explain
from app.validation.branches import (
    Tags,
    admits,
    declared,
    discriminators,
    is_among,
    name_of,
    required,
    tags,
    types,
)
from app.validation.model import Violation, ViolationKind
from app.validation.paths import format_path, join
from app.validation.preview import preview, preview_options
from app.validation.types import WORDS, one_of, word_for

if TYPE_CHECKING:
    from app.validation.reasons import Explanation

MOST_CHOICES_DEEP: Final = 16
# Closeness is measured on this many branches; with more candidates the first are as good a guess as any.
MOST_CANDIDATES: Final = 24
Errors = list[jsonschema_rs.ValidationError]


class Choice:
    """One choice at one place of a payload, of which no branch fits, or of a `oneOf` several."""

    def __init__(
        self, explanation: "Explanation", place: str, keyword: str, way: tuple[str | int, ...], depth: int
    ) -> None:
        self._explanation = explanation
        self._probes = explanation.probes
        self._document = explanation.probes.document
        self._place = place
        self._keyword = keyword
        self._way = way
        self._path = format_path(way)
        self._depth = depth
        self._branches: list[Any] = self._probes.choices[place][keyword]

    def violations(self, value: Any) -> list[Violation]:
        """What to change for the branch that was meant; never empty."""
        known = (self._place, self._keyword, self._way)
        is_endless = known in self._explanation.open_choices
        if is_endless or self._depth >= MOST_CHOICES_DEEP or self._explanation.branches_left <= 0:
            return [self._unclear(value)]
        self._explanation.open_choices.add(known)
        try:
            return self._several(value) or self._meant(value) or [self._unclear(value)]
        except ValueError:  # a branch that cannot be asked on its own
            return [self._unclear(value)]
        finally:
            self._explanation.open_choices.discard(known)

    def _several(self, value: Any) -> list[Violation]:
        """Where a value fits more than one branch of a `oneOf`."""
        if self._keyword != "oneOf":
            return []
        count = range(len(self._branches))
        fitting = [i for i in count if self._probes.fits(self._place, self._keyword, i, value)]
        if not fitting:
            return []
        return [self._broken("one_of", "exactly one", preview_options(self._names(fitting)))]

    def _meant(self, value: Any) -> list[Violation]:
        candidates = list(range(len(self._branches)))
        admitting = [i for i in candidates if admits(types(self._document, self._branches[i]), value)]
        if not admitting:
            return [self._mistyped(candidates, value)]
        candidates = admitting
        if isinstance(value, dict):
            candidates, told = self._discriminate(candidates, value)
            if told:
                return told
        return self._closest(candidates, value)

    def _mistyped(self, candidates: list[int], value: Any) -> Violation:
        words = [word for i in candidates for word in sorted(types(self._document, self._branches[i]) or ())]
        return explain.type_mismatch(tuple(dict.fromkeys(words)), self._path, value)

    def _discriminate(
        self, candidates: list[int], value: dict[str, Any]
    ) -> tuple[list[int], list[Violation]]:
        """The candidates whose fixed values the event has; or what is wrong with the property that tells them
        apart.
        """
        fixed = {i: tags(self._document, self._branches[i]) for i in candidates}
        for name in discriminators([fixed[i] for i in candidates]):
            if len(candidates) == 1:
                break
            tagged = [i for i in candidates if name in fixed[i]]
            if name in value:
                matching = [i for i in tagged if is_among(value[name], fixed[i][name])]
                untagged = [i for i in candidates if name not in fixed[i]]
                if not matching and not untagged:
                    return candidates, [self._outside(name, value[name], [fixed[i] for i in tagged])]
                candidates = matching or untagged
            elif len(tagged) == len(candidates) and all(self._requires(i, name) for i in candidates):
                return candidates, [self._undecided(name, [fixed[i] for i in tagged])]
        return candidates, []

    def _requires(self, position: int, name: str) -> bool:
        return name in required(self._document, self._branches[position])

    def _outside(self, name: str, value: Any, fixed: Iterable[Tags]) -> Violation:
        """The event's discriminator names no branch."""
        options = _union(name, fixed)
        near = explain.nearest_option(options, value) if isinstance(value, str) else None
        return Violation(
            ViolationKind.CONSTRAINT_BROKEN,
            join(self._path, name),
            preview_options(options),
            preview(value),
            constraint="enum",
            suggestion=near,
        )

    def _undecided(self, name: str, fixed: Iterable[Tags]) -> Violation:
        """The event lacks the property that tells the branches apart."""
        expected = preview_options(_union(name, fixed))
        return Violation(ViolationKind.MISSING_PROPERTY, join(self._path, name), expected)

    def _closest(self, candidates: list[int], value: Any) -> list[Violation]:
        """The violations of the branch with the fewest and deepest errors; of several equals, all in one."""
        if len(candidates) == 1:
            self._explanation.branches_left -= 1
            return self._of_branch(candidates[0], value)
        errors = {i: self._errors(i, value) for i in candidates[:MOST_CANDIDATES]}
        scores = {i: self._distance(i, found, value) for i, found in errors.items()}
        best = min(scores.values())
        equals = [i for i, score in scores.items() if score == best]
        together = self._together([errors[i] for i in equals], value) if len(equals) > 1 else None
        return [together] if together else self._of_branch(equals[0], value)

    def _distance(self, position: int, errors: Errors, value: Any) -> tuple[int, int, int, int]:
        """How far a value is from a branch: a wrong type at the top weighs most, then many errors, then
        shallow ones.

        A property that the branch does not know counts as an error even where it is allowed.
        """
        at_top = sum(1 for error in errors if not error.instance_path and isinstance(error.kind, Kind.Type))
        count = sum(1 for error in errors if not isinstance(error.kind, Kind.AdditionalProperties))
        known = 0
        if isinstance(value, dict):
            known = len(value.keys() & declared(self._document, self._branches[position]))
            count += len(value) - known
        return at_top, count, -known, -sum(len(error.instance_path) for error in errors)

    def _errors(self, position: int, value: Any) -> Errors:
        self._explanation.branches_left -= 1
        return self._explanation.errors(self._probes.branch(self._place, self._keyword, position), value)

    def _of_branch(self, position: int, value: Any) -> list[Violation]:
        validator = self._probes.branch(self._place, self._keyword, position)
        return self._explanation.violations(validator, value, self._way, self._depth + 1)

    def _together(self, branches: list[Errors], value: Any) -> Violation | None:
        """One violation for branches that each fail by one error at the same place: what any of them would
        accept.
        """
        if any(len(errors) != 1 for errors in branches):
            return None
        first = branches[0][0]
        steps = first.instance_path
        kinds = [errors[0].kind for errors in branches]
        if any(errors[0].instance_path != steps for errors in branches):
            return None
        for step in steps:
            value = value[step]
        path = format_path((*self._way, *steps))
        mistyped = [kind.types for kind in kinds if isinstance(kind, Kind.Type)]
        if len(mistyped) == len(kinds):
            return explain.type_mismatch(tuple(word for words in mistyped for word in words), path, value)
        missing = [kind.property for kind in kinds if isinstance(kind, Kind.Required)]
        if len(missing) == len(kinds):
            names = list(dict.fromkeys(missing))
            return self._either(names, path) if len(names) > 1 else None
        if any(isinstance(kind, (Kind.Custom, Kind.Required, Kind.AdditionalProperties)) for kind in kinds):
            return None
        return self._any_of(kinds, path, value)

    def _either(self, names: list[str], path: str) -> Violation:
        constraint = "one_of_properties" if self._keyword == "oneOf" else "any_of_properties"
        return Violation(ViolationKind.CONSTRAINT_BROKEN, path, names, None, constraint=constraint)

    def _any_of(self, kinds: list[Any], path: str, value: Any) -> Violation | None:
        if all(isinstance(kind, (Kind.Enum, Kind.Constant)) for kind in kinds):
            lists = [kind.options if isinstance(kind, Kind.Enum) else [kind.expected_value] for kind in kinds]
            return self._outside_of(_distinct(option for options in lists for option in options), path, value)
        wanted = []
        for kind in kinds:
            if isinstance(kind, Kind.Type):
                wanted.append({"type": one_of([WORDS.get(word, word) for word in kind.types])})
            else:
                constraint, expected, _ = explain.broken(kind, value)
                wanted.append({constraint: expected})
        wanted = _distinct(wanted)
        if len(wanted) == 1:
            return None
        expected = preview_options(wanted)
        return Violation(ViolationKind.CONSTRAINT_BROKEN, path, expected, preview(value), constraint="any_of")

    def _outside_of(self, options: list[Any], path: str, value: Any) -> Violation:
        near = explain.nearest_option(options, value) if isinstance(value, str) else None
        return Violation(
            ViolationKind.CONSTRAINT_BROKEN,
            path,
            preview_options(options),
            preview(value),
            constraint="enum",
            suggestion=near,
        )

    def _names(self, positions: Iterable[int]) -> list[str]:
        return [name_of(self._branches[i], i) for i in positions]

    def _unclear(self, value: Any) -> Violation:
        names = preview_options(self._names(range(len(self._branches))))
        return self._broken("one_of" if self._keyword == "oneOf" else "any_of", names, word_for(value))

    def _broken(self, constraint: str, expected: Any, received: Any) -> Violation:
        return Violation(
            ViolationKind.CONSTRAINT_BROKEN, self._path, expected, received, constraint=constraint
        )


def _union(name: str, fixed: Iterable[Tags]) -> list[Any]:
    return _distinct(value for values in fixed for value in values.get(name, ()))


def _distinct(values: Iterable[Any]) -> list[Any]:
    distinct: list[Any] = []
    for value in values:
        if len(distinct) < explain.MOST_OPTIONS and not is_among(value, distinct):
            distinct.append(value)
    return distinct
