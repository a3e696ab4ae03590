"""How a plan judges beyond its rules: how names are compared, whether text may stand for a number, what is
unplanned.

In a plan's content, every member optional, the defaults first:

    "matching": {"events": "relaxed" | "exact", "properties": "relaxed" | "exact"}
    "judging": {"types": "strict" | "lenient",
                "unplanned_events": "warning" | "error" | "info" | "allowed",
                "unplanned_properties": "warning" | "error" | "info" | "allowed"}

`lenient` takes the text "12" where a rule wants a number, and says so as an info. An event with rules may have
an `unplanned_properties` of its own. JSON Schemas say all of this themselves, but for `unplanned_events`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from app.validation.model import Severity
from app.validation.problems import PlanInvalid, Problem

ALLOWED: Final = "allowed"
_SEVERITIES: Final = (Severity.WARNING, Severity.ERROR, Severity.INFO, ALLOWED)
# Each member's words, the default first where nothing is said.
WORDS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "matching": {"events": ("relaxed", "exact"), "properties": ("relaxed", "exact")},
    "judging": {
        "types": ("strict", "lenient"),
        "unplanned_events": _SEVERITIES,
        "unplanned_properties": _SEVERITIES,
    },
}


@dataclass(frozen=True, slots=True)
class Options:
    """A plan's options. An unplanned event or property whose severity is None is allowed."""

    relaxed_events: bool = True
    relaxed_properties: bool = True
    lenient: bool = False
    unplanned_events: Severity | None = Severity.WARNING
    unplanned_properties: Severity | None = Severity.WARNING

    def of_event(self, definition: Mapping[str, Any]) -> "Options":
        """The options for one event. Raises PlanInvalid `bad_plan`."""
        own = definition.get("unplanned_properties")
        if own is None:
            return self
        if own not in _SEVERITIES:
            raise PlanInvalid([_problem("unplanned_properties", _SEVERITIES)])
        return replace(self, unplanned_properties=_severity(own))


def read(content: Mapping[str, Any]) -> Options:
    """The options of a plan's content. Raises PlanInvalid `bad_plan`."""
    matching, judging = content.get("matching") or {}, content.get("judging") or {}
    problems = []
    for name, given in (("matching", matching), ("judging", judging)):
        if not isinstance(given, dict):
            raise PlanInvalid([Problem("bad_plan", f"`{name}` must be an object.")])
        for member, words in WORDS[name].items():
            if given.get(member, words[0]) not in words:
                problems.append(_problem(member, words))
    if problems:
        raise PlanInvalid(problems)
    return Options(
        relaxed_events=matching.get("events") != "exact",
        relaxed_properties=matching.get("properties") != "exact",
        lenient=judging.get("types") == "lenient",
        unplanned_events=_severity(judging.get("unplanned_events", Severity.WARNING)),
        unplanned_properties=_severity(judging.get("unplanned_properties", Severity.WARNING)),
    )


def _severity(word: str) -> Severity | None:
    return None if word == ALLOWED else Severity(word)


def _problem(member: str, words: tuple[str, ...]) -> Problem:
    return Problem("bad_plan", f"`{member}` must be {', '.join(words[:-1])} or {words[-1]}.")
