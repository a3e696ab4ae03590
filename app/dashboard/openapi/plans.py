"""What there is to say about the routes of tracking plans; see table.py."""

from app.dashboard.openapi.described import ERROR, Described, Example
from app.dashboard.openapi.schemas import COUNT, FLAG, TEXT, VERDICT, Schema, list_of, object_of, ref
from app.plans.importing import FORMATS
from app.plans.publishing import MODES, MOST_NOTE_CHARACTERS

PLAN = "eventName,eventPayload,dataType,required\nview,sku,text,true\nview,price,number,false\n"
# The version or revision that the asker saw last.
SEEN: Schema = {"type": "integer", "minimum": 0, "maximum": 999_999_999}
DRAFT = object_of({"exists": FLAG, "revision": COUNT, "current_version": {"type": ["integer", "null"]}})

PLANS: dict[str, Described] = {
    "plan_api.import_plan": Described(
        "Plans",
        {
            200: object_of(
                {
                    "plan_version": {"type": ["integer", "null"]},
                    "draft_revision": {"type": ["integer", "null"]},
                    "rules": COUNT,
                    "events": COUNT,
                    "problems": list_of(ref("Problem")),
                    "warnings": list_of({}),
                    "loss": list_of({}),
                }
            ),
            202: object_of({"import_id": TEXT, "status_url": TEXT}),
            409: ERROR,
            422: ref("PlanInvalid"),
        },
        query={
            "format": {"enum": list(FORMATS)},
            "mode": {"enum": list(MODES)},
            "publish": FLAG,
            "dry_run": FLAG,
            "sheet": {"type": "string", "maxLength": 100},
            "note": {"type": "string", "maxLength": MOST_NOTE_CHARACTERS},
            "version": SEEN,
            "revision": SEEN,
        },
        body={},
        examples=(
            Example("a sheet", PLAN, 200, "text/csv", "?format=csv&publish=true"),
            Example("what a sheet would change", PLAN, 200, "text/csv", "?format=csv&dry_run=true"),
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
        "Plans",
        {200: object_of({"plan_version": COUNT, "reverted_to": COUNT}), 404: ERROR, 409: ERROR},
        body=object_of({}, note=TEXT, version=SEEN),
    ),
    "draft_api.show_draft": Described("Plans", {200: DRAFT}),
    "draft_api.change_draft": Described(
        "Plans",
        {200: DRAFT, 409: ERROR, 422: ref("PlanInvalid")},
        body=object_of({"revision": SEEN, "operations": list_of({"type": "object"})}, dry_run=FLAG),
        examples=(
            Example(
                "make a property optional",
                {
                    "revision": 0,
                    "operations": [
                        {"op": "set_rule", "event": "view", "path": "sku", "set": {"required": False}},
                    ],
                },
                200,
            ),
            Example(
                "a new event",
                {
                    "revision": 0,
                    "operations": [
                        {"op": "add_event", "event": "buy"},
                        {"op": "add_rule", "event": "buy", "rule": {"path": "total", "type": "number"}},
                    ],
                },
                200,
            ),
            Example("of an older draft", {"revision": 7, "operations": [{"op": "set_plan", "set": {}}]}, 409),
        ),
    ),
    "draft_api.try_event": Described(
        "Plans",
        {200: object_of({"verdict": VERDICT, "violations": list_of({}), "corrected": {}}), 422: ERROR},
        body=object_of({"event": {"type": "object"}}),
        examples=(
            Example("an event", {"event": {"eventName": "view", "payload": {"sku": 7}}}, 200),
            Example("no event", {"event": []}, 422),
        ),
    ),
    "draft_api.undo": Described("Plans", {200: DRAFT, 409: ERROR}, body=object_of({"revision": SEEN})),
    "draft_api.discard_draft": Described(
        "Plans", {200: DRAFT, 404: ERROR, 409: ERROR}, query={"revision": SEEN}
    ),
    "draft_api.preview": Described(
        "Plans",
        {
            200: object_of({"counts": {}, "changes": list_of({}), "problems": list_of(ref("Problem"))}),
            404: ERROR,
        },
    ),
    "draft_api.publish_draft": Described(
        "Plans",
        {200: object_of({"plan_version": COUNT}), 404: ERROR, 409: ERROR, 422: ref("PlanInvalid")},
        body=object_of(
            {"revision": SEEN},
            note={"type": "string", "maxLength": MOST_NOTE_CHARACTERS},
            overwrite=FLAG,
        ),
    ),
}
