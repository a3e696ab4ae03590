"""A tracking sheet's columns: by which names they are known, and what the words in their cells mean."""

import math
import re
from collections.abc import Sequence
from typing import Any, Final

import orjson

from app.validation.model import Severity
from app.validation.types import Type

# Each column under all its names, without case and punctuation. The first is the reference sheet's own.
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "event": ("eventname", "event"),
    "path": (
        "eventpayload",
        "payload",
        "property",
        "propertyname",
        "propertypath",
        "field",
        "fieldname",
        "path",
    ),
    "type": ("datatype", "type", "propertytype", "propertyvaluetype", "propertydatatype"),
    "required": ("required", "isrequired", "mandatory", "ispropertyrequired", "propertyrequired"),
    "condition": ("condition", "conditions"),
    "nullable": ("nullable", "isnullable", "allownull"),
    "is_array": ("ispropertyarray", "isarray", "propertyisarray"),
    "kind": ("propertykind",),
    "event_description": ("eventdescription", "eventdefinition"),
    "event_tags": ("eventtags", "eventcategory"),
    "severity": ("severity",),
    "description": ("description", "propertydescription", "comment", "notes"),
    "owner": ("owner",),
    "enum": (
        "allowedvalues",
        "enum",
        "enumvalues",
        "permittedvalues",
        "propertyenumerationoptions",
        "values",
    ),
    "const": ("const", "fixedvalue", "pinnedvalue"),
    "pattern": ("pattern", "regex", "propertyregex", "expectedpattern"),
    "format": ("format",),
    "minimum": ("min", "minimum", "minvalue"),
    "maximum": ("max", "maximum", "maxvalue"),
    "min_length": ("minlength",),
    "max_length": ("maxlength",),
    "min_items": ("minitems", "arrayminitems"),
    "max_items": ("maxitems", "arraymaxitems"),
    "unique_items": ("uniqueitems", "arrayuniqueitems"),
    "exclusive_minimum": ("exclusiveminimum", "exclusivemin"),
    "exclusive_maximum": ("exclusivemaximum", "exclusivemax"),
    "multiple_of": ("multipleof",),
    "min_properties": ("minproperties",),
    "max_properties": ("maxproperties",),
    "blank": ("blank", "maybeblank"),
    "epoch": ("epoch",),
    "private": ("private", "isprivate"),
    "unplanned": ("unplannedproperties",),
}
CONSTRAINTS: Final = (
    *("enum", "const", "pattern", "format", "minimum", "maximum"),
    *("exclusive_minimum", "exclusive_maximum", "multiple_of"),
    *("min_length", "max_length", "min_items", "max_items", "unique_items"),
    *("min_properties", "max_properties"),
)
# What a sheet says of an event, under the name that an event's definition has for it.
OF_EVENT: Final = {
    "event_description": "description",
    "event_tags": "tags",
    "unplanned": "unplanned_properties",
}
# Properties of somebody or something else than the event.
FOREIGN_KINDS: Final = frozenset(
    {"user", "user property", "system", "system property", "group", "group property"}
)
TYPES: Final[dict[str, Type]] = {
    **dict.fromkeys(("text", "string", "str", "varchar", "char"), Type.TEXT),
    **dict.fromkeys(("integer", "int", "long", "bigint", "whole number"), Type.INTEGER),
    **dict.fromkeys(("number", "float", "double", "decimal", "numeric"), Type.NUMBER),
    **dict.fromkeys(("boolean", "bool"), Type.BOOLEAN),
    **dict.fromkeys(("date",), Type.DATE),
    **dict.fromkeys(("datetime", "date-time", "date time", "timestamp"), Type.DATETIME),
    **dict.fromkeys(("array", "list"), Type.ARRAY),
    **dict.fromkeys(("object", "json", "map", "dict", "struct"), Type.OBJECT),
    **dict.fromkeys(("any",), Type.ANY),
}
YES: Final = frozenset(("true", "yes", "y", "1", "x", "required", "mandatory", "always"))
NO: Final = frozenset(("", "false", "no", "n", "0", "-", "optional", "never"))
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}")
_INTEGERS: Final = range(-(2**63), 2**64)  # that JSON is kept with here
# As a double is written out in full, with an exponent or without.
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,25}(?:\.[0-9]{1,25}(?:[eE][+-]?[0-9]{1,3})?|[eE][+-]?[0-9]{1,3})")


def recognise(header: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Where each known column stands, and the names of those that are not known. The first of two equals
    counts.
    """
    found: dict[str, int] = {}
    unknown: list[str] = []
    by_name = {name: column for column, names in COLUMNS.items() for name in names}
    bare = [re.sub(r"[\W_]+", "", title.lower()) for title in header]
    if (
        "propertyvaluetype" in bare
    ):  # as Avo's template has it: then this other column says whose property it is
        by_name["propertytype"] = "kind"
    for position, title in enumerate(header):
        column = by_name.get(bare[position])
        if column is not None and column not in found:
            found[column] = position
        elif title:
            unknown.append(title)
    return found, unknown


def flag(cell: str) -> bool | None:
    """What a yes-or-no cell says; None where it says neither."""
    word = cell.strip().rstrip("?!.").lower()
    return True if word in YES else False if word in NO else None


def type_of(cell: str) -> Type | None:
    """The type that a cell names, or None."""
    return TYPES.get(re.sub(r"[\s_]+", " ", cell.strip().lower()))


def severity(cell: str) -> Severity | None:
    """The severity that a cell names, or None."""
    word = cell.strip().lower()
    return Severity(word) if word in list(Severity) else None


def number(cell: str) -> int | float | str:
    """The number in a cell; the text itself where there is none, for the constraint's own check to name."""
    text = cell.strip()
    if _INTEGER.fullmatch(text):
        return int(text) if int(text) in _INTEGERS else float(text)
    return float(text) if _DECIMAL.fullmatch(text) and math.isfinite(float(text)) else text


def value(cell: str, kind: Type | None) -> Any:
    """The value of the rule's type that a cell writes; the text itself where it is none of that type.

    A JSON array of one value stands for that value: so a sheet can write what would be misread as it is.
    """
    text = cell.strip()
    if text.startswith("[") and (listed := _array(text)) is not None and len(listed) == 1:
        return listed[0]
    if kind in (Type.INTEGER, Type.NUMBER):
        return number(text)
    if kind is Type.BOOLEAN:
        return {"true": True, "false": False}.get(text.lower(), text)
    return text


def values(cell: str, kind: Type | None) -> list[Any]:
    """The values of a list in one cell: a JSON array, or separated by `|`, line breaks, `;` or `,`."""
    if cell.startswith("[") and (listed := _array(cell)) is not None:
        return listed
    separator = next((s for s in ("|", "\n", ";", ",") if s in cell), ",")
    return [value(part, kind) for part in cell.split(separator) if part.strip()]


def _array(cell: str) -> list[Any] | None:
    try:
        listed = orjson.loads(cell)
    except orjson.JSONDecodeError:
        return None
    return listed if isinstance(listed, list) else None


def constraint(column: str, cell: str, kind: Type | None) -> Any:
    """The limit that a constraint's cell states."""
    match column:
        case "enum":
            return values(cell, kind)
        case "const":
            return value(cell, kind)
        case "pattern":
            return cell
        case "format":
            return cell.strip().lower()
        case "unique_items":
            said = flag(cell)
            return cell if said is None else said
    return number(cell)
