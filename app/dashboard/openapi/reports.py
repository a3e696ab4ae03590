"""What there is to say about the routes by which reports go out; see table.py."""

from app.dashboard.openapi.described import ERROR, FILTERS, SCOPE, Described, Example
from app.dashboard.openapi.schemas import MOMENT, TEXT
from app.dashboard.reports.files import FORMATS

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
}
