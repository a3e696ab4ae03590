"""What there is to say about the routes by which plans go out and come in; see table.py."""

from app.dashboard.openapi.described import ERROR, Described, Example
from app.dashboard.openapi.schemas import COUNT, FLAG, TEXT, list_of, object_of, ref
from app.dashboard.study_api import KINDS
from app.dashboard.studying import MOST_EVENTS
from app.plans.exporting import FORMATS

EXCHANGE: dict[str, Described] = {
    "export_api.export_plan": Described(
        "Plans",
        {200: TEXT, 404: ERROR, 422: ERROR},
        query={"format": {"enum": list(FORMATS)}, "version": COUNT, "report": FLAG},
        examples=(
            Example("a sheet", "", 200, query="?format=csv"),
            Example("what a Segment plan cannot hold", "", 200, query="?format=segment&report=true"),
            Example("a version that never was", "", 404, query="?format=csv&version=9"),
        ),
        media_type="text/csv",
    ),
    "import_api.list_imports": Described("Plans", {200: object_of({"imports": list_of(ref("PlanImport"))})}),
    "import_api.show_import": Described("Plans", {200: ref("PlanImport"), 404: ERROR}),
    "import_api.show_problems": Described(
        "Plans", {200: TEXT, 404: ERROR}, media_type="application/x-ndjson"
    ),
    "study_api.begin_backtest": Described(
        "Plans",
        {202: object_of({"study_id": TEXT, "status_url": TEXT}), 404: ERROR, 422: ERROR, 429: ERROR},
        body=object_of({}, events={"type": "integer", "minimum": 1, "maximum": MOST_EVENTS}),
        examples=(Example("without a draft", {"events": 1000}, 404),),
    ),
    "study_api.infer": Described(
        "Plans",
        {
            200: ref("Study"),
            202: object_of({"study_id": TEXT, "status_url": TEXT}),
            404: ERROR,
            422: ERROR,
            429: ERROR,
        },
        body=object_of({}, event=TEXT, with_planned=FLAG),
        examples=(
            Example("whatever the plan does not know", {}, 202),
            Example("an event that was never seen", {"event": "unheard of"}, 404),
        ),
    ),
    "study_api.list_studies": Described(
        "Plans", {200: object_of({"studies": list_of(ref("Study"))})}, query={"kind": {"enum": list(KINDS)}}
    ),
    "study_api.show_study": Described("Plans", {200: ref("Study"), 404: ERROR}),
    "study_api.cancel_study": Described("Plans", {200: ref("Study"), 404: ERROR}),
}
