"""What a plan says of all its events, where it cannot be told in one piece with what it says of one.

Common rules become part of an event's own rules. Where one of the two is a JSON Schema, a payload is asked
both, one after the other: the schema stays what its author wrote, and its verdict that of jsonschema-rs.
"""

from typing import Any

from app.validation.by_rules import RulesEvent
from app.validation.by_schema import SchemaEvent
from app.validation.model import Judgement, conclude
from app.validation.options import ALLOWED
from app.validation.problems import Problem


class Both:
    """An event that must fit its own description and the common one."""

    def __init__(self, own: RulesEvent | SchemaEvent, common: RulesEvent | SchemaEvent) -> None:
        self.name = own.name
        self.has_rules = own.has_rules
        self.own = own
        self.common = common

    @property
    def is_ready(self) -> bool:
        """Were both compiled?"""
        return self.own.is_ready and self.common.is_ready

    def prepare(self) -> None:
        """Compile both now rather than with the first event to judge. Raises PlanInvalid."""
        self.own.prepare()
        self.common.prepare()

    def is_same_as(self, other: object) -> bool:
        """Does the other one say the same of an event of the same name?"""
        return (
            isinstance(other, Both)
            and self.own.is_same_as(other.own)
            and self.common.is_same_as(other.common)
        )

    def problems(self) -> list[Problem]:
        """Why the event's own description cannot be used; the common one's problems are told elsewhere."""
        return self.own.problems()

    def judge(self, payload: dict[str, Any]) -> Judgement:
        """The verdict on a payload. Raises ValueError for a payload that is not JSON."""
        judgements = [self.own.judge(payload), self.common.judge(payload)]
        violations = [violation for judgement in judgements for violation in judgement.violations]
        return conclude(violations, sum(judgement.omitted for judgement in judgements))


def without_bounds(common: dict[str, Any]) -> dict[str, Any]:
    """The common rules for events that a schema describes: properties without a rule are the schema's affair."""
    return common if "schema" in common else {**common, "unplanned_properties": ALLOWED}
