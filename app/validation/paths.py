"""How a place in a payload is written: `a.b[0].c` in a violation, `a.items[].price` in a rule."""

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

# A step into every element of an array, in a rule's path.
EACH: Final = "[]"
# A key that can stand in a path without quotes: nothing that the grammar itself uses.
PLAIN_KEY: Final = re.compile(r'[^\s.\[\]"]+')
# A rule may name keys with spaces in them, as sheets do: `Card Name`.
RULE_KEY: Final = re.compile(r'[^.\[\]"]+')
MOST_STEPS: Final = 32
# A key can be as long as the event; a path in an answer cannot.
MOST_KEY_CHARACTERS: Final = 200


class BadPath(ValueError):  # noqa: N818 (it says what the path is)
    """A rule's path that does not follow the grammar; the message says where and why."""


def format_path(steps: Iterable[str | int]) -> str:
    """Write the way to a place in a payload; keys with unusual characters are quoted as JSON strings."""
    path = ""
    for step in steps:
        path = join(path, step) if type(step) is str else f"{path}[{step}]"
    return path


def join(path: str, key: str) -> str:
    """The path of a key of the object at `path`."""
    if len(key) > MOST_KEY_CHARACTERS:
        key = key[:MOST_KEY_CHARACTERS] + "…"
    # Nearly every key is an identifier, and that is quicker asked than the pattern.
    if not key.isidentifier() and not PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


_PLACE_STEP: Final = re.compile(r'\.?([^\s.\[\]"]+)|\[([0-9]+)\]|\[(?=")')


def parse_path(path: str) -> list[str | int]:
    """The steps to a place in a payload, as `format_path` wrote them. Raises BadPath; also where a key was cut."""
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        found = _PLACE_STEP.match(path, position)
        if found is None:
            raise BadPath(f"`{path[position : position + 20]}` is no step")
        position = found.end()
        if found.group(1) is not None:
            steps.append(found.group(1))
        elif found.group(2) is not None:
            steps.append(int(found.group(2)))
        else:
            key, position = _quoted(path, position - 1)
            steps.append(key)
        if len(str(steps[-1])) > MOST_KEY_CHARACTERS:
            raise BadPath("a key was cut")
    if not steps:
        raise BadPath("the path is empty")
    return steps


def parse_rule_path(path: str) -> tuple[str, ...]:
    """The steps of a rule's path; EACH stands for every element of an array.

    Keys are separated by dots, `[]` follows an array's name, `["a.b"]` quotes a key. A leading `payload.`
    says nothing and is dropped. Raises BadPath.
    """
    path = path.strip()
    if path.lower().startswith("payload."):
        path = path[len("payload.") :]
    if not path:
        raise BadPath("the path is empty")
    steps: list[str] = []
    position = 0
    while position < len(path):
        step, position = _step(path, position, is_first=not steps)
        steps.append(step)
    if len(steps) > MOST_STEPS:
        raise BadPath(f"the path has more than {MOST_STEPS} steps")
    return tuple(steps)


def _step(path: str, position: int, *, is_first: bool) -> tuple[str, int]:
    if path.startswith(EACH, position):
        if is_first:
            raise BadPath("`[]` must follow the name of an array; the payload itself is an object")
        return EACH, position + len(EACH)
    if path.startswith('["', position):
        return _quoted(path, position)
    if path[position] == "[":
        raise BadPath("write `[]` for every element of an array; single elements cannot have rules")
    if path[position] == ".":
        if is_first:
            raise BadPath("the path begins with a dot")
        position += 1
    elif not is_first:
        raise BadPath(f"a dot is missing before `{path[position : position + 20]}`")
    found = RULE_KEY.match(path, position)
    key = found.group().strip() if found else ""
    if not found or not key:
        raise BadPath(
            "a name is missing between two dots" if position < len(path) else "the path ends with a dot"
        )
    return key, found.end()


def _quoted(path: str, position: int) -> tuple[str, int]:
    try:
        key, end = json.JSONDecoder().raw_decode(path, position + 1)
    except ValueError as error:
        raise BadPath("a quoted name is not closed") from error
    if not path.startswith("]", end):
        raise BadPath("a quoted name is not closed by `]`")
    if key == EACH:
        raise BadPath("`[]` cannot be a property's name")
    return key, end + 1


def format_rule_path(steps: Iterable[str]) -> str:
    """Write a rule's path so that `parse_rule_path` reads the same steps."""
    path = ""
    for step in steps:
        if step == EACH:
            path += EACH
        elif not RULE_KEY.fullmatch(step) or step != step.strip() or (not path and step.lower() == "payload"):
            path += f"[{json.dumps(step, ensure_ascii=False)}]"
        else:
            path = f"{path}.{step}" if path else step
    return path


@lru_cache(maxsize=8192)
def relax(name: str) -> str:
    """The form in which names are compared where plans are matched relaxed: case, and space or underscore.

    `cardName` is `CARDNAME` and `card_name` is `Card Name`, but `cardName` is not `card_name`.
    """
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    return name.strip().replace(" ", "_").casefold()
