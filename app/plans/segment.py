"""A Segment tracking plan: `plan.json` as Typewriter keeps it, or the rules of Segment's Public API.

plan.json: `{"rules": {"events": [{"name", "description", "rules": <schema>}], "global", "identify_traits", …}}`; the
Public API: `{"data": {"rules": [{"type": "TRACK", "key", "jsonSchema"}]}}`, also without `data`, or the list alone.
In either the schema is one of the whole call, whose `properties.properties` is the schema of what we call the payload.
Source: github.com/segmentio/typewriter, tests/e2e/…/plan.json; github.com/segmentio/public-api-sdk-python, RuleV1.
"""

from typing import Any, Final

from app.plans.content import empty
from app.plans.imported import Imported
from app.plans.reading import Reading
from app.plans.schema_bundle import checked, parse
from app.validation.document import DEFINITIONS
from app.validation.problems import PlanInvalid, Problem

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
Loss = dict[str, Any]


def read(body: bytes, _reading: Reading) -> Imported:
    """The plan in a file's bytes; problems name the event and the place in its schema."""
    try:
        calls, loss = _calls(parse(body))
        content = empty() | {"bundles": {"1": {"dialect": DIALECT}}}
        for name, description, schema in calls:
            definition, lost = _event(name, description, schema)
            if name in content["events"]:
                raise PlanInvalid(
                    [Problem("duplicate_event", "The event stands twice in the plan.", event=name)]
                )
            content["events"][name] = definition
            loss += lost
        return checked(content, loss)
    except PlanInvalid as invalid:
        return Imported(problems=invalid.problems)


def _calls(plan: Any) -> tuple[list[tuple[str, Any, Any]], list[Loss]]:
    """Name, description and schema of each track call, and what else the plan holds."""
    if isinstance(plan, dict) and isinstance(plan.get("data"), dict):
        plan = plan["data"]
    rules = plan.get("rules") if isinstance(plan, dict) else plan
    if isinstance(rules, dict) and isinstance(rules.get("events"), list):
        events = [event for event in rules["events"] if isinstance(event, dict)]
        loss = [
            _lost(part, f"`{part}` is not kept: a plan holds events.")
            for part in rules
            if part != "events" and rules[part]
        ]
        return [(str(e.get("name", "")), e.get("description"), e.get("rules")) for e in events], loss
    if (
        isinstance(rules, list)
        and rules
        and all(isinstance(rule, dict) and "jsonSchema" in rule for rule in rules)
    ):
        tracks = [rule for rule in rules if rule.get("type") == "TRACK"]
        loss = [
            _lost(
                str(rule.get("type")),
                f"The rule of type `{rule.get('type')}` is not kept: a plan holds track events.",
            )
            for rule in rules
            if rule.get("type") != "TRACK"
        ]
        return [(str(rule.get("key", "")), None, rule["jsonSchema"]) for rule in tracks], loss
    message = "This is no Segment tracking plan: it has neither `rules.events` nor a list of rules with `jsonSchema`."
    raise PlanInvalid([Problem("not_segment", message)])


def _event(name: str, description: Any, call: Any) -> tuple[dict[str, Any], list[Loss]]:
    """The event that a call's schema describes, and what of that schema is not kept."""
    if not isinstance(call, dict):
        raise PlanInvalid([Problem("not_a_schema", "A rule's schema is an object.", event=name)])
    parts = call.get("properties")
    parts = parts if isinstance(parts, dict) else {}
    schema = parts.get("properties", {})
    if not isinstance(schema, (dict, bool)):
        raise PlanInvalid([Problem("not_a_schema", "`properties.properties` is a schema.", event=name)])
    if isinstance(schema, dict):
        schema = {
            **schema,
            **{place: call[place] for place in DEFINITIONS if place in call and place not in schema},
        }
        if isinstance(dialect := call.get("$schema"), str) and dialect != DIALECT:
            schema.setdefault("$schema", dialect)
    loss = [
        _lost(part, f"`{part}` of `{name}` is not kept: only the event's own properties are judged.")
        for part, said in parts.items()
        if part != "properties" and said
    ]
    definition: dict[str, Any] = {"schema": schema, "bundle": "1"}
    labels = call.get("labels")
    if isinstance(labels, dict) and labels.keys() == {"tags"} and isinstance(labels["tags"], str):
        definition["tags"] = labels["tags"]
    elif labels:
        loss.append(_lost("labels", f"The labels of `{name}` are not kept."))
    if isinstance(text := description or call.get("description"), str) and text:
        definition["description"] = text
    return definition, loss


def _lost(part: str, message: str) -> Loss:
    return {"code": "not_kept", "what": part[:100], "message": message}
