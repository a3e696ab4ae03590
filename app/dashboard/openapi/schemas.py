"""The shapes that requests and answers share, as JSON Schema 2020-12 (OpenAPI 3.1, 4.8.24)."""

from typing import Any

from app.validation.model import Verdict, ViolationKind

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
NULLABLE_TEXT: Schema = {"type": ["string", "null"]}
NULLABLE_MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
VERDICT: Schema = {"enum": [verdict.value for verdict in Verdict]}
KIND: Schema = {"enum": [kind.value for kind in ViolationKind]}


def object_of(required: dict[str, Schema], **optional: Schema) -> Schema:
    """An object with these members; more may be added, so none is forbidden."""
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


VIOLATION = object_of(
    {"kind": KIND, "path": TEXT, "severity": TEXT, "message": TEXT},
    expected={},
    received={},
    constraint=TEXT,
    suggestion={},
)
RESULT = object_of(
    {
        "index": COUNT,
        "status": {"enum": ["stored", "duplicate", "conflict", "rejected", "checked"]},
        "event_id": NULLABLE_TEXT,
    },
    verdict={"enum": [*VERDICT["enum"], None]},
    violations=list_of(ref("Violation")),
    violations_omitted=COUNT,
    reason=TEXT,
)
SCHEMAS: dict[str, Schema] = {
    "Error": object_of({"code": TEXT, "message": TEXT}, detail={}),
    "Problem": object_of({"code": TEXT, "message": TEXT}, line=COUNT, path=TEXT),
    "PlanInvalid": object_of({"code": TEXT, "message": TEXT, "problems": list_of(ref("Problem"))}),
    "Violation": VIOLATION,
    "Result": RESULT,
    "Receipt": object_of(
        {
            "accepted": COUNT,
            "rejected": COUNT,
            "duplicates": COUNT,
            "conflicts": COUNT,
            "plan_version": {"type": ["integer", "null"]},
            "results": list_of(ref("Result")),
        }
    ),
    "SentEvent": {
        "type": "object",
        "description": "The name is the first of eventName, event_name, event, name that is a non-empty string. "
        "Unknown members are kept.",
        "properties": {
            "eventName": TEXT,
            "payload": {"type": "object"},
            **dict.fromkeys(
                (
                    "messageId",
                    "identity",
                    "anonymousId",
                    "sessionId",
                    "deviceId",
                    "platform",
                    "appVersion",
                ),
                TEXT,
            ),
            "eventTime": {"type": ["string", "number"]},
            "context": {"type": "object"},
        },
    },
    "SentEvents": {
        "anyOf": [
            {"type": "array", "items": ref("SentEvent")},
            {"type": "object", "required": ["batch"], "properties": {"batch": list_of(ref("SentEvent"))}},
            ref("SentEvent"),
        ]
    },
    "StoredEvent": object_of(
        {
            "event_id": TEXT,
            "message_id": NULLABLE_TEXT,
            "name": TEXT,
            "verdict": VERDICT,
            "violations": list_of(ref("Violation")),
            "received_at": MOMENT,
            "plan_version": {"type": ["integer", "null"]},
            "payload": {"type": "object"},
            "envelope": {"type": "object"},
        }
    ),
    "App": object_of(
        {
            "app_id": TEXT,
            "name": TEXT,
            "cors_origins": list_of(TEXT),
            "exempt_system_events": FLAG,
            "is_disabled": FLAG,
        }
    ),
    "Key": object_of(
        {
            "id": COUNT,
            "prefix": TEXT,
            "name": NULLABLE_TEXT,
            "created_at": MOMENT,
            "expires_at": NULLABLE_MOMENT,
            "last_used_at": NULLABLE_MOMENT,
        },
        scopes=list_of(TEXT),
        environment=NULLABLE_TEXT,
        answers=TEXT,
    ),
    "Batch": object_of(
        {
            "batch_id": TEXT,
            "state": TEXT,
            "format": TEXT,
            "received_at": MOMENT,
            "finished_at": NULLABLE_MOMENT,
            "bytes": COUNT,
            "lines": COUNT,
            "accepted": COUNT,
            "rejected": COUNT,
            "duplicates": COUNT,
            "conflicts": COUNT,
            "verdicts": {"type": "object"},
            "reasons": {"type": "object"},
            "refused_url": TEXT,
        },
        progress={},
        error=TEXT,
    ),
    "PlanImport": object_of(
        {
            "import_id": TEXT,
            "state": {"enum": ["waiting", "working", "done", "refused", "failed"]},
            "format": TEXT,
            "mode": TEXT,
            "publish": FLAG,
            "dry_run": FLAG,
            "received_at": MOMENT,
            "finished_at": NULLABLE_MOMENT,
            "bytes": COUNT,
            "stage": {"enum": ["reading", "checking", "publishing"]},
            "rows_done": COUNT,
            "rows": COUNT,
            "progress": {"type": ["number", "null"]},
        },
        result={"type": "object"},
        problems_url=TEXT,
        error=TEXT,
    ),
    "Study": object_of(
        {
            "study_id": TEXT,
            "kind": {"enum": ["backtest", "infer"]},
            "state": {"enum": ["waiting", "working", "done", "cancelled", "failed"]},
            "asked": {"type": "object"},
            "begun_at": MOMENT,
            "finished_at": NULLABLE_MOMENT,
            "by": NULLABLE_TEXT,
            "events_done": COUNT,
            "events": COUNT,
            "progress": {"type": "number"},
        },
        result={"type": "object"},
        error=TEXT,
    ),
    "Coverage": object_of(
        {
            "coverage": {"type": ["number", "null"]},
            "planned": COUNT,
            "seen": {},
            "missing": list_of(TEXT),
            "excluded": list_of(object_of({"event": TEXT, "reason": TEXT})),
        }
    ),
    "ViolationGroup": object_of(
        {
            "id": TEXT,
            "event": TEXT,
            "path": TEXT,
            "kind": TEXT,
            "constraint": NULLABLE_TEXT,
            "severity": TEXT,
            "count": COUNT,
            "share": {"type": ["number", "null"]},
            "first_seen": MOMENT,
            "last_seen": MOMENT,
            "state": TEXT,
            "platforms": list_of(TEXT),
            "versions": list_of(TEXT),
            "samples": list_of(TEXT),
            "decision": {"type": "object"},
        }
    ),
    "Counted": object_of(
        {"name": TEXT, "valid": COUNT, "invalid": COUNT, "unplanned": COUNT, "exempt": COUNT}
    ),
}
