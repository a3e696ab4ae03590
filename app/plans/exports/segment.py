"""A plan as a Segment tracking plan: `plan.json` as Typewriter keeps it, one draft-07 schema of a track call an event.

The shape is the one that app/plans/segment.py reads; `labels.tags` holds an event's tags.
"""

from typing import Any, Final

import orjson

from app.plans.content import Content
from app.plans.event_note import noted
from app.plans.exports.exported import Exported, Loss, lost, settings_lost
from app.plans.exports.schemas import common_lost, schema_of
from app.plans.segment import DIALECT
from app.validation.document import DEFINITIONS, containers

# Segment takes no more rules in one plan.
MOST_EVENTS: Final = 2_000


def as_plan_json(content: Content) -> Exported:
    """The plan as Segment's plan.json."""
    loss = settings_lost(content) + common_lost(content)
    events = []
    for name, definition in content["events"].items():
        schema, told = schema_of(name, definition, content, {"dialect": DIALECT})
        loss += told
        if isinstance(schema, dict):
            loss += _about_place(name, schema, has_rules="schema" not in definition)
            if "schema" not in definition:  # the event's description stands beside the call
                schema.pop("description", None)
            schema = noted(schema, definition, described=True)
        event: dict[str, Any] = {"name": name, "version": 1, "rules": _call(schema, definition)}
        if said := definition.get("description"):
            event["description"] = said
        events.append(event)
    if len(events) > MOST_EVENTS:
        loss.append(lost("too_many", f"Segment takes {MOST_EVENTS:,} events in a plan.", what="events"))
    plan = {"rules": {"events": events, "global": {}, "identify_traits": [], "group_traits": []}}
    return Exported(orjson.dumps(plan, option=orjson.OPT_INDENT_2), loss)


def _call(schema: Any, definition: dict[str, Any]) -> dict[str, Any]:
    """The schema of a whole call, in which the payload's stands under `properties.properties`.

    Its definitions move up: a reference begins at the top of the document.
    """
    call: dict[str, Any] = {"$schema": DIALECT, "type": "object", "labels": {}}
    if tags := definition.get("tags"):
        call["labels"] = {"tags": tags}
    if isinstance(schema, dict):
        call |= {place: schema[place] for place in DEFINITIONS if place in schema}
        dialect = schema.get("$schema", DIALECT)
        if "schema" in definition:
            call["$schema"] = dialect
        schema = {k: said for k, said in schema.items() if k not in (*DEFINITIONS, "$schema")}
    call["properties"] = {"context": {}, "traits": {}, "properties": schema}
    return call | {"required": ["properties"]}


def _about_place(name: str, schema: dict[str, Any], *, has_rules: bool) -> list[Loss]:
    """What another tool would read otherwise: it judges by draft-07, and the whole call."""
    told = []
    dialect = schema.get("$schema", DIALECT)
    if not has_rules and dialect != DIALECT:
        text = f"`{name}` is written for {dialect}; Segment judges by draft-07."
        told.append(lost("dialect", text, event=name, what=dialect))
    references = [
        part["$ref"]
        for part in containers(schema)
        if isinstance(part, dict) and isinstance(part.get("$ref"), str)
    ]
    if any(not reference.startswith(("#/$defs/", "#/definitions/")) for reference in references):
        text = f"`{name}` refers to parts of its own schema, which Segment looks for elsewhere."
        told.append(lost("reference", text, event=name))
    return told
