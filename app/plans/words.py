"""Changes of a plan as sentences."""

from typing import Any, Final

from app.plans.diff import Change
from app.validation.preview import preview, preview_options

SENTENCES: Final = {
    "setting_changed": "The plan's {what} changed from {before} to {after}.",
    "event_renamed": "{event} was renamed to {after}.",
    "event_removed": "{event} was removed: it is unplanned now.",
    "event_added": "{event} was added.",
    "event_respelled": "{before} is now written {after}.",
    "became_schema": "{event} is now described by a JSON Schema instead of rules.",
    "became_rules": "{event} is now described by rules instead of a JSON Schema.",
    "schema_changed": "The JSON Schema of {event} changed.",
    "property_removed": "{path} of {event} was removed.",
    "property_added": "{path} of {event} was added as {after}, optional.",
    "required_property_added": "{path} of {event} was added as {after}, required.",
    "property_respelled": "{before} of {event} is now written {after}.",
    "type_changed": "{path} of {event} changed from {before} to {after}.",
    "became_required": "{path} of {event} became required.",
    "became_optional": "{path} of {event} became optional.",
    "became_nullable": "{path} of {event} may be null now.",
    "became_not_nullable": "{path} of {event} must not be null any more.",
    "severity_changed": "{path} of {event} weighs as {after} instead of {before}.",
    "constraint_removed": "{path} of {event} lost its {what} {before}.",
    "constraint_added": "{path} of {event} got the {what} {after}.",
    "constraint_changed": "The {what} of {path} of {event} changed from {before} to {after}.",
    "values_removed": "{path} of {event} no longer allows {before}.",
    "values_added": "{path} of {event} now also allows {after}.",
    "condition_removed": "{path} of {event} no longer depends on {before}.",
    "condition_added": "{path} of {event} is required now where {after}.",
    "note_changed": "The {what} of {place} changed.",
}


def sentence(change: Change) -> str:
    """The change in words."""
    place = f"`{change.path}` of `{change.event}`" if change.path else f"`{change.event}`"
    return SENTENCES[change.code].format(
        event=f"`{change.event}`",
        path=f"`{change.path}`",
        place=place,
        what=(change.what or "").replace("_", " "),
        before=_value(change.before),
        after=_value(change.after),
    )


def _value(value: Any) -> str:
    if isinstance(value, dict) and "if" in value and "equals" in value:
        return f"`{value['if']}` being `{preview(value['equals'])}`"
    if isinstance(value, list):
        return ", ".join(f"`{option}`" for option in preview_options(value))
    if value is None:
        return "nothing"
    return f"`{str(value).lower() if isinstance(value, bool) else preview(value)}`"


def as_json(change: Change) -> dict[str, Any]:
    """A change as the API tells it."""
    told = {"weight": change.weight.value, "code": change.code, "event": change.event, "path": change.path}
    return {member: value for member, value in told.items() if value is not None} | {
        "message": sentence(change)
    }
