"""A plan of what was seen: for each event the rules that all its payloads keep, with the counts that speak for each.

What is always there is required; what was ever null may be null. A few values that come again and again are the
options; nothing negative among many numbers makes zero the least. A range that was seen is told and not asked for: the
largest order so far is no limit that anybody meant.
"""

from dataclasses import dataclass
from typing import Any, Final

from app.plans.observing import Place
from app.validation.paths import EACH, format_rule_path, relax
from app.validation.rules import read_rule
from app.validation.types import Type

MOST_RULES: Final = 500
MOST_OPTIONS: Final = 12
MOST_SHOWN: Final = 8
# Below this many values, what they have in common may be chance.
ENOUGH: Final = 30
# How often each option must have come, on average.
TIMES_EACH: Final = 5
_TYPES: Final = {
    "text": Type.TEXT,
    "integer": Type.INTEGER,
    "number": Type.NUMBER,
    "boolean": Type.BOOLEAN,
    "array": Type.ARRAY,
    "object": Type.OBJECT,
}


@dataclass(frozen=True, slots=True)
class Inferred:
    """One event as a plan could describe it. evidence: for each rule, by its path, what was seen; JSON.

    sampled: events that were looked at. omitted: places without a rule, for want of room.
    """

    name: str
    definition: dict[str, Any]
    evidence: list[dict[str, Any]]
    sampled: int
    omitted: int = 0


class Observed:
    """The payloads of one event, as they come in. `most`: of how many; the rest is not looked at."""

    def __init__(self, name: str, most: int, *, relaxed: bool = True) -> None:
        self.spellings = {name: 0}
        self.sampled = 0
        self._most = most
        self._relaxed = relaxed
        self._root = Place()

    @property
    def is_full(self) -> bool:
        return self.sampled >= self._most

    def see(self, name: str, payload: dict[str, Any]) -> None:
        """Take in a payload."""
        self.sampled += 1
        self.spellings[name] = self.spellings.get(name, 0) + 1
        self._root.see(payload, relaxed=self._relaxed)

    def inferred(self) -> Inferred:
        """What all payloads so far have in common."""
        self._root.settle(self.sampled)
        rules: list[dict[str, Any]] = []
        evidence: list[dict[str, Any]] = []
        omitted = 0
        mixed: list[tuple[str, ...]] = []
        for steps, place in self._root.below():
            if any(steps[: len(way)] == way for way in mixed):
                continue
            kind = _type(place)
            if kind is Type.ANY:
                mixed.append(steps)
            if steps[-1] == EACH and kind in (Type.OBJECT, Type.ARRAY) and not place.types["null"]:
                continue  # what is below it says so
            rule = _rule(steps, place, kind)
            if len(rules) >= MOST_RULES or read_rule(rule)[0] is None:
                omitted += 1
                continue
            rules.append(rule)
            evidence.append({"path": rule["path"], **_evidence(place)})
        name = max(self.spellings, key=self.spellings.__getitem__)
        return Inferred(name, {"rules": rules}, evidence, self.sampled, omitted)


def key_of(name: str, *, relaxed: bool) -> str:
    """Under which events that are one and the same are counted together."""
    return relax(name) if relaxed else name


def _type(place: Place) -> Type:
    words = {word for word in place.types if word != "null"}
    if words == {"integer", "number"}:
        return Type.NUMBER
    if len(words) != 1:
        return Type.ANY
    (word,) = words
    texts = place.types["text"]
    if word == "text" and place.datetimes == texts:
        return Type.DATETIME
    if word == "text" and place.dates == texts:
        return Type.DATE
    return _TYPES[word]


def _rule(steps: tuple[str, ...], place: Place, kind: Type) -> dict[str, Any]:
    rule: dict[str, Any] = {"path": format_rule_path(steps), "type": kind.value}
    if place.there == place.of and steps[-1] != EACH:
        rule["required"] = True
    if place.types["null"]:
        rule["nullable"] = True
    if kind is Type.TEXT and place.blanks and rule.get("required"):
        rule["blank"] = True
    if constraints := _constraints(place, kind):
        rule["constraints"] = constraints
    return rule


def _constraints(place: Place, kind: Type) -> dict[str, Any]:
    seen = place.there - place.types["null"]
    if kind is Type.TEXT:
        if (name := place.fitting_format()) and seen >= min(ENOUGH, 3):
            return {"format": name}
        if _are_options(place, seen):
            return {"enum": sorted(place.values)}
    if (
        kind in (Type.INTEGER, Type.NUMBER)
        and seen >= ENOUGH
        and place.least is not None
        and place.least >= 0
    ):
        return {"minimum": 0}
    return {}


def _are_options(place: Place, seen: int) -> bool:
    """Whether a text's values are few, and each came so often that another would have been seen by now."""
    values = place.values
    # One value alone is no choice: it may be all that this app's testers have.
    is_few = not place.has_more_values and 1 < len(values) <= MOST_OPTIONS and not place.blanks
    return is_few and seen >= max(ENOUGH, TIMES_EACH * len(values)) and min(values.values()) > 1


def _evidence(place: Place) -> dict[str, Any]:
    """Counts as JSON: how often it was there, as what, and its values or their range."""
    told: dict[str, Any] = {"there": place.there, "of": place.of, "types": dict(place.types.most_common())}
    if place.types["integer"] or place.types["number"]:
        told |= {"least": place.least, "most": place.most}
    elif place.types["text"]:
        told |= {"shortest": place.least, "longest": place.most}
    elif place.types["array"]:
        told |= {"fewest": place.least, "most": place.most}
    if place.values:
        top = place.values.most_common(MOST_SHOWN)
        told["values"] = [{"value": value, "count": count} for value, count in top]
        told["different"] = len(place.values)
        told["has_more_values"] = place.has_more_values
    if place.is_map:
        told["is_map"] = True
    return told
