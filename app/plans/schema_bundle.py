"""A bundle of JSON Schemas as a plan: one object, event name → schema."""

import json
from typing import Any, Final

import orjson

from app.plans import event_note
from app.plans.content import LONGEST_NAME, empty
from app.plans.imported import Imported
from app.plans.reading import Reading
from app.validation.compile import compile_plan
from app.validation.document import DEFINITIONS, MOST_LEVELS, levels
from app.validation.problems import PlanInvalid, Problem

# These keys belong to the bundle, not to events.
DIALECT: Final = "$schema"
# Somebody sent one schema instead of a bundle: these are its keywords, and no event is called like all of
# them.
SINGLE_SCHEMA: Final = frozenset(("type", "properties", "required"))


def read(body: bytes, _reading: Reading) -> Imported:
    """The plan in a bundle's bytes; problems name the event and the place in its schema."""
    try:
        bundle = parse(body)
        if not isinstance(bundle, dict):
            raise PlanInvalid([Problem("not_a_bundle", "A bundle is one JSON object: event name → schema.")])
        content = _content(bundle)
        warnings = understand_notes(content)
        compile_plan(content, 0)
    except PlanInvalid as invalid:
        return Imported(problems=invalid.problems)
    return Imported(content, warnings=warnings + _warnings(content))


def parse(body: bytes) -> Any:
    """The JSON value in a plan's file. Raises PlanInvalid `bad_json`, `too_deep`, `duplicate_key`."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        bundle = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        line = error.lineno if body else None
        raise PlanInvalid(
            [Problem("bad_json", f"The file is not valid JSON: {error.msg}.", line=line)]
        ) from error
    if levels(bundle) > MOST_LEVELS:
        raise PlanInvalid([Problem("too_deep", f"The file is nested deeper than {MOST_LEVELS} levels.")])
    if twins := _twins(body):
        raise PlanInvalid(
            [Problem("duplicate_key", f"`{key[:100]}` stands twice in one object.") for key in twins]
        )
    return bundle


def _twins(body: bytes) -> list[str]:
    """The keys that an object has twice. A parser keeps one of them silently, and a rule would be lost."""
    twins: dict[str, None] = {}

    def note(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                twins[key] = None
            seen.add(key)

    json.loads(body, object_pairs_hook=note, parse_int=float)
    return list(twins)


def _content(bundle: dict[str, Any]) -> dict[str, Any]:
    shared: dict[str, Any] = {}
    problems = []
    for place in DEFINITIONS:
        if not isinstance(given := bundle.get(place, {}), dict):
            problems.append(
                Problem("not_a_bundle", f"`{place}` must be an object of definitions.", path=f"/{place}")
            )
        elif given:
            shared[place] = given
    dialect = bundle.get(DIALECT)
    if dialect is not None and not isinstance(dialect, str):
        problems.append(
            Problem("unknown_dialect", "`$schema` must be the URI of a draft.", path=f"/{DIALECT}")
        )
    elif dialect is not None:
        shared["dialect"] = dialect
    events = {name: schema for name, schema in bundle.items() if name not in (DIALECT, *DEFINITIONS)}
    problems += _event_problems(events)
    if problems:
        raise PlanInvalid(problems)
    content = empty()
    content["bundles"] = {"1": shared}
    content["events"] = {name: {"schema": schema, "bundle": "1"} for name, schema in events.items()}
    return content


def _event_problems(events: dict[str, Any]) -> list[Problem]:
    if not events:
        return [Problem("no_events", "The bundle has no event: each is a key with its schema.")]
    wrong = [name for name, schema in events.items() if not isinstance(schema, (dict, bool))]
    if wrong and SINGLE_SCHEMA & events.keys():
        message = 'This is one schema, not a bundle. Put it under its event\'s name: {"<event name>": {…}}.'
        return [Problem("not_a_bundle", message)]
    problems = [
        Problem("not_a_schema", "A schema is an object, true or false.", event=name[:LONGEST_NAME])
        for name in wrong
    ]
    for name in events:
        if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME:
            message = f"An event's name has 1 to {LONGEST_NAME} characters and no spaces around it."
            problems.append(Problem("bad_event_name", message, event=name[:LONGEST_NAME]))
    return problems


def checked(content: dict[str, Any], loss: list[dict[str, Any]]) -> Imported:
    """The import that a content of schemas amounts to. Raises PlanInvalid with every problem in it."""
    schemas = {name: definition["schema"] for name, definition in content["events"].items()}
    if problems := _event_problems(schemas):
        raise PlanInvalid(problems)
    warnings = understand_notes(content)
    compile_plan(content, 0)
    return Imported(content, warnings=warnings, loss=loss)


def understand_notes(content: dict[str, Any]) -> list[Problem]:
    """Let the notes that our exports put into schemas count (event_note.py); warnings where they no longer can."""
    warnings = []
    for name, definition in content["events"].items():
        bundle = content["bundles"][definition["bundle"]]
        content["events"][name], told = event_note.understood(name, definition, bundle)
        warnings += told
    if not any("bundle" in definition for definition in content["events"].values()):
        content["bundles"] = {}
    return warnings


def _warnings(content: dict[str, Any]) -> list[Problem]:
    """Definitions that an event has beside the bundle's of the same name: references go to the bundle's."""
    warnings = []
    for name, definition in content["events"].items():
        if "schema" not in definition:
            continue
        schema, shared = definition["schema"], content["bundles"]["1"]
        for place in DEFINITIONS:
            own = schema.get(place) if isinstance(schema, dict) else None
            if not isinstance(own, dict):
                continue
            for key in own:
                if key in shared.get(place, {}) and own[key] != shared[place][key]:
                    message = f"`#/{place}/{key}` means the bundle's definition, not the event's own."
                    warnings.append(Problem("shadowed_definition", message, event=name))
    return warnings
