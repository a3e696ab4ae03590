"""Judging an event by its JSON Schema: jsonschema-rs says whether, the errors it finds say why."""

from typing import Any, Final

import jsonschema_rs

from app.validation import document
from app.validation.engine import Schema, validator_for
from app.validation.model import VALID, Judgement
from app.validation.problems import PlanInvalid, Problem
from app.validation.reasons import Reasons


class SchemaEvent:
    """An event that a JSON Schema describes. Compiled when first judged, its reasons when it first fails."""

    has_rules: Final = False

    def __init__(
        self, name: str, schema: Schema, dialect: str | None, definitions: dict[str, dict[str, Any]]
    ) -> None:
        self.name = name
        self._schema = schema
        self._dialect = dialect
        self._definitions = definitions
        self._validator: jsonschema_rs.Validator | None = None
        self._reasons: Reasons | None = None

    @property
    def document(self) -> Schema:
        """The event's schema with the definitions that it uses."""
        return document.build(self._schema, self._dialect, self._definitions)

    @property
    def is_ready(self) -> bool:
        """Was it compiled?"""
        return self._validator is not None

    def prepare(self) -> None:
        """Compile it now rather than with the first event to judge. Raises PlanInvalid."""
        if self._validator is None:
            self._compile()

    def is_same_as(self, other: object) -> bool:
        """Does the other one say the same of an event of the same name?"""
        return isinstance(other, SchemaEvent) and (
            (self.name, self._schema, self._dialect, self._definitions)
            == (other.name, other._schema, other._dialect, other._definitions)
        )

    def problems(self) -> list[Problem]:
        """Why the schema cannot be used; empty where it can."""
        return document.problems(self.document)

    def judge(self, payload: dict[str, Any]) -> Judgement:
        """The verdict on a payload: invalid exactly where jsonschema-rs says so, and then with a reason.

        Raises ValueError for a payload that is not JSON.
        """
        if self._validator is None:
            self._compile()
        assert self._validator is not None
        if self._validator.is_valid(payload):
            return VALID
        if self._reasons is None:
            self._reasons = Reasons(self.document, self._validator)
        return self._reasons.explain(payload)

    def _compile(self) -> None:
        try:
            self._validator = validator_for(self.document)
        except ValueError as error:
            raise PlanInvalid([Problem("bad_schema", f"The schema cannot be compiled: {error}")]) from error
