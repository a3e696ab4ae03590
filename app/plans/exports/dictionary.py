"""A plan as a data dictionary for people: Markdown, one section per event, one table row per property.

Everything that somebody wrote is escaped: in no reader can it become markup, a link or a table's end.
"""

import re
from typing import Any, Final

from app.plans.content import Content
from app.plans.expected import fields_of
from app.plans.exports.exported import Exported, Loss, lost, settings_lost
from app.validation.by_rules import read_definition
from app.validation.compile import compile_plan
from app.validation.conditions import Condition
from app.validation.model import Severity
from app.validation.preview import preview_options
from app.validation.rules import Rule

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>@:])")
WORDS: Final = {
    "enum": "one of",
    "const": "is",
    "pattern": "matches",
    "format": "is written as",
    "minimum": "at least",
    "maximum": "at most",
    "exclusive_minimum": "more than",
    "exclusive_maximum": "less than",
    "multiple_of": "a multiple of",
    "min_length": "characters, at least",
    "max_length": "characters, at most",
    "min_items": "items, at least",
    "max_items": "items, at most",
    "unique_items": "no item twice:",
    "min_properties": "properties, at least",
    "max_properties": "properties, at most",
}
Definition = dict[str, Any]


def as_markdown(content: Content) -> Exported:
    """The plan as Markdown. It is for reading: nothing reads it back."""
    loss = settings_lost(content)
    compiled = compile_plan(content, 0, is_checked=True)
    lines = ["# Tracking plan", "", f"{len(content['events'])} events.", ""]
    lines += [f"{number}. {escaped(name)}" for number, name in enumerate(content["events"], 1)]
    if common := content.get("common"):
        lines += ["", "## All events", ""]
        lines += _rules(common) if "schema" not in common else ["As the common JSON Schema says."]
    for name, definition in content["events"].items():
        lines += ["", f"## {escaped(name)}", ""]
        for what in ("description", "tags"):
            if said := definition.get(what):
                lines += [escaped(str(said)) if what == "description" else f"Tags: {escaped(str(said))}", ""]
        if "schema" in definition:
            lines += _fields(fields_of(compiled.events[name]))
            loss.append(_only_fields(name))
        else:
            lines += _rules(definition)
    return Exported("\n".join([*lines, ""]).encode(), loss)


def escaped(text: str) -> str:
    """Text that means itself in Markdown, on one line. Entities are of HTML, which Markdown lets through."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return _MARKUP.sub(r"\\\1", text)


def _rules(definition: Definition) -> list[str]:
    rules, conditions, _ = read_definition(definition)
    lines = _table(
        ("Property", "Type", "Required", "What else", "Description", "Owner"), [_rule(rule) for rule in rules]
    )
    if conditions:
        lines += ["", *(f"- {_condition(condition)}" for condition in conditions)]
    return lines if rules or conditions else ["Any payload fits."]


def _rule(rule: Rule) -> tuple[str, ...]:
    notes = [f"{WORDS.get(what, what)} {_limit(limit)}" for what, limit in rule.constraints.items()]
    notes += [f"or {rule.epoch} since 1970"] if rule.epoch else []
    notes += ["may be blank"] if rule.blank else []
    notes += ["its value is never shown"] if rule.private else []
    notes += [f"only {rule.severity.value}"] if rule.severity is not Severity.ERROR else []
    kind = f"{rule.type.value} or null" if rule.nullable else rule.type.value
    needed = "yes" if rule.required else "no"
    return escaped(rule.path), kind, needed, "; ".join(notes), escaped(rule.description), escaped(rule.owner)


def _limit(limit: Any) -> str:
    values = preview_options(limit) if isinstance(limit, list) else [limit]
    return ", ".join(
        escaped(str(value).lower() if isinstance(value, bool) else str(value)) for value in values
    )


def _condition(condition: Condition) -> str:
    premise = {
        "equals": f"is {_limit(condition.value)}",
        "in": f"is one of {_limit(condition.value)}",
        "present": "is there" if condition.value is True else "is not there",
    }[condition.premise]
    then = escaped(".".join(condition.then_steps))
    wanted = "must not be there" if condition.forbidden else f"is {condition.type.value}"
    wanted += " and required" if condition.required and not condition.forbidden else ""
    notes = [f"{WORDS.get(what, what)} {_limit(limit)}" for what, limit in condition.constraints.items()]
    return "; ".join([f"Where {escaped(condition.if_path)} {premise}, {then} {wanted}", *notes]) + "."


def _fields(fields: list[dict[str, Any]]) -> list[str]:
    rows: list[tuple[str, ...]] = [
        (escaped(f["path"]), f["type"], "yes" if f["required"] else "no") for f in fields
    ]
    return (
        _table(("Property", "Type", "Required"), rows) if rows else ["The JSON Schema names no properties."]
    )


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """A table; columns in which nothing stands are left out, but for the first three."""
    kept = [at for at in range(len(heads)) if at < 3 or any(row[at] for row in rows)]  # noqa: PLR2004
    lines = [heads, tuple("---" for _ in heads), *rows]
    return ["| " + " | ".join(line[at] for at in kept) + " |" for line in lines] if rows else []


def _only_fields(name: str) -> Loss:
    text = f"Of the JSON Schema of `{name}` the properties are listed, and nothing else."
    return lost("not_kept", text, event=name)
