"""Which branch of a `oneOf` or `anyOf` an event meant: by its discriminator, by its type, then by what is
closest.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeGuard

from app.validation.document import resolve, target_of
from app.validation.engine import Schema

# A branch is described by what these say; deeper compositions are left to closeness.
MOST_NESTED_PARTS: Final = 20
MOST_NESTED_CHOICES: Final = 3
CHOICES: Final = ("oneOf", "anyOf")
_TYPE_OF: Final = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
}

Tags = dict[str, list[Any]]


def parts(document: Schema, branch: Any) -> list[dict[str, Any]]:
    """The schemas that a value of this branch must fit all: its own, what it refers to, and its `allOf`."""
    found: list[dict[str, Any]] = []
    waiting = [branch]
    while waiting and len(found) < MOST_NESTED_PARTS:
        part = waiting.pop(0)
        if not isinstance(part, dict):
            continue
        found.append(part)
        target = target_of(document, part.get("$ref"))
        if target is not None and not any(target is known for known in found):
            waiting.append(target)
        if isinstance(together := part.get("allOf"), list):
            waiting.extend(together)
    return found


def tags(document: Schema, branch: Any) -> Tags:
    """The properties that the branch fixes to one or a few values, with these values."""
    fixed: Tags = {}
    for part in parts(document, branch):
        properties = part.get("properties")
        for name, schema in properties.items() if isinstance(properties, dict) else ():
            values = _fixed_values(resolve(document, schema))
            if values is not None:
                fixed.setdefault(name, values)
    return fixed


def _fixed_values(schema: Any) -> list[Any] | None:
    if not isinstance(schema, dict):
        return None
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) else None


def declared(document: Schema, branch: Any) -> set[str]:
    """The properties that the branch speaks of."""
    found = [part.get("properties") for part in parts(document, branch)]
    names = {name for properties in found if isinstance(properties, dict) for name in properties}
    return names | required(document, branch)


def required(document: Schema, branch: Any) -> set[str]:
    """The properties that the branch asks for."""
    lists = [part.get("required") for part in parts(document, branch)]
    return {name for names in lists if isinstance(names, list) for name in names if isinstance(name, str)}


def types(document: Schema, branch: Any, depth: int = 0) -> set[str] | None:
    """JSON Schema's words for the types that the branch admits, or None where it does not say."""
    admitted: set[str] | None = None
    for part in parts(document, branch):
        words = _declared_types(document, part, depth)
        if words is not None:
            admitted = words if admitted is None else admitted & words or admitted
    return admitted


def _declared_types(document: Schema, part: dict[str, Any], depth: int) -> set[str] | None:
    declared = part.get("type")
    if isinstance(declared, str):
        return {declared}
    if _are_texts(declared):
        return set(declared)
    values = _fixed_values(part)
    if values is not None:
        return {_word(value) for value in values}
    for keyword in CHOICES:
        if isinstance(branches := part.get(keyword), list) and depth < MOST_NESTED_CHOICES:
            each = [types(document, branch, depth + 1) for branch in branches]
            if all(words is not None for words in each):
                return {word for words in each if words for word in words}
    return None


def _are_texts(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _word(value: Any) -> str:
    return "null" if value is None else _TYPE_OF.get(type(value), "object")


def admits(words: set[str] | None, value: Any) -> bool:
    """Whether a value is of one of these types."""
    if words is None:
        return True
    word = _word(value)
    if word == "integer":
        return "integer" in words or "number" in words
    if word == "number":
        return "number" in words or ("integer" in words and float(value).is_integer())
    return word in words


def is_among(value: Any, options: Iterable[Any]) -> bool:
    """Membership as JSON means it: true is not 1, and 1.0 is 1."""
    return any(value == option and isinstance(value, bool) == isinstance(option, bool) for option in options)


def discriminators(branch_tags: Sequence[Tags]) -> list[str]:
    """The properties by which branches can be told apart, the most telling first."""
    names = list(dict.fromkeys(name for fixed in branch_tags for name in fixed))
    sets = {name: [repr(fixed.get(name)) for fixed in branch_tags] for name in names}
    telling = [name for name in names if len(set(sets[name])) > 1]
    return sorted(
        telling, key=lambda name: (-sum(name in fixed for fixed in branch_tags), -len(set(sets[name])))
    )


def name_of(branch: Any, position: int) -> str:
    """What people call a branch: its title, its definition's name, its type, else its number."""
    if isinstance(branch, dict):
        if isinstance(title := branch.get("title"), str) and title.strip():
            return title.strip()[:80]
        if isinstance(reference := branch.get("$ref"), str) and "/" in reference:
            return reference.rsplit("/", 1)[1][:80]
        names = branch.get("required")
        if _are_texts(names) and len(names) == 1:
            return f"with {names[0]}"[:80]
        if isinstance(word := branch.get("type"), str):
            return word
    return f"option {position + 1}"
