"""A plan version's content: what it looks like, and how one is changed by another.

The content is one JSON object, kept as text in the order of the file that it came from:

    {"matching": {"events": "relaxed", "properties": "relaxed"},
     "bundles": {"1": {"dialect": "…", "$defs": {…}, "definitions": {…}}},
     "events": {"purchase": {"rules": […], "conditions": […]},
                "push": {"schema": {…} | true | false, "bundle": "1"}}}

An event is described by rules and conditions (app/validation/rules.py) or by a JSON Schema; `description` and
`tags`, for people, may stand beside either. A schema's
`#/$defs/…` and `#/definitions/…` point into its bundle, whose dialect holds for schemas that name none.
`matching` says how names are compared where rules describe them: `relaxed` (case, and space or underscore,
don't count) or `exact`; schemas are exact about both. `judging` (app/validation/options.py) and `common`,
rules or a schema for all events (app/validation/shared.py), need not be there.
"""

from typing import Any, Final

import orjson

from app.validation.paths import relax
from app.validation.problems import PlanInvalid, Problem

Content = dict[str, Any]
LONGEST_NAME: Final = 256


def empty() -> Content:
    """The content of a plan that plans nothing."""
    return {"matching": {"events": "relaxed", "properties": "relaxed"}, "bundles": {}, "events": {}}


def complete(given: Any) -> Content:
    """A content that did not come from one of our readers, with the members that it left out.

    Its shape is right then; whether it can judge, `compile_plan` says. Raises PlanInvalid `bad_plan`, `bad_event_name`.
    """
    whole: Content = {**empty(), **given} if isinstance(given, dict) else {}
    if not all(isinstance(whole.get(member), dict) for member in empty()):
        message = "A plan's content is an object with the objects `events`, `bundles` and `matching`."
        raise PlanInvalid([Problem("bad_plan", message)])
    problems = [
        Problem("bad_plan", "A bundle is an object of objects.", path=f"/bundles/{key}")
        for key, bundle in whole["bundles"].items()
        if not _is_bundle(bundle)
    ]
    for name, definition in whole["events"].items():
        if not name or name != name.strip() or len(name) > LONGEST_NAME:
            message = f"An event's name has 1 to {LONGEST_NAME} characters, and no spaces around them."
            problems.append(Problem("bad_event_name", message, event=name[:LONGEST_NAME]))
        if reason := _shape_of(definition):
            problems.append(Problem("bad_plan", reason, event=name[:LONGEST_NAME]))
    if isinstance(whole.get("common"), dict) and (reason := _shape_of(whole["common"])):
        problems.append(Problem("bad_plan", reason, path="common"))
    if problems:
        raise PlanInvalid(problems)
    return whole


def _is_bundle(bundle: Any) -> bool:
    return isinstance(bundle, dict) and all(
        isinstance(bundle.get(part, {}), dict) for part in ("$defs", "definitions")
    )


def _shape_of(definition: Any) -> str | None:
    """What is wrong with the shape of an event's definition."""
    if not isinstance(definition, dict):
        return "An event's definition is an object."
    if not all(isinstance(definition.get(part, []), list) for part in ("rules", "conditions")):
        return "An event's `rules` and `conditions` are arrays."
    if not isinstance(definition.get("schema", {}), (dict, bool)):
        return "A JSON Schema is an object, true or false."
    texts = ("description", "tags", "owner", "bundle", "unplanned_properties")
    if not all(isinstance(definition.get(part, ""), str) for part in texts):
        return f"An event's {', '.join(f'`{part}`' for part in texts)} are texts."
    return None


def as_text(content: Content) -> str:
    """The content as it is stored. The order of its members is kept: it is the order of the sheet."""
    return orjson.dumps(content).decode()


def from_text(text: str) -> Content:
    """The content of a stored version."""
    return orjson.loads(text)


def merge(old: Content, new: Content) -> Content:
    """The old content with the new one's events in place of its own; the others stay."""
    replaced = {identity(name, definition): name for name, definition in new["events"].items()}
    bundles = dict(old["bundles"])
    renamed = {key: _add_bundle(bundles, bundle) for key, bundle in new["bundles"].items()}
    events = {
        name: definition
        for name, definition in old["events"].items()
        if name not in new["events"] and identity(name, definition) not in replaced
    }
    for name, definition in new["events"].items():
        events[name] = (
            {**definition, "bundle": renamed[definition["bundle"]]} if "bundle" in definition else definition
        )
    used = {definition.get("bundle") for definition in events.values()}
    # A file that says nothing of how to judge, or of what is common to all events, leaves it as it was.
    kept: Content = {
        key: new.get(key, old.get(key)) for key in ("judging", "common") if key in new or key in old
    }
    return {
        "matching": new["matching"],
        **kept,
        "bundles": {key: bundle for key, bundle in bundles.items() if key in used},
        "events": events,
    }


def identity(name: str, definition: dict[str, Any]) -> tuple[str, bool]:
    """What makes two events the same one: the exact name, or among events with rules the relaxed one."""
    return (name, True) if "schema" in definition else (relax(name), False)


def _add_bundle(bundles: dict[str, Any], bundle: dict[str, Any]) -> str:
    """The key of this bundle, added where no equal one is there."""
    for key, known in bundles.items():
        if known == bundle:
            return key
    key = str(1 + max((int(key) for key in bundles), default=0))
    bundles[key] = bundle
    return key


def count_rules(content: Content) -> int:
    """Rules and conditions, and the properties that schemas and their bundles declare."""
    schemas = [definition["schema"] for definition in content["events"].values() if "schema" in definition]
    return _declared([*schemas, content["bundles"]]) + sum(
        len(definition.get("rules", [])) + len(definition.get("conditions", []))
        for definition in content["events"].values()
    )


def _declared(schemas: list[Any]) -> int:
    count, waiting = 0, list(schemas)
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            properties = part.get("properties")
            count += len(properties) if isinstance(properties, dict) else 0
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return count
