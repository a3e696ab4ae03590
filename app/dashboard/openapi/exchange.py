"""What there is to say about the routes by which plans go out and come in; see table.py."""

from app.dashboard.openapi.described import ERROR, Described, Example
from app.dashboard.openapi.schemas import COUNT, FLAG, TEXT, list_of, object_of, ref
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
}
