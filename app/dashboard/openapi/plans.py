"""What there is to say about the routes of tracking plans; see table.py."""

from app.dashboard.openapi.described import ERROR, Described, Example
from app.dashboard.openapi.schemas import COUNT, FLAG, TEXT, list_of, object_of, ref
from app.dashboard.plan_api import MODES
from app.plans.importing import FORMATS

PLAN = "eventName,eventPayload,dataType,required\nview,sku,text,true\nview,price,number,false\n"

PLANS: dict[str, Described] = {
    "plan_api.import_plan": Described(
        "Plans",
        {
            200: object_of(
                {
                    "plan_version": COUNT,
                    "rules": COUNT,
                    "events": COUNT,
                    "problems": list_of(ref("Problem")),
                    "warnings": list_of({}),
                    "loss": list_of({}),
                }
            ),
            422: ref("PlanInvalid"),
        },
        query={"format": {"enum": list(FORMATS)}, "mode": {"enum": list(MODES)}, "publish": FLAG},
        body={},
        examples=(
            Example("a sheet", PLAN, 200, "text/csv", "?format=csv&publish=true"),
            Example(
                "a sheet with a mistake", PLAN.replace("number", "colour"), 422, "text/csv", "?format=csv"
            ),
            Example(
                "a JSON Schema", {"view": {"type": "object"}}, 200, query="?format=json-schema&mode=merge"
            ),
        ),
    ),
    "plan_api.show_expected": Described(
        "Plans",
        {200: object_of({"plan_version": {"type": ["integer", "null"]}, "fields": {}})},
        query={"event": TEXT},
    ),
    "version_api.list_versions": Described(
        "Plans", {200: object_of({"current": {"type": ["integer", "null"]}, "versions": list_of({})})}
    ),
    "version_api.show_changes": Described(
        "Plans",
        {
            200: object_of({"since": COUNT, "version": COUNT, "counts": {}, "changes": list_of({})}),
            404: ERROR,
        },
        query={"since": COUNT},
    ),
    "version_api.revert": Described(
        "Plans", {200: object_of({"plan_version": COUNT, "reverted_to": COUNT}), 404: ERROR}
    ),
}
