"""The document for programs, and the same for people. Both are open: they hold nothing of anybody's."""

from functools import lru_cache
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, current_app, make_response, render_template, request

from app.auth.require import open_door
from app.dashboard.openapi.document import document

blueprint = Blueprint("openapi", __name__)


@lru_cache(maxsize=4)
def _made(flask_app: Flask) -> tuple[dict[str, Any], bytes]:
    """The document and its bytes: the same for the life of an application."""
    made = document(flask_app)
    return made, orjson.dumps(made)


def _the_document() -> tuple[dict[str, Any], bytes]:
    return _made(current_app._get_current_object())  # type: ignore[attr-defined]


def _conditional(response: Response) -> Response:
    """304 for whoever has it already: kept by clients, asked about each time."""
    response.add_etag()
    response.headers["Cache-Control"] = "no-cache"
    return response.make_conditional(request)  # type: ignore[return-value]


@blueprint.get("/openapi.json")
@open_door
def show_document() -> Response:
    """This document."""
    return _conditional(Response(_the_document()[1], content_type="application/json"))


@blueprint.get("/docs/api")
@open_door
def show_page() -> Response:
    """The document as a page."""
    return _conditional(
        make_response(render_template("dashboard/api_docs.html", document=_the_document()[0]))
    )
