"""What was read from a plan's file."""

from dataclasses import dataclass, field
from typing import Any

from app.plans.content import Content, count_rules, empty
from app.validation.problems import Problem


@dataclass(frozen=True, slots=True)
class Imported:
    """A file's plan. Nothing of it may be used while it has problems: all or nothing.

    warnings: what was understood otherwise than it may have been meant. loss: what the file says that no plan
    of ours holds, as JSON objects with `code`, `message`, and where.
    """

    content: Content = field(default_factory=empty)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    loss: list[dict[str, Any]] = field(default_factory=list)

    @property
    def events(self) -> int:
        """The number of events."""
        return len(self.content["events"])

    @property
    def rules(self) -> int:
        """The number of rules; a schema counts with the properties that it declares."""
        return count_rules(self.content)
