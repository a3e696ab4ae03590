"""How a file is to be read, beside its format: which worksheet, and whom to tell how far it is."""

from collections.abc import Callable
from dataclasses import dataclass


def tell_nobody(_stage: str, _done: int, _of: int) -> None:
    """Nobody waits for this file with a bar before their eyes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """sheet: a workbook's worksheet by its name; None: the first.

    progress: told the stage, `reading` or `checking`, the rows that are done, and of how many (0: not known).
    """

    sheet: str | None = None
    progress: Callable[[str, int, int], None] = tell_nobody
