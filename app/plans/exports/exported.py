"""What was written of a plan: the file's bytes, and what of the plan is not in them."""

from dataclasses import dataclass, field
from typing import Any, Final

from app.plans.content import Content

Loss = dict[str, Any]
# Of a plan's content, and of an event's definition, what exports know; all else is told as lost.
OF_PLAN: Final = frozenset(("matching", "judging", "common", "bundles", "events"))
OF_EVENT: Final = frozenset(
    ("rules", "conditions", "schema", "bundle", "description", "tags", "unplanned_properties")
)
DEFAULTS: Final = {
    "matching": {"events": "relaxed", "properties": "relaxed"},
    "judging": {
        "types": "strict",
        "unplanned_events": "warning",
        "unplanned_properties": "warning",
    },
}


@dataclass(frozen=True, slots=True)
class Exported:
    """loss: JSON objects with `code`, `message`, and `event`, `path` or `what` where it is about one."""

    body: bytes
    loss: list[Loss] = field(default_factory=list)


class TooLarge(Exception):
    """The format cannot hold so much; the message says what to take instead."""


def lost(code: str, message: str, **place: str | None) -> Loss:
    """One thing that the file does not hold. Codes: not_kept, left_out, folded, reordered, respelled, trimmed,
    becomes_schema, becomes_rules, dialect, reference.
    """
    return {"code": code, **{name: said for name, said in place.items() if said}, "message": message}


def settings_lost(content: Content) -> list[Loss]:
    """The plan's own settings that differ from the defaults, which is what a reader of the file falls back to.

    What it says of unplanned properties is written into each event, which can say so itself.
    """
    told = []
    for group, defaults in DEFAULTS.items():
        for member, default in defaults.items():
            said = (content.get(group) or {}).get(member, default)
            if said == default:
                continue
            what = f"{group}.{member}"
            if member == "unplanned_properties":
                message = f"That unplanned properties are `{said}` stands in every event that has rules."
                told.append(lost("folded", message, what=what))
            else:
                message = f"That the {group} of {member.replace('_', ' ')} is `{said}` is not in the file."
                told.append(lost("not_kept", message, what=what))
    unknown = [what for what in content if what not in OF_PLAN and content[what]]
    return told + [
        lost("not_kept", f"The plan's `{what}` is not in the file.", what=what) for what in unknown
    ]


def members_lost(name: str, definition: dict[str, Any]) -> list[Loss]:
    """What an event's definition says that no export knows."""
    return [
        lost("not_kept", f"`{what}` of `{name}` is not in the file.", event=name, what=what)
        for what, said in definition.items()
        if what not in OF_EVENT and said
    ]
