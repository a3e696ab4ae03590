"""Validators for the parts of one event's schema: what explaining a failure asks of it beyond yes and no.

jsonschema-rs lists the errors of every branch of a failed `oneOf` or `anyOf`, and of every choice within
them: the list can grow with the power of the nesting. So explaining uses a second validator in which these
two keywords only report that they failed and where; the branch that was meant is then asked alone.
"""

from typing import Any, Final
from urllib.parse import quote, urldefrag, urljoin

import jsonschema_rs

from app.validation.branches import CHOICES
from app.validation.document import containers
from app.validation.engine import Schema, validator_for
from app.validation.explain import widest

# Where the copy of the schema notes a choice's own place, as a JSON pointer.
MARK: Final = "x-live-validation-place"
# Never asked for: it only gives the document's parts an address.
BASE: Final = "https://plan.invalid/event"
_UNEVALUATED: Final = ("unevaluatedProperties", "unevaluatedItems")
# With these, two parts of a schema can say the same of one place.
_COMBINING: Final = (
    *("allOf", "oneOf", "anyOf", "if", "dependentSchemas", "dependencies", "patternProperties"),
    *("$ref", "$dynamicRef", "$recursiveRef"),
)
# Lists of values are data, not schemas.
_DATA: Final = ("enum", "examples")


class Branches:
    """The branches of the choices in one document, each as a validator, compiled when first asked.

    `keywords` is what the document's validators are compiled with beyond the usual.
    """

    def __init__(self, document: Schema, keywords: dict[str, type] | None = None) -> None:
        self._options: dict[str, Any] = {"keywords": keywords} if keywords else {}
        self._dialect = document.get("$schema") if isinstance(document, dict) else None
        identifier = document.get("$id", document.get("id")) if isinstance(document, dict) else None
        self._base = urldefrag(urljoin(BASE, identifier))[0] if isinstance(identifier, str) else BASE
        self._registry = jsonschema_rs.Registry([(self._base, document)])
        self._validators: dict[tuple[str, str, int], jsonschema_rs.Validator] = {}

    def validator(self, place: str, keyword: str, position: int) -> jsonschema_rs.Validator:
        """The validator of one branch. Raises ValueError where it cannot be compiled on its own."""
        key = (place, keyword, position)
        if (known := self._validators.get(key)) is not None:
            return known
        pointer = quote(f"{place}/{keyword}/{position}", safe="/~")
        schema: dict[str, Any] = {"$ref": f"{self._base}#{pointer}"}
        if self._dialect is not None:
            schema["$schema"] = self._dialect
        made = validator_for(schema, registry=self._registry, **self._options)
        return self._validators.setdefault(key, made)


class Probes:
    """Everything that can be asked of a schema to explain why a payload failed it."""

    def __init__(self, document: Schema, validator: jsonschema_rs.Validator) -> None:
        self.document = document
        self.plain = validator
        # What was once looked up of a property: its type in words, and the properties declared beside it.
        self.described: dict[tuple[tuple[str | int, ...], str], tuple[str | None, dict[str, Any]]] = {}
        self.widest = widest(document)
        self.choices: dict[str, dict[str, Any]] = {}
        marked = _marked(document, "", self.choices)
        keywords = {key for part in containers(document) if isinstance(part, dict) for key in part}
        self.has_unevaluated = not keywords.isdisjoint(_UNEVALUATED)
        self.can_repeat = not keywords.isdisjoint(_COMBINING)
        self._branches = Branches(document)
        reporters = {keyword: _reporter(keyword, self._branches) for keyword in CHOICES}
        self.whole = validator_for(marked, keywords=reporters) if self.choices else validator
        self._explaining = Branches(marked, reporters)

    def fits(self, place: str, keyword: str, position: int, value: Any) -> bool:
        """Whether a value is valid by one branch. Raises ValueError where that cannot be asked."""
        return self._branches.validator(place, keyword, position).is_valid(value)

    def branch(self, place: str, keyword: str, position: int) -> jsonschema_rs.Validator:
        """The explaining validator of one branch. Raises ValueError where it cannot be compiled."""
        return self._explaining.validator(place, keyword, position)


def _marked(schema: Any, place: str, choices: dict[str, dict[str, Any]]) -> Any:
    """A copy in which every object with a choice knows its place; `choices` collects them by place."""
    if isinstance(schema, list):
        return [_marked(item, f"{place}/{index}", choices) for index, item in enumerate(schema)]
    if not isinstance(schema, dict):
        return schema
    copy = {
        key: value
        if key in _DATA and isinstance(value, list)
        else _marked(value, f"{place}/{key.replace('~', '~0').replace('/', '~1')}", choices)
        for key, value in schema.items()
    }
    if any(isinstance(schema.get(keyword), list) for keyword in CHOICES):
        copy[MARK] = place
        choices[place] = schema
    return copy


def _reporter(keyword: str, branches: Branches) -> type:
    """A keyword class that fails, naming its place, where the original keyword would fail.

    It knows the plain validators only: one that knew the explaining ones would be part of a cycle through
    Rust, which Python could never free.
    """

    class Reporter:
        def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]) -> None:
            self._place = parent_schema.get(MARK)
            self._count = len(value) if isinstance(value, list) else 0

        def validate(self, instance: Any) -> None:
            if self._place is None:
                return
            fitting = (
                branches.validator(self._place, keyword, i).is_valid(instance) for i in range(self._count)
            )
            if not (any(fitting) if keyword == "anyOf" else sum(fitting) == 1):
                raise ValueError(self._place)

    return Reporter
