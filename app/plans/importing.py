"""Reading a plan from a file, in any of the formats that we understand."""

from collections.abc import Callable
from typing import Final

from app.plans import schema_bundle, sheet
from app.plans.imported import Imported
from app.validation.problems import Problem

FORMATS: Final[dict[str, Callable[[bytes], Imported]]] = {
    "csv": sheet.read,
    "json-schema": schema_bundle.read,
}
# A file that is wrong throughout is not wrong in ten thousand interesting ways.
MOST_PROBLEMS: Final = 200


def read(format_: str, body: bytes) -> Imported:
    """The plan in a file's bytes. Never raises for what is in them. Raises KeyError for a format not in
    FORMATS.
    """
    imported = FORMATS[format_](body)
    if len(imported.problems) <= MOST_PROBLEMS:
        return imported
    rest = len(imported.problems) - MOST_PROBLEMS
    more = Problem("more_problems", f"There are {rest} more problems. Mend these first.")
    return Imported(
        imported.content, [*imported.problems[:MOST_PROBLEMS], more], imported.warnings, imported.loss
    )
