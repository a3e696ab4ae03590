"""What there is to say about the routes by which reports go out; see table.py."""

from app.dashboard.openapi.described import ERROR, FILTERS, SCOPE, Described, Example
from app.dashboard.openapi.schemas import COUNT, MOMENT, TEXT, list_of, object_of
from app.dashboard.reports import writing
from app.dashboard.reports.files import FORMATS

REPORT = object_of(
    {
        "report_id": TEXT,
        "state": {"enum": ["waiting", "working", "done", "failed"]},
        "format": {"enum": list(writing.FORMATS)},
        "filters": {"type": "object"},
        "asked_at": MOMENT,
        "finished_at": {"type": ["string", "null"], "format": "date-time"},
        "by": {"type": ["string", "null"]},
        "events_done": COUNT,
        "events": COUNT,
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "written": COUNT,
        "bytes": COUNT,
    },
    file_url=TEXT,
    error=TEXT,
)
FORMAT = {"format": {"enum": list(FORMATS)}}

REPORTS: dict[str, Described] = {
    "reports.take_results": Described(
        "Reports",
        {200: TEXT, 400: ERROR, 404: ERROR, 422: ERROR},
        query={**FORMAT, **FILTERS, "from": MOMENT, "to": MOMENT},
        examples=(
            Example("invalid events as a sheet", "", 200, query="?format=csv&verdict=invalid"),
            Example("a format that never was", "", 400, query="?format=docx"),
        ),
        media_type="text/csv",
    ),
    "reports.take_summary": Described(
        "Reports",
        {200: TEXT, 400: ERROR, 404: ERROR, 422: ERROR},
        query={**FORMAT, **SCOPE},
        examples=(Example("of all time, for a program", "", 200, query="?format=ndjson&range=all"),),
        media_type="text/csv",
    ),
    "reports.take_sign_off": Described(
        "Reports",
        {200: TEXT, 404: ERROR, 422: ERROR},
        query=SCOPE,
        examples=(Example("of the last month", "", 200, query="?range=month"),),
        media_type="application/pdf",
    ),
    "reports.ask": Described(
        "Reports",
        {
            202: object_of({"report_id": TEXT, "status_url": TEXT}),
            400: ERROR,
            404: ERROR,
            422: ERROR,
            429: ERROR,
        },
        query={"format": {"enum": list(writing.FORMATS)}, **FILTERS, "from": MOMENT, "to": MOMENT},
        examples=(Example("all that is invalid", "", 202, query="?format=ndjson&verdict=invalid"),),
    ),
    "reports.list_reports": Described("Reports", {200: object_of({"reports": list_of(REPORT)})}),
    "reports.show_report": Described("Reports", {200: REPORT, 404: ERROR}),
    "reports.take_report": Described("Reports", {200: TEXT, 404: ERROR, 409: ERROR}, media_type="text/csv"),
}
