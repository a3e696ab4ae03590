"""What can be wrong with a plan: problems with stable codes, each at its place."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a plan cannot be used.

    event, rule: the event's name and the rule's position in it, from 0. path: where in the event's
    definition: a rule's own path, or a JSON pointer into a schema. line: of the imported file, from 1.
    """

    code: str
    message: str
    event: str | None = None
    rule: int | None = None
    path: str | None = None
    line: int | None = None

    def at(self, **place: Any) -> "Problem":
        """The same problem with its place told more exactly."""
        return replace(self, **place)

    def as_json(self) -> dict[str, Any]:
        """The contract's shape: code and message, with `line` or `path` where they are known."""
        shape: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.line is not None:
            shape["line"] = self.line
        place = self.path if self.event is None else f"{self.event}: {self.path}" if self.path else self.event
        if place:
            shape["path"] = place
        return shape


class PlanInvalid(Exception):  # noqa: N818 (it says what the plan is)
    """A plan that cannot be used; `problems` says why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems[:3]))
        self.problems = problems
