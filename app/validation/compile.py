"""From a plan's content to something that can judge: events found by name, each with its own validator.

A plan's content (app/plans/content.py keeps it) is one JSON object:

    {"matching": {"events": "relaxed", "properties": "relaxed"},     # how rules compare names; see options.py
     "judging": {"types": "strict", "unplanned_events": "warning", "unplanned_properties": "warning"},
     "common": {"rules": […], "conditions": […]},                    # or a schema: for all events; shared.py
     "bundles": {"1": {"dialect": "…", "$defs": {…}, "definitions": {…}}},
     "events": {"purchase": {"rules": […], "conditions": […]},       # see rules.py, conditions.py
                "push": {"schema": {…} | true | false, "bundle": "1"}}}

Events keep the order of the file that they came from. A schema's `#/$defs/…` and `#/definitions/…` point into
its bundle, whose dialect holds for schemas that name none. Events with rules are matched relaxed, events with
a schema exactly; where both could match, the exact name wins.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.validation import document
from app.validation import options as plan_options
from app.validation.by_rules import RulesEvent
from app.validation.by_schema import SchemaEvent
from app.validation.model import Severity
from app.validation.near import NearNames
from app.validation.options import Options
from app.validation.paths import relax
from app.validation.problems import PlanInvalid, Problem
from app.validation.shared import Both, without_bounds

PlannedEvent = RulesEvent | SchemaEvent | Both
# In a problem's path: the place of what is common to all events.
COMMON: Final = "common"
# More than this and events without a rule get no "did you mean": the index would cost more than it helps.
MOST_INDEXED_NAMES: Final = 5_000


class CompiledPlan:
    """A published version of a plan, ready to judge. Finding an event costs the same in any plan."""

    def __init__(self, version: int, events: Iterable[PlannedEvent], options: Options) -> None:
        self.version = version
        self.unplanned_events: Severity | None = options.unplanned_events
        self.events: dict[str, PlannedEvent] = {event.name: event for event in events}
        self._by_relaxed: dict[str, PlannedEvent] = {}
        if options.relaxed_events:
            for event in self.events.values():
                if event.has_rules:
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

    def problems(self, known: Mapping[str, PlannedEvent] | None = None) -> list[Problem]:
        """Everything that keeps the plan from being used, event by event; but for those that are known to judge."""
        known = known or {}
        unknown = (event for event in self.events.values() if known.get(event.name) is not event)
        return [reason.at(event=event.name) for event in unknown for reason in event.problems()]


def compile_plan(
    content: Mapping[str, Any],
    version: int,
    *,
    is_checked: bool = False,
    older: CompiledPlan | None = None,
) -> CompiledPlan:
    """A plan that can judge. Raises PlanInvalid with every problem that there is.

    `is_checked`: the content passed this function before, as every published version did. Its events are then
    compiled when first judged: a new version of a large plan must not hold up the process that takes it into
    use. `older`: a version in use, whose events serve on where nothing about them changed, as they are.
    """
    definitions = content.get("events")
    if not isinstance(definitions, dict):
        raise PlanInvalid([Problem("bad_plan", "A plan's content is an object with `events`.")])
    options = plan_options.read(content)
    maker = _Maker(options, content.get("bundles") or {}, content.get("common"))
    problems = [] if is_checked else maker.common_problems()
    known = older.events if older is not None else {}
    made = (maker.event(name, given) for name, given in definitions.items())
    events = (_known(known.get(event.name), event) for event in made)
    plan = CompiledPlan(version, events, options)
    if not is_checked and (problems := problems or plan.problems(known)):
        raise PlanInvalid(problems)
    return plan


def _known(old: PlannedEvent | None, new: PlannedEvent) -> PlannedEvent:
    return old if old is not None and old.is_same_as(new) else new


class _Maker:
    """Makes the planned events of one plan from their definitions."""

    def __init__(self, options: Options, bundles: dict[str, Any], common: Any) -> None:
        self._options = options
        self._bundles = bundles
        if common is not None and not isinstance(common, dict):
            raise PlanInvalid([Problem("bad_plan", "What is common to all events is an object.")])
        self._common: dict[str, Any] = common or {}

    def common_problems(self) -> list[Problem]:
        """What is wrong with the common rules or schema, told once and not for each event."""
        if not self._common:
            return []
        return [
            reason.at(path=f"{COMMON}: {reason.path}" if reason.path else COMMON)
            for reason in self._of(COMMON, self._common).problems()
        ]

    def event(self, name: str, definition: Any) -> PlannedEvent:
        """One event, judged by its own definition and by what is common."""
        if not isinstance(definition, dict):
            raise PlanInvalid([Problem("bad_plan", "An event's definition is an object.", event=name)])
        if not self._common:
            return self._of(name, definition)
        if "schema" not in self._common and "schema" not in definition:
            return RulesEvent(name, definition, self._options, self._common)
        return Both(self._of(name, definition), self._of(name, without_bounds(self._common)))

    def _of(self, name: str, definition: dict[str, Any]) -> RulesEvent | SchemaEvent:
        if "schema" not in definition:
            return RulesEvent(name, definition, self._options)
        bundle = self._bundles.get(definition.get("bundle", ""), {})
        shared = {place: bundle.get(place, {}) for place in document.DEFINITIONS}
        return SchemaEvent(name, definition["schema"], bundle.get("dialect"), shared)
