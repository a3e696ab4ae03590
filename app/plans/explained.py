"""What a plan's own version adds to a stored event's violations when somebody looks: the rule, and what to send.

Nothing of it is stored with the event: the version that judged it never changes.
"""

from typing import Any

import orjson

from app.plans.current import version_of
from app.store.apps import AppRef
from app.validation.branches import parts
from app.validation.by_rules import RulesEvent
from app.validation.by_schema import SchemaEvent
from app.validation.compile import PlannedEvent
from app.validation.corrected import corrected
from app.validation.document import resolve
from app.validation.paths import BadPath, parse_path
from app.validation.shared import Both


def explained(app: AppRef, entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with `rule` beside each violation that has one, and `corrected`, the payload that was probably
    meant, or None.

    `rule`: what the plan says of the property, as far as it does: path, type, description, owner.
    """
    plan = version_of(app, entry["plan_version"])
    return explained_by(plan.find(entry["name"]) if plan is not None else None, entry)


def explained_by(planned: PlannedEvent | None, entry: dict[str, Any]) -> dict[str, Any]:
    """The same by what a plan says of the event; None: it says nothing."""
    if planned is None or not entry["violations"]:
        return entry | {"corrected": None}
    violations = []
    for violation in entry["violations"]:
        rule = rule_behind(planned, violation["path"])
        violations.append({**violation, "rule": rule} if rule else violation)
    return entry | {"violations": violations, "corrected": corrected(_payload(entry), planned)}


def _payload(entry: dict[str, Any]) -> dict[str, Any]:
    """The payload, which stands in an entry as the text that was stored."""
    return orjson.loads(orjson.dumps(entry["payload"]))


def rule_behind(planned: PlannedEvent, path: str) -> dict[str, Any] | None:
    """What the plan says of the property at a violation's path; None where it says nothing for people to read."""
    if isinstance(planned, Both):
        return rule_behind(planned.own, path) or rule_behind(planned.common, path)
    try:
        steps = parse_path(path)
    except BadPath:  # the payload itself, or a key too long to be a rule's
        return None
    return _rule(planned, steps) if isinstance(planned, RulesEvent) else _described(planned, steps)


def _rule(planned: RulesEvent, steps: list[str | int]) -> dict[str, Any] | None:
    node = planned.root
    for step in steps:
        below = node.each if isinstance(step, int) else node.children.get(node.known(step) or "")
        if below is None:
            return None
        node = below
    if node.rule is None:
        return None
    told = {"description": node.rule.description, "owner": node.rule.owner}
    said = {name: text for name, text in told.items() if text}
    return {"path": node.rule.path, "type": node.rule.type.value, **said}


def _described(planned: SchemaEvent, steps: list[str | int]) -> dict[str, Any] | None:
    """A schema's own words for the property: the first description or title on the way of its references."""
    document = planned.document
    schemas = [document]
    for step in steps:
        found = [part for schema in schemas for part in parts(document, schema)]
        if isinstance(step, int):
            schemas = [part["items"] for part in found if isinstance(part.get("items"), dict)]
        else:
            declared = [part["properties"] for part in found if isinstance(part.get("properties"), dict)]
            schemas = [properties[step] for properties in declared if step in properties]
    for schema in schemas:
        for part in (schema, resolve(document, schema)):
            text = isinstance(part, dict) and (part.get("description") or part.get("title"))
            if isinstance(text, str):
                return {"description": text}
    return None
