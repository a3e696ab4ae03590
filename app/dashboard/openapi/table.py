"""What there is to say about each route beside its address, methods, permission and docstring, which it has itself.

Keyed by endpoint. A route below /api that has no line here fails tests/dashboard/test_openapi.py, and so does an
example that is not answered as it says.
"""

from app.dashboard.api import MOST_EVENTS
from app.dashboard.insight_pages import STATES
from app.dashboard.openapi.described import ERROR, FILTERS, SCOPE, Described, Example
from app.dashboard.openapi.exchange import EXCHANGE
from app.dashboard.openapi.members import MEMBERS
from app.dashboard.openapi.plans import PLANS
from app.dashboard.openapi.reports import REPORTS
from app.dashboard.openapi.schemas import (
    COUNT,
    FLAG,
    MOMENT,
    TEXT,
    Schema,
    list_of,
    object_of,
    ref,
)
from app.dashboard.openapi.usage import USAGE

EVENT = {"eventName": "view", "messageId": "m-1", "platform": "ios", "payload": {"sku": "a-1"}}
SENT = (
    Example("one event", EVENT, 200),
    Example("an array", [{**EVENT, "messageId": "m-2"}, {"eventName": "buy"}], 200),
    Example("a batch", {"batch": [{**EVENT, "messageId": "m-3"}]}, 200),
    Example("not an event", {"payload": {}}, 400),
)
CREDENTIALS = object_of({"email": {"type": "string", "format": "email"}, "password": TEXT})
NEXT = object_of({"next": {"enum": ["verify", "totp", "passkey", None]}})
DELETION = object_of(
    {
        "id": COUNT,
        "filters": {"type": "object"},
        "asked_at": MOMENT,
        "starts_at": MOMENT,
        "deleted": COUNT,
        "reached_at": {"type": ["string", "null"], "format": "date-time"},
        "finished_at": {"type": ["string", "null"], "format": "date-time"},
    }
)
DAYS: Schema = {"type": ["integer", "null"], "minimum": 1, "maximum": 3650}

