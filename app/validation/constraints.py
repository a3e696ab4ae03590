"""The constraints that a rule can carry: what each is in JSON Schema, and which types it fits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from app.validation.branches import is_among
from app.validation.engine import pattern_problem
from app.validation.formats import FORMATS, PATTERNS
from app.validation.problems import Problem
from app.validation.types import WORDS, Type, is_date, is_datetime

MOST_VALUES: Final = 10_000
# Below this, dividing loses all digits that a double has.
LEAST_MULTIPLE: Final = 1e-9
# What a required value of type `any` can be: anything but null.
NOT_NULL: Final = [word for word in WORDS if word not in ("null", "integer")]
NOT_BLANK: Final = {"pattern": r"\S"}
_SCALARS: Final = frozenset(set(Type) - {Type.ARRAY, Type.OBJECT})
_NUMBERS: Final = frozenset((Type.INTEGER, Type.NUMBER))
_TEXT: Final = frozenset((Type.TEXT,))
_ARRAY: Final = frozenset((Type.ARRAY,))
_OBJECT: Final = frozenset((Type.OBJECT,))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint. `accepts` tells whether a value can be its limit; `limit` says which can, in words."""

    keyword: str
    types: frozenset[Type]
    accepts: Callable[[Any], bool]
    limit: str


CONSTRAINTS: Final = {
    "enum": Constraint(
        "enum",
        _SCALARS,
        lambda v: isinstance(v, list) and 0 < len(v) <= MOST_VALUES,
        "a list of 1 to 10,000 values",
    ),
    "const": Constraint("const", _SCALARS, lambda v: v is not None, "a value"),
    "pattern": Constraint("pattern", _TEXT, _is_text, "a regular expression"),
    "format": Constraint("format", _TEXT, FORMATS.__contains__, "one of " + ", ".join(sorted(FORMATS))),
    "minimum": Constraint("minimum", _NUMBERS, _is_number, "a number"),
    "maximum": Constraint("maximum", _NUMBERS, _is_number, "a number"),
    "exclusive_minimum": Constraint("exclusiveMinimum", _NUMBERS, _is_number, "a number"),
    "exclusive_maximum": Constraint("exclusiveMaximum", _NUMBERS, _is_number, "a number"),
    "multiple_of": Constraint(
        "multipleOf", _NUMBERS, lambda v: _is_number(v) and v >= LEAST_MULTIPLE, "a number from 1e-9"
    ),
    "min_length": Constraint("minLength", _TEXT, _is_count, "a whole number from 0"),
    "max_length": Constraint("maxLength", _TEXT, _is_count, "a whole number from 0"),
    "min_items": Constraint("minItems", _ARRAY, _is_count, "a whole number from 0"),
    "max_items": Constraint("maxItems", _ARRAY, _is_count, "a whole number from 0"),
    "unique_items": Constraint("uniqueItems", _ARRAY, lambda v: isinstance(v, bool), "true or false"),
    "min_properties": Constraint("minProperties", _OBJECT, _is_count, "a whole number from 0"),
    "max_properties": Constraint("maxProperties", _OBJECT, _is_count, "a whole number from 0"),
}

_PAIRS: Final = (
    *(("minimum", "maximum"), ("exclusive_minimum", "maximum"), ("minimum", "exclusive_maximum")),
    ("exclusive_minimum", "exclusive_maximum"),
    *(("min_length", "max_length"), ("min_items", "max_items"), ("min_properties", "max_properties")),
)
_VALUES_OF: Final[dict[Type, Callable[[Any], bool]]] = {
    Type.TEXT: _is_text,
    Type.INTEGER: lambda v: _is_number(v) and v == int(v),
    Type.NUMBER: _is_number,
    Type.BOOLEAN: lambda v: isinstance(v, bool),
    Type.DATE: lambda v: isinstance(v, str) and is_date(v),
    Type.DATETIME: lambda v: isinstance(v, str) and is_datetime(v),
}


def check(kind: Type, constraints: dict[str, Any]) -> list[Problem]:
    """What is wrong with a rule's constraints. Codes: bad_constraint, bad_pattern, contradiction."""
    problems = []
    for name, limit in constraints.items():
        problem = _check_one(kind, name, limit)
        if problem:
            problems.append(problem)
    return problems or _contradictions(constraints)


def _check_one(kind: Type, name: str, limit: Any) -> Problem | None:
    known = CONSTRAINTS.get(name)
    if known is None:
        return Problem("bad_constraint", f"There is no constraint `{name}`.")
    if kind not in known.types:
        fitting = ", ".join(sorted(known.types))
        return Problem("bad_constraint", f"`{name}` fits {fitting}, but the type is {kind}.")
    if not known.accepts(limit):
        return Problem("bad_constraint", f"`{name}` must be {known.limit}, not `{str(limit)[:100]}`.")
    if name == "pattern" and (reason := pattern_problem(limit)):
        return Problem("bad_pattern", f"The pattern `{limit[:200]}` is refused: {reason}.")
    if name in ("enum", "const"):
        fits = _VALUES_OF.get(kind, lambda _: True)
        for value in limit if name == "enum" else [limit]:
            if not fits(value):
                return Problem("bad_constraint", f"`{str(value)[:100]}` in `{name}` is not of type {kind}.")
    return None


def _contradictions(constraints: dict[str, Any]) -> list[Problem]:
    problems = []
    for least, most in _PAIRS:
        if least not in constraints or most not in constraints:
            continue
        low, high = constraints[least], constraints[most]
        if low > high or (low == high and "exclusive" in least + most):
            text = f"No value can fit: `{least}` {low} and `{most}` {high} leave none."
            problems.append(Problem("contradiction", text))
    if (
        "enum" in constraints
        and "const" in constraints
        and not is_among(constraints["const"], constraints["enum"])
    ):
        problems.append(Problem("contradiction", "No value can fit: the `const` is not among the `enum`."))
    return problems


def as_schema(constraints: dict[str, Any], *, nullable: bool) -> dict[str, Any]:
    """The constraints in JSON Schema; where the rule is nullable, null passes the lists of values too.

    A format that JSON Schema does not have is asserted by its pattern, and its name stands beside it.
    """
    schema = {CONSTRAINTS[name].keyword: limit for name, limit in constraints.items()}
    if nullable and "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    if nullable and "const" in schema:
        const = schema.pop("const")
        schema["enum"] = [const, None]  # a const beside an enum is one of it: `check` saw to that
    pattern = PATTERNS.get(schema.get("format", ""))
    if pattern is not None:
        schema["allOf"] = [{"pattern": pattern}]
    return schema


def not_empty(schema: dict[str, Any], kind: Type) -> dict[str, Any]:
    """What is required must say something: a text that is not blank, a value that is not null."""
    if kind is Type.ANY:
        return {**schema, "type": NOT_NULL}
    if kind is not Type.TEXT:
        return schema
    if "pattern" in schema:
        return {**schema, "allOf": [*schema.get("allOf", []), NOT_BLANK]}
    return {**schema, **NOT_BLANK}
