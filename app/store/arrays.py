"""PostgreSQL's arrays as one text each: what makes a statement of a thousand rows cheap to write and to read.

Road not taken: psycopg2's own lists, `ARRAY['a', 'b', …]`. It quotes cell by cell, and PostgreSQL then parses and plans
an expression for each: of a commit of 1,000 rows that was more than half the time.
"""

from collections.abc import Sequence
from typing import Any, Final

# No text that PostgreSQL can hold has it, so it can stand between two of them.
BETWEEN: Final = "\0"


def as_text(values: Sequence[Any]) -> str:
    """The values (text, numbers or None) as an array's external form; the statement says of which type.

    Raises ValueError where a text holds NUL, which PostgreSQL's cannot.
    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    try:
        together = BETWEEN.join(values)
    except TypeError:  # None or numbers among them
        return "{" + ",".join(map(_cell, values)) + "}"
    if together.count(BETWEEN) != len(values) - 1:
        raise ValueError("a text with NUL")
    return '{"' + _escaped(together).replace(BETWEEN, '","') + '"}'


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    text = str(value)
    if BETWEEN in text:
        raise ValueError("a text with NUL")
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
