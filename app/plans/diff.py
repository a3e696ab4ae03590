"""What changed between two contents of a plan: each change with its weight, told in words when shown.

Weights, for whoever sends events: `breaking`, an event that was valid may become invalid (or a planned one unplanned);
`loosening`, an event that was invalid may become valid and none the other way; `neutral`, neither, for all who send
nothing that the plan did not name.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from app.plans.content import Content, empty, identity
from app.plans.expected import fields_of
from app.validation.compile import compile_plan
from app.validation.paths import relax
from app.validation.types import Type

Rule = dict[str, Any]
# What both read: a type whose values all are values of the other, too. A date may have a time (types.is_date).
WIDER: Final = frozenset(
    {
        (Type.INTEGER, Type.NUMBER),
        (Type.DATETIME, Type.DATE),
        (Type.DATE, Type.TEXT),
        (Type.DATETIME, Type.TEXT),
    }
)
LEAST: Final = frozenset({"minimum", "min_length", "min_items"})
MOST: Final = frozenset({"maximum", "max_length", "max_items"})
SEVERITY_DEFAULT: Final = "error"
# Of a rule what the judge goes by; all else is for people.
JUDGED: Final = frozenset({"path", "type", "required", "nullable", "severity", "constraints"})
# Of an event's definition what is compared by its own function.
COMPARED: Final = frozenset({"rules", "conditions", "schema", "bundle"})
FOR_PEOPLE: Final = frozenset({"description", "owner", "tags", "private"})


class Weight(StrEnum):
    """What a change means to whoever sends events."""

    BREAKING = "breaking"
    LOOSENING = "loosening"
    NEUTRAL = "neutral"


class Change(NamedTuple):
    """One difference. code: stable, snake_case; before, after: what it was and is; None where there is nothing."""

    weight: Weight
    code: str
    event: str | None = None
    path: str | None = None
    what: str | None = None  # the constraint, setting or note that changed
    before: Any = None
    after: Any = None


def changes(old: Content | None, new: Content) -> list[Change]:
    """Everything that differs, breaking changes first, else in the plan's order. `old` None: an empty plan."""
    old = empty() if old is None else old
    before = {identity(name, definition): name for name, definition in old["events"].items()}
    after = {identity(name, definition): name for name, definition in new["events"].items()}
    # An event that went from rules to a schema is the same one.
    for key in [key for key in after if key not in before]:
        twin = next((k for k in before if k not in after and relax(before[k]) == relax(after[key])), None)
        if twin is not None:
            before[key] = before.pop(twin)
    found = [*_settings(old, new), *_renamed_added_removed(old, new, before, after)]
    exact = (new.get("matching") or {}).get("properties") == "exact"
    for key, name in after.items():
        if key in before:
            found += _event(old, new, before[key], name, exact=exact)
    order = list(Weight)
    return sorted(found, key=lambda change: order.index(change.weight))


def counts(found: Iterable[Change]) -> dict[str, int]:
    """How many changes of each weight there are."""
    counted = Counter(change.weight for change in found)
    return {weight.value: counted[weight] for weight in Weight}


def _settings(old: Content, new: Content) -> Iterator[Change]:
    """The plan's own settings: all but its events and their bundles."""
    for what in {**old, **new}:
        if what in ("events", "bundles") or (was := old.get(what)) == (now := new.get(what)):
            continue
        if not (isinstance(was or {}, dict) and isinstance(now or {}, dict)):
            yield Change(Weight.BREAKING, "setting_changed", what=what, before=was, after=now)
            continue
        was, now = was or {}, now or {}
        for part in {**was, **now}:
            if was.get(part) != now.get(part):
                yield Change(
                    Weight.LOOSENING if now.get(part) in ("relaxed", "lenient") else Weight.BREAKING,
                    "setting_changed",
                    what=f"{what} of {part}",
                    before=was.get(part),
                    after=now.get(part),
                )


Names = Mapping[tuple[str, bool], str]


def _renamed_added_removed(old: Content, new: Content, before: Names, after: Names) -> Iterator[Change]:
    gone = {before[key]: old["events"][before[key]] for key in before if key not in after}
    come = {after[key]: new["events"][after[key]] for key in after if key not in before}
    for name, definition in list(gone.items()):
        twins = [other for other, theirs in come.items() if theirs == definition]
        if len(twins) == 1 and (definition.get("rules") or definition.get("schema")):
            yield Change(Weight.BREAKING, "event_renamed", name, before=name, after=twins[0])
            del gone[name], come[twins[0]]
    for name in gone:
        yield Change(Weight.BREAKING, "event_removed", name)
    for name in come:
        yield Change(Weight.NEUTRAL, "event_added", name)


def _event(old: Content, new: Content, was_called: str, name: str, *, exact: bool) -> Iterator[Change]:
    before, after = old["events"][was_called], new["events"][name]
    if was_called != name:
        yield Change(Weight.NEUTRAL, "event_respelled", name, before=was_called, after=name)
    if ("schema" in before) != ("schema" in after):
        code = "became_schema" if "schema" in after else "became_rules"
        yield Change(Weight.BREAKING, code, name)
    elif "schema" in after:
        yield from _schemas(old, new, was_called, name)
    else:
        yield from _rules(name, before.get("rules", []), after.get("rules", []), exact=exact)
        yield from _conditions(name, before.get("conditions", []), after.get("conditions", []))
    for what in {**before, **after}:
        if what not in COMPARED and before.get(what) != after.get(what):
            weight = Weight.NEUTRAL if what in FOR_PEOPLE else Weight.BREAKING
            yield Change(
                weight, "note_changed", name, what=what, before=before.get(what), after=after.get(what)
            )


