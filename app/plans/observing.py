"""What payloads hold, place by place: how often each is there, of which types, with which values, in which range.

Only counts are kept, and of values as many as could be a list of options: a sample of any size takes what its widest
event takes. Road not taken: genson, which tells types and what is always there, but forgets how often it saw them.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import jsonschema_rs

from app.validation.formats import PATTERNS
from app.validation.paths import EACH, relax
from app.validation.types import is_date, is_datetime, word_for

# More different keys than these are no properties: somebody uses an object as a map.
MOST_KEYS: Final = 100
MOST_LEVELS: Final = 10
MOST_VALUES: Final = 50
LONGEST_VALUE: Final = 64
LONGEST_KEY: Final = 200
# A format is asked of so many texts at most; one that all of them have.
MOST_ASKED: Final = 200
_CHECKED: Final = ("uuid", "email", "uri", "ipv4", "ipv6")
# Three capital letters are a currency only where somebody says so.
_NAMED: Final = ("currency", "country", "semver")
_VERSION: Final = re.compile("version|semver|release", re.IGNORECASE)


def _checkers() -> dict[str, Any]:
    found = {
        name: jsonschema_rs.validator_for({"type": "string", "format": name}, validate_formats=True).is_valid
        for name in _CHECKED
    }
    found["uri"] = _both(found["uri"], lambda text: "://" in text)
    return found | {name: re.compile(PATTERNS[name]).fullmatch for name in _NAMED}


def _both(one: Any, other: Any) -> Any:
    return lambda text: one(text) and other(text)


CHECKERS: Final = _checkers()


@dataclass(slots=True)
class Place:
    """One property, or every element of an array, as far as it was seen.

    there: how often it was there at all; of: how often it could have been. spellings: of its key.
    """

    key: str = ""
    there: int = 0
    of: int = 0
    types: Counter[str] = field(default_factory=Counter)
    spellings: Counter[str] = field(default_factory=Counter)
    values: Counter[Any] = field(default_factory=Counter)
    has_more_values: bool = False
    least: float | None = None  # of numbers; of texts their length
    most: float | None = None
    blanks: int = 0
    dates: int = 0
    datetimes: int = 0
    formats: set[str] | None = None  # those that all texts have so far
    asked: int = 0
    children: dict[str, "Place"] = field(default_factory=dict)
    each: "Place | None" = None
    is_map: bool = False

    @property
    def name(self) -> str:
        """The spelling that was seen most often."""
        return self.spellings.most_common(1)[0][0] if self.spellings else self.key

    def see(self, value: Any, depth: int = 0, *, relaxed: bool = True) -> None:
        """Take in a value that stands at this place."""
        self.there += 1
        word = word_for(value)
        self.types[word] += 1
        match value:
            case dict():
                self._see_object(value, depth, relaxed=relaxed)
            case list():
                self._see_array(value, depth, relaxed=relaxed)
            case str():
                self._see_text(value)
            case bool() | None:
                pass
            case int() | float():
                self._range(value)
                self._note(value)

    def _see_object(self, value: dict[str, Any], depth: int, *, relaxed: bool) -> None:
        if depth >= MOST_LEVELS or self.is_map:
            return
        for key, item in value.items():
            if key == EACH or len(key) > LONGEST_KEY:  # no rule can name it
                self.is_map = True
                continue
            known = relax(key) if relaxed else key
            child = self.children.get(known)
            if child is None:
                child = self.children[known] = Place(key)
            child.spellings[key] += 1
            child.see(item, depth + 1, relaxed=relaxed)
        if len(self.children) > MOST_KEYS or self.is_map:
            self.is_map = True
            self.children.clear()

    def _see_array(self, value: list[Any], depth: int, *, relaxed: bool) -> None:
        self._range(len(value))
        if depth >= MOST_LEVELS:
            return
        if self.each is None:
            self.each = Place(EACH)
        for item in value:
            self.each.see(item, depth + 1, relaxed=relaxed)

    def _see_text(self, text: str) -> None:
        self.blanks += not text.strip()
        self.dates += is_date(text)
        self.datetimes += is_datetime(text)
        self._range(len(text))
        self._note(text)
        if self.asked < MOST_ASKED and self.formats != set():
            self.asked += 1
            has = {name for name in self.formats or CHECKERS if CHECKERS[name](text)}
            self.formats = has if self.formats is None else self.formats & has
        elif self.formats:
            self.formats = {name for name in self.formats if CHECKERS[name](text)}

    def _range(self, size: float) -> None:
        self.least = size if self.least is None else min(self.least, size)
        self.most = size if self.most is None else max(self.most, size)

    def _note(self, value: Any) -> None:
        if value in self.values:
            self.values[value] += 1
        elif len(self.values) < MOST_VALUES and not (isinstance(value, str) and len(value) > LONGEST_VALUE):
            self.values[value] = 1
        else:
            self.has_more_values = True

    def settle(self, of: int) -> None:
        """Say how often each place below could have been there; once, when all was seen."""
        self.of = of
        objects = self.types["object"]
        for child in self.children.values():
            child.settle(objects)
        if self.each is not None:
            self.each.settle(self.each.there)

    def below(self, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], "Place"]]:
        """Every place below this one with the steps to it, in the order in which they were first seen."""
        for child in self.children.values():
            yield (*way, child.name), child
            yield from child.below((*way, child.name))
        if self.each is not None:
            yield (*way, EACH), self.each
            yield from self.each.below((*way, EACH))

    def fitting_format(self) -> str | None:
        """The format that all texts have; those that any short text could have by chance only under a telling name."""
        for name in (*_CHECKED, *_NAMED):
            if name not in (self.formats or ()):
                continue
            if (
                name in _CHECKED
                or name in self.name.lower()
                or (name == "semver" and _VERSION.search(self.name))
            ):
                return name
        return None
