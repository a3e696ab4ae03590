"""The types that a rule can ask for: the words for them, and what each accepts."""

import re
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

# The real calendar as a pattern: with it the schema of a rule is plain JSON Schema, and a date costs no call
# into Python. The year is not 0000; months have their days, and the 29th of February its leap years.
_YEAR: Final = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_LEAP_YEAR: Final = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY_OF_YEAR: Final = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
# Only the extended form: 20251103 is as likely a number, and week dates are never meant.
_DAY: Final = f"(?:{_YEAR}-{_DAY_OF_YEAR}|{_LEAP_YEAR}-02-29)"
_ZONE: Final = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"
_TIME: Final = f"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{{1,9}})?)?{_ZONE}?"
DATETIME_PATTERN: Final = f"^{_DAY}[Tt ]{_TIME}$"
DATE_PATTERN: Final = f"^{_DAY}(?:[Tt ]{_TIME})?$"
DATES: Final = frozenset((Type.DATE, Type.DATETIME))
# The numbers that are moments: since 1970, and so that neither unit is taken for the other (100 milliard
# seconds are the year 5138, as many milliseconds are 1973).
EPOCHS: Final = {"seconds": (0, 99_999_999_999), "milliseconds": (100_000_000_000, 99_999_999_999_999)}
_DATETIME: Final = re.compile(DATETIME_PATTERN)
_DATE: Final = re.compile(DATE_PATTERN)


# What each type is in JSON Schema. A number accepts 12 as 12.0, and JSON Schema's integer accepts 12.0 as 12:
# JSON itself does not tell the two apart, and JavaScript sends either.
SCHEMAS: Final[dict[Type, dict[str, Any]]] = {
    Type.TEXT: {"type": "string"},
    Type.INTEGER: {"type": "integer"},
    Type.NUMBER: {"type": "number"},
    Type.BOOLEAN: {"type": "boolean"},
    Type.DATE: {"type": "string", "pattern": DATE_PATTERN},
    Type.DATETIME: {"type": "string", "pattern": DATETIME_PATTERN},
    Type.ARRAY: {"type": "array"},
    Type.OBJECT: {"type": "object"},
    Type.ANY: {},
}


def is_date(text: str) -> bool:
    """A day of the real calendar, `2025-11-03`, or such a day with a time: the sheets' word "date" covers
    both.
    """
    return _DATE.fullmatch(text) is not None


def is_datetime(text: str) -> bool:
    """A day of the real calendar with a time: ISO 8601 (zone optional), or with a space, `2025-11-03
    10:30:00`.
    """
    return _DATETIME.fullmatch(text) is not None


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
