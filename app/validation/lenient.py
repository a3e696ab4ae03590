"""What a lenient plan takes a text for: the number or the truth value that it writes, where a rule wants one."""

from collections.abc import Callable
from typing import Any, Final

from app.validation import explain
from app.validation.tree import Node, Way
from app.validation.types import Type

_WANTED: Final = (Type.INTEGER, Type.NUMBER, Type.BOOLEAN)
Note = Callable[[Node, Way, str], None]


def as_meant(node: Node, value: Any, way: Way, note: Note) -> Any:
    """The value with such texts replaced; the same object where there are none.

    `note` hears of each: its node, its place, and the text itself.
    """
    if type(value) is str:
        meant = _meaning(node.type, value)
        if meant is not None:
            note(node, way, value)
        return value if meant is None else meant
    if node.each is not None and type(value) is list:
        items = [as_meant(node.each, item, (*way, index), note) for index, item in enumerate(value)]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if not node.children or type(value) is not dict:
        return value
    changed = {}
    for key, child in node.children.items():
        if key not in value:
            continue
        meant = as_meant(child, value[key], (*way, key), note)
        if meant is not value[key]:
            changed[key] = meant
    return {**value, **changed} if changed else value


def _meaning(wanted: Type, text: str) -> int | float | bool | None:
    if wanted not in _WANTED:
        return None
    written = explain.unquoted(text, [wanted.value])
    if written is None:
        return None
    if wanted is Type.BOOLEAN:
        return written == "true"
    return float(written) if "." in written else int(written)
