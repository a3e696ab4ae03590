"""From a plan's content to something that can judge: events found by name, each with its own validator.

A plan's content (app/plans/content.py keeps it) is one JSON object:

    {"matching": {"events": "relaxed", "properties": "relaxed"},     # how rules compare names; the default
     "bundles": {"1": {"dialect": "…", "$defs": {…}, "definitions": {…}}},
     "events": {"purchase": {"rules": […], "conditions": […]},       # see rules.py
                "push": {"schema": {…} | true | false, "bundle": "1"}}}

Events keep the order of the file that they came from. A schema's `#/$defs/…` and `#/definitions/…` point into
its bundle, whose dialect holds for schemas that name none. Events with rules are matched relaxed, events with
a schema exactly; where both could match, the exact name wins.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from app.validation import document
from app.validation.by_rules import RulesEvent
from app.validation.by_schema import SchemaEvent
from app.validation.near import NearNames
from app.validation.paths import relax
from app.validation.problems import PlanInvalid, Problem

PlannedEvent = RulesEvent | SchemaEvent
# More than this and events without a rule get no "did you mean": the index would cost more than it helps.
MOST_INDEXED_NAMES: Final = 5_000


class CompiledPlan:
    """A published version of a plan, ready to judge. Finding an event costs the same in any plan."""

    def __init__(self, version: int, events: Iterable[PlannedEvent], *, relaxed: bool) -> None:
        self.version = version
        self.events: dict[str, PlannedEvent] = {event.name: event for event in events}
        self._by_relaxed: dict[str, PlannedEvent] = {}
        if relaxed:
            for event in self.events.values():
                if isinstance(event, RulesEvent):
                    self._by_relaxed.setdefault(relax(event.name), event)
        self._near: NearNames | None = None

    def find(self, name: str) -> PlannedEvent | None:
        """The planned event of this name, or None."""
        exact = self.events.get(name)
        return exact if exact is not None or not self._by_relaxed else self._by_relaxed.get(relax(name))

    def nearest(self, name: str) -> str | None:
        """The planned event that an unplanned name was probably meant to be."""
        if self._near is None:
            self._near = NearNames(self.events if len(self.events) <= MOST_INDEXED_NAMES else ())
        return self._near.nearest(name)

    def problems(self) -> list[Problem]:
        """Everything that keeps the plan from being used, event by event."""
        return [reason.at(event=event.name) for event in self.events.values() for reason in event.problems()]


def compile_plan(content: Mapping[str, Any], version: int, *, is_checked: bool = False) -> CompiledPlan:
    """A plan that can judge. Raises PlanInvalid with every problem that there is.

    `is_checked`: the content passed this function before, as every published version did. Its events are then
    compiled when first judged: a new version of a large plan must not hold up the process that takes it into
    use.
    """
    matching = content.get("matching") or {}
    definitions = content.get("events")
    if not isinstance(definitions, dict) or not isinstance(matching, dict):
        raise PlanInvalid([Problem("bad_plan", "A plan's content is an object with `events`.")])
    plan = CompiledPlan(
        version,
        _events(definitions, content.get("bundles") or {}, relaxed=matching.get("properties") != "exact"),
        relaxed=matching.get("events") != "exact",
    )
    if not is_checked and (problems := plan.problems()):
        raise PlanInvalid(problems)
    return plan


def _events(definitions: dict[str, Any], bundles: dict[str, Any], *, relaxed: bool) -> Iterator[PlannedEvent]:
    for name, definition in definitions.items():
        if not isinstance(definition, dict):
            raise PlanInvalid([Problem("bad_plan", "An event's definition is an object.", event=name)])
        if "schema" not in definition:
            yield RulesEvent(name, definition, relaxed=relaxed)
            continue
        bundle = bundles.get(definition.get("bundle", ""), {})
        shared = {place: bundle.get(place, {}) for place in document.DEFINITIONS}
        yield SchemaEvent(name, definition["schema"], bundle.get("dialect"), shared)
