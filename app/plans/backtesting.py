"""Judging stored events twice, by the plan in force and by a draft: what differs is what publishing it would change.

The verdict that stands with an event is not asked: an older version gave it, and its difference is nobody's news.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from app.store.past import PastEvent
from app.validation.compile import CompiledPlan
from app.validation.judge import judge
from app.validation.model import Event, Judgement, Severity, Verdict, Violation
from app.validation.sentences import sentence

MOST_GROUPS: Final = 500
MOST_SAMPLES: Final = 5
OTHER: Final = "*other*"
FAILING: Final = "newly_failing"
PASSING: Final = "newly_passing"
_FAILS: Final = frozenset((Verdict.INVALID, Verdict.UNPLANNED))
# Not within a quoted key.
_ELEMENT: Final = re.compile(r'\[[0-9]+\](?=(?:[^"]*"[^"]*")*[^"]*$)')
State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Judges:
    """The two plans. now: None before the first publish."""

    now: CompiledPlan | None
    draft: CompiledPlan
    exempts_system_events: bool


def begun() -> State:
    """Nothing judged yet. A state is JSON: a job keeps it between two turns."""
    return {
        "judged": 0,
        "verdicts": {},
        "still_failing_otherwise": 0,
        **{way: {"events": 0, "by_event": {}, "by_version": {}, "groups": {}} for way in (FAILING, PASSING)},
    }


def take(state: State, judges: Judges, events: Iterable[PastEvent]) -> None:
    """Judge these events, too, and count them."""
    for past in events:
        event = Event(past.name, past.payload, past.envelope)
        now, then = (
            judge(event, plan, exempt_system_events=judges.exempts_system_events)
            for plan in (judges.now, judges.draft)
        )
        state["judged"] += 1
        step = f"{now.verdict.value} {then.verdict.value}"
        state["verdicts"][step] = state["verdicts"].get(step, 0) + 1
        fails_now, fails_then = now.verdict in _FAILS, then.verdict in _FAILS
        # An event that is planned now, and wrong, fails for another reason than before: it was not looked at.
        if fails_then and (
            not fails_now or (now.verdict, then.verdict) == (Verdict.UNPLANNED, Verdict.INVALID)
        ):
            _count(state[FAILING], past, then)
        elif fails_now and not fails_then:
            _count(state[PASSING], past, now)
        elif fails_now and fails_then and set(_errors(now)) != set(_errors(then)):
            state["still_failing_otherwise"] += 1


def _count(part: State, past: PastEvent, reasons: Judgement) -> None:
    """Count the event under its name, its version, and each way in which it fails in one of the two."""
    part["events"] += 1
    for counts, word in ((part["by_event"], past.name), (part["by_version"], past.app_version or "")):
        word = word if word in counts or len(counts) < MOST_GROUPS else OTHER
        counts[word] = counts.get(word, 0) + 1
    seen: set[str] = set()
    for violation in _weighty(reasons):
        path = pattern_of(violation.path)
        key = "\n".join((past.name, path, violation.kind.value, violation.constraint or ""))
        if key in seen:
            continue
        seen.add(key)
        groups = part["groups"]
        if key not in groups and len(groups) >= MOST_GROUPS:
            key = OTHER
        group = groups.setdefault(key, {"count": 0, "samples": []} | _about(past, path, violation, key))
        group["count"] += 1
        if len(group["samples"]) < MOST_SAMPLES:
            group["samples"].append(past.event_id)


def _about(past: PastEvent, path: str, violation: Violation, key: str) -> State:
    """What a group is told by: the words of its first event."""
    if key == OTHER:
        return {"event": OTHER, "path": "", "kind": "", "message": "Other reasons."}
    told = {"event": past.name, "path": path, "kind": violation.kind.value, "message": sentence(violation)}
    return told | ({"constraint": violation.constraint} if violation.constraint else {})


def _weighty(judgement: Judgement) -> Iterator[Violation]:
    """The violations that made it fail: errors; of an unplanned event whatever is said."""
    for violation in judgement.violations:
        if violation.severity is Severity.ERROR or judgement.verdict is Verdict.UNPLANNED:
            yield violation


def _errors(judgement: Judgement) -> Iterator[tuple[str, str, str | None]]:
    for violation in _weighty(judgement):
        yield violation.kind.value, pattern_of(violation.path), violation.constraint


def pattern_of(path: str) -> str:
    """The path with `[]` for every element of an array, as violations are grouped everywhere (SQL: violation_path)."""
    return _ELEMENT.sub("[]", path)


def told(state: State) -> State:
    """The state as it is shown: groups as lists, the most frequent first."""
    shown = {name: state[name] for name in ("judged", "verdicts", "still_failing_otherwise")}
    for way in (FAILING, PASSING):
        part = state[way]
        shown[way] = {
            "events": part["events"],
            "by_event": _listed(part["by_event"], "event"),
            "by_version": _listed(part["by_version"], "app_version"),
            "by_property": sorted(part["groups"].values(), key=lambda group: -group["count"]),
        }
    return shown


def _listed(counts: dict[str, int], name: str) -> list[State]:
    return [{name: word, "count": count} for word, count in sorted(counts.items(), key=lambda each: -each[1])]
