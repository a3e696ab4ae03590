"""Reading a plan from a file, in any of the formats that we understand."""

from collections.abc import Callable
from typing import Final

from app.plans import schema_bundle, segment, sheet, snowplow, workbook
from app.plans.imported import Imported
from app.plans.reading import Reading
from app.validation.problems import Problem

# An Avo template is a sheet; its name stands here for those who look for it.
FORMATS: Final[dict[str, Callable[[bytes, Reading], Imported]]] = {
    "csv": sheet.read,
    "xlsx": workbook.read,
    "avo": sheet.read,
    "json-schema": schema_bundle.read,
    "segment": segment.read,
    "snowplow": snowplow.read,
}
# As many as a file that is answered at once has rows: every bad line is told.
MOST_PROBLEMS: Final = 5_000


def read(
    format_: str, body: bytes, reading: Reading | None = None, most_problems: int = MOST_PROBLEMS
) -> Imported:
    """The plan in a file's bytes. Never raises for what is in them. Raises KeyError for a format not in
    FORMATS.
    """
    imported = FORMATS[format_](body, reading or Reading())
    if len(imported.problems) <= most_problems:
        return imported
    rest = len(imported.problems) - most_problems
    more = Problem("more_problems", f"There are {rest} more problems. Mend these first.")
    return Imported(
        imported.content, [*imported.problems[:most_problems], more], imported.warnings, imported.loss
    )
