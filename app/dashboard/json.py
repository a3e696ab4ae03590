"""JSON in and out of the API."""

from typing import Any

import orjson
from flask import Response, request

from app.errors import Refusal


def json_response(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status=status, content_type="application/json")


def json_body() -> dict[str, Any]:
    """The request's JSON object. Raises Refusal where it is something else."""
    if request.mimetype != "application/json":
        raise Refusal("unsupported_media_type", "Send Content-Type: application/json.", 415)
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise Refusal("bad_json", "The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise Refusal("bad_json", "The body must be a JSON object.")
    return body
