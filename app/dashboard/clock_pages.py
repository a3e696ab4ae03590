"""Where the live page tells how long events took to its screen."""

from flask import Blueprint, Response

from app.auth.require import Permission, require
from app.dashboard.api import the_app
from app.dashboard.json import json_body
from app.errors import Refusal
from app.live import clock

blueprint = Blueprint("clocks", __name__)


@blueprint.post("/apps/<app_id>/clock")
@require(Permission.READ)
def keep(app_id: str) -> Response:
    """`{"milliseconds": [85, 91]}`, each from an event's receipt to the frame that painted it."""
    app, given = the_app(app_id), json_body().get("milliseconds")
    if not isinstance(given, list) or not 0 < len(given) <= clock.MOST_AT_ONCE:
        raise Refusal(
            "bad_measurement", f"`milliseconds` is a list of 1 to {clock.MOST_AT_ONCE} numbers.", 422
        )
    if not all(type(one) is int and 0 <= one <= clock.MOST_MILLISECONDS for one in given):
        raise Refusal("bad_measurement", f"Each is a whole number from 0 to {clock.MOST_MILLISECONDS}.", 422)
    clock.keep(app.id, given)
    return Response(status=204)
