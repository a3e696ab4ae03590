"""Writing a plan to a file, in any of the formats that we write."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.plans.content import Content
from app.plans.exports import dictionary, schemas, segment, sheet
from app.plans.exports.exported import Exported


@dataclass(frozen=True, slots=True)
class Format:
    """One format: what it is called for people, how its files end, what they are."""

    title: str
    extension: str
    media_type: str
    write: Callable[[Content], Exported]


FORMATS: Final = {
    "csv": Format("Tracking sheet (CSV)", "csv", "text/csv; charset=utf-8", sheet.as_csv),
    "xlsx": Format(
        "Tracking sheet (Excel workbook)",
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        sheet.as_workbook,
    ),
    "json-schema": Format(
        "JSON Schemas by event name", "schemas.json", "application/json", schemas.as_bundle
    ),
    "segment": Format("Segment tracking plan", "segment.json", "application/json", segment.as_plan_json),
    "markdown": Format(
        "Data dictionary (Markdown)", "md", "text/markdown; charset=utf-8", dictionary.as_markdown
    ),
}


def write(format_: str, content: Content) -> Exported:
    """The plan as a file. Raises KeyError for a format not in FORMATS, TooLarge where it cannot hold so much."""
    return FORMATS[format_].write(content)


def file_name(app_slug: str, version: int, format_: str) -> str:
    """`shop-plan-v3.csv`: of letters, digits, `-`, `_` and dots alone, as app ids are."""
    return f"{app_slug}-plan-v{version}.{FORMATS[format_].extension}"
