"""Columns as one text each: PostgreSQL must read back what was written, and no text may add or lose a row."""

from typing import Any

import pytest

from app.store import arrays

TEXTS = [
    "",
    " ",
    "NULL",
    "null",
    '"',
    "\\",
    '\\"',
    "{}",
    "{,}",
    ",",
    "'",
    "''",
    "\n\r\t",
    "ü€😀",
    "$1 %s",
    "x" * 5000,
]


@pytest.mark.parametrize("values", [TEXTS, [*TEXTS, None], [None, None], [None, "a", 'b"']])
def test_texts_come_back_as_they_were(owner: Any, values: list[str | None]) -> None:
    with owner.cursor() as cursor:
        cursor.execute("SELECT %s::text[]", [arrays.as_text(values)])
        assert cursor.fetchone()[0] == values


def test_numbers_come_back_as_they_were(owner: Any) -> None:
    with owner.cursor() as cursor:
        cursor.execute("SELECT %s::bigint[]", [arrays.as_text([1, None, -(2**63), 2**63 - 1])])
        assert cursor.fetchone()[0] == [1, None, -(2**63), 2**63 - 1]


@pytest.mark.parametrize("values", [["a\0b", "c"], ["\0"], ["a\0", None]])
def test_a_text_that_would_become_two_is_refused(values: list[str | None]) -> None:
    """Its neighbours would slip by a row, and each event get another one's payload."""
    with pytest.raises(ValueError, match="NUL"):
        arrays.as_text(values)