DESCRIBED: dict[str, Described] = {
    "ingest.take": Described(
        "Events", {200: ref("Receipt"), 400: ERROR}, body=ref("SentEvents"), examples=SENT
    ),
    "ingest.validate": Described(
        "Events", {200: ref("Receipt"), 400: ERROR}, body=ref("SentEvents"), examples=SENT
    ),
    "batches.take_batch": Described(
        "Events",
        {202: object_of({"batch_id": TEXT, "status_url": TEXT})},
        body={},
        examples=(
            Example("an array", [EVENT], 202),
            Example("lines", '{"eventName": "view"}\n{"eventName": "buy"}\n', 202, "application/x-ndjson"),
        ),
    ),
    "batches.show_batch": Described("Events", {200: ref("Batch"), 404: ERROR}),
    "batches.show_refused": Described("Events", {200: TEXT, 404: ERROR}, media_type="application/x-ndjson"),
    "tokens.exchange": Described(
        "Keys",
        {
            200: object_of(
                {"access_token": TEXT, "token_type": TEXT, "expires_in": COUNT, "scopes": list_of(TEXT)}
            ),
            422: ERROR,
        },
        body=object_of(
            {}, scopes=list_of(TEXT), expires_in={"type": "integer", "minimum": 1, "maximum": 900}
        ),
        examples=(
            Example("five minutes, to read", {"scopes": ["read"], "expires_in": 300}, 200),
            Example("the usual", {}, 200),
            Example("a scope that is no text", {"scopes": [{}]}, 422),
        ),
    ),
    "api.create_app_": Described(
        "Apps",
        {201: object_of({"app_id": TEXT, "write_key": TEXT}), 422: ERROR},
        body=object_of({"name": TEXT}, app_id=TEXT),
        examples=(
            Example("an app", {"name": "Kiosk", "app_id": "kiosk"}, 201),
            Example("no name", {"name": ""}, 422),
        ),
    ),
    "settings_api.show_settings": Described("Apps", {200: ref("App"), 404: ERROR}),
    "settings_api.change_settings": Described(
        "Apps",
        {200: ref("App"), 404: ERROR, 422: ERROR},
        body=object_of(
            {}, name=TEXT, cors_origins=list_of(TEXT), exempt_system_events=FLAG, is_disabled=FLAG
        ),
        examples=(Example("let a page send", {"cors_origins": ["https://shop.example"]}, 200),),
    ),
    "api.list_events": Described(
        "Reading",
        {
            200: object_of(
                {"events": list_of(ref("StoredEvent")), "next_cursor": {"type": ["string", "null"]}}
            )
        },
        query={
            "limit": {"type": "integer", "minimum": 1, "maximum": MOST_EVENTS, "default": 50},
            "cursor": TEXT,
            "fields": {"type": "string", "examples": ["name,verdict"]},
            **FILTERS,
            "from": MOMENT,
            "to": MOMENT,
        },
    ),
    "api.show_event": Described("Reading", {200: ref("StoredEvent"), 404: ERROR}),
    "deletions.ask": Described(
        "Reading",
        {202: DELETION, 404: ERROR, 422: ERROR},
        query={**FILTERS, "from": MOMENT, "to": MOMENT, "all": {"enum": ["true"]}},
    ),
    "deletions.list_deletions": Described(
        "Reading", {200: object_of({"deletions": list_of(DELETION)}), 404: ERROR}
    ),
    "deletions.undo": Described("Reading", {204: None, 404: ERROR, 409: ERROR}),
    "api.show_summary": Described(
        "Reading",
        {200: object_of({"verdicts": {"type": "object"}, "events": list_of(ref("Counted"))})},
        query={"from": MOMENT, "to": MOMENT},
    ),
    "api.live": Described(
        "Reading",
        {200: TEXT},
        query={"cursor": TEXT, **FILTERS},
        headers={"Last-Event-ID": TEXT},
        media_type="text/event-stream",
    ),
    **PLANS,
    **EXCHANGE,
    **REPORTS,
    "keys_api.list_api_keys": Described("Keys", {200: object_of({"keys": list_of(ref("Key"))})}),
    "keys_api.create_api_key": Described(
        "Keys",
        {201: object_of({"api_key": TEXT, "id": COUNT, "scopes": list_of(TEXT)}), 422: ERROR},
        body=object_of({"scopes": list_of({"enum": ["read", "manage"]})}, name=TEXT, expires_in_days=DAYS),
        examples=(
            Example("for a script", {"scopes": ["read"], "name": "CI", "expires_in_days": 90}, 201),
            Example("no scope", {"scopes": []}, 422),
        ),
    ),
    "keys_api.delete_api_key": Described("Keys", {204: None, 404: ERROR}),
    "keys_api.list_write_keys": Described("Keys", {200: object_of({"keys": list_of(ref("Key"))})}),
    "keys_api.create_write_key": Described(
        "Keys",
        {201: object_of({"write_key": TEXT, "id": COUNT}), 422: ERROR},
        body=object_of(
            {}, name=TEXT, environment={"type": ["string", "null"]}, answers=TEXT, expires_in_days=DAYS
        ),
        examples=(
            Example("for staging", {"name": "staging", "environment": "staging"}, 201),
            Example("answers of no kind", {"answers": "loud"}, 422),
        ),
    ),
    "keys_api.delete_write_key": Described("Keys", {204: None, 404: ERROR}),
    **MEMBERS,
    **USAGE,
    "insight.show_overview": Described(
        "Insight",
        {
            200: object_of(
                {"verdicts": {"type": "object"}, "series": list_of({}), "coverage": ref("Coverage")}
            )
        },
        query=SCOPE,
    ),
    "insight.show_catalogue": Described(
        "Insight", {200: object_of({"events": list_of(ref("Counted"))})}, query=SCOPE
    ),
    "insight.show_coverage": Described("Insight", {200: ref("Coverage")}, query=SCOPE),
    "insight.change_exclusion": Described(
        "Insight",
        {200: object_of({"excluded": {"type": "object"}}), 404: ERROR},
        body=object_of({"event": TEXT}, reason=TEXT),
        examples=(
            Example("left out", {"event": "view", "reason": "Comes with the next release."}, 200),
            Example("asked for again", {"event": "view", "reason": ""}, 200),
            Example("in no plan", {"event": "unheard of"}, 404),
        ),
    ),
    "insight.show_violations": Described(
        "Insight",
        {200: object_of({"violations": list_of(ref("ViolationGroup"))})},
        query={**SCOPE, "state": {"enum": [*STATES, "regressed"]}},
    ),
    "insight.change_decision": Described(
        "Insight",
        {200: object_of({"id": TEXT, "state": TEXT}), 404: ERROR, 422: ERROR},
        body=object_of(
            {"state": {"enum": list(STATES)}},
            muted_until={"type": ["string", "null"]},
            until_version={"type": ["string", "null"]},
            note={"type": ["string", "null"]},
            assignee_id={"type": ["integer", "null"]},
        ),
        examples=(Example("of nothing that was seen", {"state": "known", "note": "The cart's."}, 404),),
    ),
    "auth.csrf": Described("Signing in", {200: object_of({"csrf_token": TEXT})}),
    "auth.register": Described(
        "Signing in",
        {202: NEXT},
        body=CREDENTIALS,
        examples=(
            Example("an account", {"email": "ada@shop.example", "password": "correct horse battery"}, 202),
        ),
        is_csrf_checked=True,
    ),
    "auth.login": Described(
        "Signing in",
        {200: NEXT, 202: NEXT, 401: ERROR},
        body=CREDENTIALS,
        examples=(
            Example("a wrong password", {"email": "eve@shop.example", "password": "not the password"}, 401),
        ),
        is_csrf_checked=True,
    ),
    "auth.verify": Described(
        "Signing in",
        {200: NEXT, 401: ERROR},
        body=object_of({"email": {"type": "string", "format": "email"}, "code": TEXT}),
        examples=(Example("a wrong code", {"email": "ada@shop.example", "code": "00000000"}, 401),),
        is_csrf_checked=True,
    ),
    "auth.logout": Described("Signing in", {200: {}}, is_csrf_checked=True),
    "api.delete_event": Described("Reading", {204: None, 404: ERROR}),
    "refused.list_refused": Described(
        "Reading",
        {
            200: object_of(
                {
                    "counts": {"type": "object", "additionalProperties": COUNT},
                    "samples": list_of(
                        object_of(
                            {
                                "reason": TEXT,
                                "message": TEXT,
                                "status": COUNT,
                                "refused_at": MOMENT,
                                "key": {"type": ["string", "null"]},
                                "request_id": TEXT,
                                "excerpt": {"type": ["string", "null"]},
                                "bytes": {"type": ["integer", "null"]},
                            }
                        )
                    ),
                }
            )
        },
    ),
    "jobs.list_jobs": Described("Jobs", {200: object_of({"jobs": list_of({"type": "object"})})}),
    "jobs.retry_job": Described("Jobs", {204: None, 404: ERROR}),
    "jobs.delete_job": Described("Jobs", {204: None, 404: ERROR}),
    "health.alive": Described("Health", {200: object_of({"status": TEXT})}),
    "health.ready": Described(
        "Health",
        {
            status: object_of(
                {"status": TEXT, "parts": list_of(TEXT)},
                reasons={"type": "object", "additionalProperties": TEXT},
            )
            for status in (200, 503)
        },
    ),
    "openapi.show_document": Described("Health", {200: {"type": "object"}}),
}
