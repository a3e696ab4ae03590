"""The document, put together from the URL map, the views and the table: what a route says of itself is said once.

Road not taken: a library that reads types off the views (apispec, flask-smorest, APIFlask): it would have the views
written its way, for the sake of a document that the table below gives in one place.
"""

import re
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from app.auth.require import Permission
from app.dashboard.openapi.described import Described, Example
from app.dashboard.openapi.schemas import SCHEMAS, TEXT, ref
from app.dashboard.openapi.table import DESCRIBED

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
ARGUMENT_SCHEMAS: dict[str | None, dict[str, Any]] = {
    None: TEXT,
    "int": {"type": "integer", "minimum": 0},
    "uuid": {"type": "string", "format": "uuid"},
}
ARGUMENT_EXAMPLES = {
    "version": 1,
    "app_id": "shop",
    "event_id": "0190b0c0-0000-7000-8000-000000000000",
    "batch_id": "0190b0c0-0000-7000-8000-000000000000",
    "import_id": "0190b0c0-0000-7000-8000-000000000000",
    "report_id": "0190b0c0-0000-7000-8000-000000000000",
    "study_id": "0190b0c0-0000-7000-8000-000000000000",
    "fingerprint": "00000000-0000-0000-0000-000000000000",
    "key_id": 999_999_999,
    "user_id": 999_999_999,
    "invitation_id": 999_999_999,
    "job_id": 999_999_999,
    "deletion_id": 999_999_999,
}
INTRODUCTION = (
    "Send events with a write key; read and manage with an API key, or with the cookie of a signed-in browser. "
    "Errors have one shape: a stable `code` for programs, a `message` for people, sometimes a `detail`. "
    "429 and 503 carry `Retry-After`. Unknown ids and other people's get the same 404. "
    "Changes are additive; a breaking one will be /api/v2."
)
SECURITY_SCHEMES = {
    "writeKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A write key (lvw_…): sends, reads nothing.",
    },
    "writeKeyBasic": {"type": "http", "scheme": "basic", "description": "The write key as the user name."},
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (lva_…), or a token made with it.",
    },
    "keyHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "Either key, as a header.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "From GET /auth/csrf, with its cookie; on every change that a browser asks for.",
    },
}


def document(flask_app: Flask) -> dict[str, Any]:
    """The whole document. `paths` in the order of the table."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint, described in DESCRIBED.items():
        for rule in flask_app.url_map.iter_rules(endpoint):
            operations = paths.setdefault(_path(rule), {})
            for method in METHODS:
                if method in (rule.methods or ()):
                    operations[method.lower()] = _operation(flask_app, rule, method, described)
    cookie = {"type": "apiKey", "in": "cookie", "name": flask_app.config["SESSION_COOKIE_NAME"]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Live Validation", "version": "1", "description": INTRODUCTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(line.tag for line in DESCRIBED.values())],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {**SECURITY_SCHEMES, "session": cookie},
            "responses": {"Error": _answer("What was wrong, and what to do.", ref("Error"))},
        },
    }


def _path(rule: Rule) -> str:
    """The rule as OpenAPI writes it: /api/apps/{app_id}."""
    return ARGUMENT.sub(r"{\2}", rule.rule)


def _operation(flask_app: Flask, rule: Rule, method: str, described: Described) -> dict[str, Any]:
    view = flask_app.view_functions[rule.endpoint]
    required: Permission | None = getattr(view, "required", None)
    summary, _, more = (view.__doc__ or "").strip().partition("\n")
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()}{re.sub(r'[^a-z0-9_]+', '_', _path(rule).rstrip('}'))}",
        "summary": summary,
        "description": " ".join(more.split()),
        "tags": [described.tag],
        "parameters": _parameters(rule, described),
        "responses": {
            **{
                str(status): _answer(
                    "Done." if status < 300 else "Refused.",
                    schema,
                    described.media_type if status < 300 else "application/json",
                )
                for status, schema in described.answers.items()
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
        "security": _security(required, method, described),
    }
    if described.body is not None:
        operation["requestBody"] = _body(described)
    return operation


def _parameters(rule: Rule, described: Described) -> list[dict[str, Any]]:
    in_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": ARGUMENT_SCHEMAS[converter or None],
            "example": ARGUMENT_EXAMPLES[name],
        }
        for converter, name in ARGUMENT.findall(rule.rule)
    ]
    places = (("query", described.query), ("header", described.headers))
    return in_path + [
        {"name": name, "in": place, "schema": schema}
        for place, given in places
        for name, schema in given.items()
    ]


def _security(required: Permission | None, method: str, described: Described) -> list[dict[str, list[str]]]:
    if required is Permission.SEND:
        return [{"writeKey": []}, {"keyHeader": []}, {"writeKeyBasic": []}]
    if required is None:
        return [{"csrf": []}] if described.is_csrf_checked else []
    by_browser: dict[str, list[str]] = {"session": []} if method == "GET" else {"session": [], "csrf": []}
    if required in (Permission.MANAGE_MEMBERS, Permission.OWN):
        return [by_browser]  # people only
    return [{"apiKey": []}, {"keyHeader": []}, by_browser]


def _body(described: Described) -> dict[str, Any]:
    by_type: dict[str, list[Example]] = {}
    for example in described.examples:
        by_type.setdefault(example.media_type, []).append(example)
    return {
        "required": True,
        "content": {
            media_type: {
                "schema": described.body,
                "examples": {
                    re.sub(r"\W+", "_", example.name): {
                        "summary": f"{example.name} → {example.status}"
                        + (f" ({example.query})" if example.query else ""),
                        "value": example.value,
                    }
                    for example in examples
                },
            }
            for media_type, examples in by_type.items()
        },
    }


def _answer(
    description: str, schema: dict[str, Any] | None, media_type: str = "application/json"
) -> dict[str, Any]:
    if schema is None:
        return {"description": description}
    return {"description": description, "content": {media_type: {"schema": schema}}}
