"""How a file is to be read, beside its format: which worksheet, and whom to tell how far it is."""

from collections.abc import Callable
from dataclasses import dataclass


def tell_nobody(_done: int, _of: int) -> None:
    """Nobody waits for this file with a bar before their eyes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """sheet: a workbook's worksheet by its name; None: the first. progress: told rows done, and of how many."""

    sheet: str | None = None
    progress: Callable[[int, int], None] = tell_nobody
