"""The types that a rule can ask for: the words for them, and what each accepts."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final


class Type(StrEnum):
    """A rule's type, in the product's words."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    ARRAY = "array"
    OBJECT = "object"
    ANY = "any"


# What each type is in JSON Schema. A number accepts 12 as 12.0, and JSON Schema's integer accepts 12.0 as 12:
# JSON itself does not tell the two apart, and JavaScript sends either.
SCHEMAS: Final[dict[Type, dict[str, Any]]] = {
    Type.TEXT: {"type": "string"},
    Type.INTEGER: {"type": "integer"},
    Type.NUMBER: {"type": "number"},
    Type.BOOLEAN: {"type": "boolean"},
    Type.DATE: {"type": "string", "format": "live-date"},
    Type.DATETIME: {"type": "string", "format": "live-datetime"},
    Type.ARRAY: {"type": "array"},
    Type.OBJECT: {"type": "object"},
    Type.ANY: {},
}

# JSON Schema's words for types, in ours.
WORDS: Final = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
    "null": "null",
}

SHORTEST_DATETIME: Final = len("2025-11-03T10:30")
LONGEST_DATETIME: Final = len("2025-11-03T10:30:00.123456789+05:30")


def is_date(text: str) -> bool:
    """A day of the real calendar, `2025-11-03`, or such a day with a time: the sheets' word "date" covers
    both.
    """
    if len(text) != len("2025-11-03"):
        return is_datetime(text)
    return _is_day(text)


def is_datetime(text: str) -> bool:
    """A day of the real calendar with a time: ISO 8601 (zone optional), or with a space, `2025-11-03
    10:30:00`.
    """
    if (
        not SHORTEST_DATETIME <= len(text) <= LONGEST_DATETIME
        or text[10] not in "Tt "
        or not _is_day(text[:10])
    ):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_day(text: str) -> bool:
    # Only the extended form: 20251103 is as likely a number, and week dates are never meant.
    if text[4] != "-" or text[7] != "-":
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


FORMATS: Final = {"live-date": is_date, "live-datetime": is_datetime}

_WORD_OF: Final = {
    str: "text",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
}


def word_for(value: Any) -> str:
    """The word for a JSON value's type."""
    return "null" if value is None else _WORD_OF.get(type(value), "unknown")


def word_for_date(text: str) -> str:
    """The word for a text where a date or datetime was asked for."""
    if is_datetime(text):
        return "datetime"
    return "date" if is_date(text) else "text"


def looks_like_a_date(text: str) -> bool:
    """Whether somebody meant a date, even one that no calendar has: digits with a date's punctuation."""
    return len(text) >= 6 and text[0].isdigit() and not set(text) - set("0123456789-/.:+TtZz ")  # noqa: PLR2004


def one_of(words: list[str]) -> str:
    """Several type words as one: "text or null". null comes last, and number swallows integer."""
    unique = list(dict.fromkeys(words))
    if "number" in unique and "integer" in unique:
        unique.remove("integer")
    if "null" in unique:
        unique.remove("null")
        unique.append("null")
    return " or ".join(unique)
