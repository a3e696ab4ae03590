"""JSON in and out of the API."""

from typing import Any

import orjson
from flask import Response, request

from app.errors import Refusal


def json_response(value: Any, status: int = 200) -> Response:
    """The value as an answer. What is read has an ETag of its bytes: whoever has them already gets 304 and no body."""
    response = Response(orjson.dumps(value), status=status, content_type="application/json")
    if status == 200 and request.method in ("GET", "HEAD"):
        response.add_etag()
        response.make_conditional(request)
    return response


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