def _rules(event: str, before: list[Rule], after: list[Rule], *, exact: bool) -> Iterator[Change]:
    key = (lambda path: path) if exact else relax
    was = {key(rule["path"]): rule for rule in before}
    now = {key(rule["path"]): rule for rule in after}
    for path, rule in was.items():
        if path not in now:
            yield Change(Weight.LOOSENING, "property_removed", event, rule["path"])
    for path, rule in now.items():
        if path in was:
            yield from _rule(event, was[path], rule)
        else:
            weight = (
                Weight.BREAKING if rule.get("required") and _severity(rule) == "error" else Weight.NEUTRAL
            )
            code = "required_property_added" if rule.get("required") else "property_added"
            yield Change(weight, code, event, rule["path"], after=rule["type"])


def _rule(event: str, was: Rule, now: Rule) -> Iterator[Change]:
    path = now["path"]
    if was["path"] != path:
        yield Change(Weight.NEUTRAL, "property_respelled", event, path, before=was["path"], after=path)
    if was["type"] != now["type"]:
        yield Change(
            _type_weight(was["type"], now["type"]),
            "type_changed",
            event,
            path,
            None,
            was["type"],
            now["type"],
        )
    for flag, on, off in (
        ("required", ("became_required", Weight.BREAKING), ("became_optional", Weight.LOOSENING)),
        ("nullable", ("became_nullable", Weight.LOOSENING), ("became_not_nullable", Weight.BREAKING)),
    ):
        if bool(was.get(flag)) != bool(now.get(flag)):
            code, weight = on if now.get(flag) else off
            yield Change(weight, code, event, path)
    if _severity(was) != _severity(now):
        weight = {_severity(now): Weight.BREAKING, _severity(was): Weight.LOOSENING}.get(
            "error", Weight.NEUTRAL
        )
        yield Change(weight, "severity_changed", event, path, None, _severity(was), _severity(now))
    yield from _constraints(event, path, was.get("constraints") or {}, now.get("constraints") or {})
    for what in {**was, **now}:
        if what not in JUDGED and was.get(what) != now.get(what):
            yield Change(Weight.NEUTRAL, "note_changed", event, path, what, was.get(what), now.get(what))


def _severity(rule: Rule) -> str:
    return rule.get("severity", SEVERITY_DEFAULT)


def _type_weight(was: str, now: str) -> Weight:
    is_wider = now == Type.ANY or (was, now) in WIDER
    return Weight.LOOSENING if is_wider else Weight.BREAKING


def _constraints(event: str, path: str, was: dict[str, Any], now: dict[str, Any]) -> Iterator[Change]:
    for what in {**was, **now}:
        if what not in now:
            yield Change(Weight.LOOSENING, "constraint_removed", event, path, what, was[what])
        elif what not in was:
            yield Change(Weight.BREAKING, "constraint_added", event, path, what, None, now[what])
        elif was[what] == now[what]:
            continue
        elif what == "enum":
            yield from _values(event, path, was[what], now[what])
        else:
            is_looser = (what in LEAST and now[what] < was[what]) or (what in MOST and now[what] > was[what])
            is_off = what == "unique_items" and not now[what]
            weight = Weight.LOOSENING if is_looser or is_off else Weight.BREAKING
            yield Change(weight, "constraint_changed", event, path, what, was[what], now[what])


def _values(event: str, path: str, was: list[Any], now: list[Any]) -> Iterator[Change]:
    if gone := [value for value in was if value not in now]:
        yield Change(Weight.BREAKING, "values_removed", event, path, "enum", before=gone)
    if come := [value for value in now if value not in was]:
        yield Change(Weight.LOOSENING, "values_added", event, path, "enum", after=come)


def _conditions(event: str, before: list[Any], after: list[Any]) -> Iterator[Change]:
    for condition in before:
        if condition not in after:
            yield Change(Weight.LOOSENING, "condition_removed", event, condition["then"], before=condition)
    for condition in after:
        if condition not in before:
            yield Change(Weight.BREAKING, "condition_added", event, condition["then"], after=condition)


def _schemas(old: Content, new: Content, was_called: str, name: str) -> Iterator[Change]:
    """What can be said of two schemas field by field; what cannot is one cautious sentence."""
    before, after = _alone(old, was_called), _alone(new, name)
    if before == after:
        return
    was = {field["path"]: field for field in _fields(before, was_called)}
    now = {field["path"]: field for field in _fields(after, name)}
    said = False
    for change in _rules(name, list(was.values()), list(now.values()), exact=True):
        said = said or change.weight is Weight.BREAKING  # fields don't show all that a schema may demand
        yield change
    if not said:
        yield Change(Weight.BREAKING, "schema_changed", name)


def _alone(content: Content, name: str) -> Content:
    definition = content["events"][name]
    bundle = content["bundles"].get(definition.get("bundle", ""), {})
    schema = {member: value for member, value in definition.items() if member in ("schema", "bundle")}
    return {"bundles": {"1": bundle}, "events": {name: {**schema, "bundle": "1"}}}


def _fields(content: Content, name: str) -> list[dict[str, Any]]:
    planned = compile_plan(content, 0, is_checked=True).events[name]
    return fields_of(planned)
