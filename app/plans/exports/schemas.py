"""A plan as JSON Schemas: one object, event name → schema, as the import reads it and any validator understands it.

Rules become a schema with notes (app/validation/translate.py), so that they come back as rules.
"""

from typing import Any, Final

import orjson

from app.plans.content import Content
from app.plans.event_note import noted
from app.plans.exports.exported import Exported, Loss, lost, members_lost, settings_lost
from app.validation import options
from app.validation.by_rules import read_definition
from app.validation.document import DEFINITIONS, build
from app.validation.paths import relax
from app.validation.translate import rules_as_schema, schema_as_rules

DIALECT: Final = "$schema"
# Keys that belong to the bundle: no event of these names can stand in it.
RESERVED: Final = frozenset((DIALECT, *DEFINITIONS))
Definition = dict[str, Any]


def as_bundle(content: Content) -> Exported:
    """The plan as a bundle of JSON Schemas."""
    loss = settings_lost(content)
    shared = _shared(content)
    bundle: dict[str, Any] = dict(shared)
    if "dialect" in bundle:
        bundle[DIALECT] = bundle.pop("dialect")
    for name, definition in content["events"].items():
        if name in RESERVED:
            text = f"`{name}` is left out: in a bundle of schemas this key is the bundle's own."
            loss.append(lost("left_out", text, event=name))
            continue
        schema, told = schema_of(name, definition, content, shared)
        bundle[name] = noted(schema, definition, described=False) if isinstance(schema, dict) else schema
        loss += told + [_unnoted(name)] * (isinstance(schema, bool) and bool(definition.get("description")))
    loss += common_lost(content)
    return Exported(orjson.dumps(bundle, option=orjson.OPT_INDENT_2), loss)


def schema_of(
    name: str, definition: Definition, content: Content, shared: dict[str, Any]
) -> tuple[Any, list[Loss]]:
    """The event's schema, and what of the event does not come back from it. shared: the file's own bundle.

    An event of another bundle brings its definitions and its dialect along.
    """
    loss = members_lost(name, definition)
    if "schema" not in definition:
        common = content.get("common") or {}
        folded = common if "schema" not in common else None
        told = rules_as_schema(definition, options.read(content), folded)
        return told, loss + _changed(name, definition, folded, told)
    bundle = content["bundles"].get(definition.get("bundle", ""), {})
    schema: Any = definition["schema"]
    if bundle != shared and isinstance(schema, dict):
        schema = build(schema, bundle.get("dialect"), {place: bundle.get(place, {}) for place in DEFINITIONS})
    return schema, loss


def common_lost(content: Content) -> list[Loss]:
    """What becomes of what is common to all events."""
    common = content.get("common") or {}
    if not common:
        return []
    if "schema" in common:
        return [lost("not_kept", "The common JSON Schema is not in the file.", what="common")]
    told = [lost("folded", "The common rules stand in every event that has rules.", what="common")]
    for name, definition in content["events"].items():
        if "schema" in definition:
            text = f"The common rules are not in the JSON Schema of `{name}`."
            told.append(lost("not_kept", text, event=name, what="common"))
    return told


def _shared(content: Content) -> dict[str, Any]:
    """The bundle that all events have; of several none, for the file's definitions would hide an event's own."""
    used = {definition["bundle"] for definition in content["events"].values() if "bundle" in definition}
    return content["bundles"].get(used.pop(), {}) if len(used) == 1 else {}


def _unnoted(name: str) -> Loss:
    return lost(
        "not_kept", f"The description of `{name}` is not in the file.", event=name, what="description"
    )


def _changed(name: str, definition: Definition, common: Definition | None, schema: Any) -> list[Loss]:
    """What is otherwise when the schema is read as rules again; found by reading it."""
    told, problems = schema_as_rules(schema)
    if told is None:
        text = f"`{name}` comes back as a JSON Schema: {problems[0].message}"
        return [lost("becomes_schema", text, event=name)]
    before, _, _ = read_definition(definition)
    after, _, _ = read_definition(told)
    own = {relax(rule.path) for rule in before}
    before += [rule for rule in read_definition(common or {})[0] if relax(rule.path) not in own]
    if [rule.path for rule in before] == [rule.path for rule in after]:
        return []
    if {rule.path for rule in before} == {rule.path for rule in after}:
        text = (
            f"The rules of `{name}` come back in another order: what belongs to one object stands together."
        )
        return [lost("reordered", text, event=name)]
    text = f"Some properties of `{name}` are spelled otherwise: one spelling for each object."
    return [lost("respelled", text, event=name)]
