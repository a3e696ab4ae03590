"""A view's address as a QR code: what puts the phone in one's hand onto the page that follows it."""

import io
from urllib.parse import urlencode

import segno
from flask import Blueprint, Response, request, url_for

from app.auth.require import Permission, require
from app.dashboard import api
from app.errors import Refusal

blueprint = Blueprint("sharing", __name__)

# Of the code's modules; four are the quiet zone that ISO/IEC 18004 asks for around it.
BORDER = 4
SHARED = (*api.TEXTS, "verdict", "kind", "origin")


@blueprint.get("/apps/<app_id>/qr.svg")
@require(Permission.READ)
def show_code(app_id: str) -> Response:
    """The live page's address with the same filters. It opens nothing: whoever scans it signs in first.

    Raises Refusal `bad_filter`; `too_long` where the filters are more than a code holds.
    """
    api.the_app(app_id)
    api.asked_filters()
    asked = {name: request.args[name] for name in SHARED if request.args.get(name)}
    page = url_for("pages.live", app_id=app_id)
    address = f"{request.host_url.rstrip('/')}{page}{'?' if asked else ''}{urlencode(asked)}"
    try:
        code = segno.make(address, micro=False)
    except segno.DataOverflowError as error:
        raise Refusal("too_long", "These filters are too long for a QR code. Copy the link.", 422) from error
    drawn = io.BytesIO()
    # Dark on light in both themes: many phones read no other.
    code.save(drawn, kind="svg", border=BORDER, dark="#000", light="#fff", xmldecl=False, svgclass=None)
    return Response(drawn.getvalue(), content_type="image/svg+xml", headers={"Cache-Control": "private"})
