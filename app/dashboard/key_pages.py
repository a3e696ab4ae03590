"""The page of the organisation's API keys: made, shown once, and revoked."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import metrics
from app.auth.proof import recently_proven_if
from app.auth.require import Permission, require
from app.dashboard import keys_api
from app.dashboard.pages import shell
from app.errors import Refusal
from app.store import keys as kept

blueprint = Blueprint("key_pages", __name__, url_prefix="/organisation/keys")


@blueprint.get("")
@require(Permission.MANAGE)
def show() -> ResponseReturnValue:
    return _page(), 200


@blueprint.post("")
@require(Permission.MANAGE)
@recently_proven_if(lambda: "manage" in request.form.getlist("scopes"))
def make() -> ResponseReturnValue:
    """A new API key, shown in this answer and nowhere else; or the form again, with what is wrong."""
    form = request.form
    try:
        key, _, _ = keys_api.make_api_key(
            form.getlist("scopes"), form.get("name", ""), keys_api.days_of(form.get("expires_in_days", ""))
        )
    except Refusal as refusal:
        g.reason = refusal.code
        metrics.REFUSALS.labels(refusal.code).inc()
        return _page(error=refusal.message), refusal.status
    return _page(new_key=key), 201


@blueprint.post("/<int:key_id>/revoke")
@require(Permission.MANAGE)
def revoke(key_id: int) -> ResponseReturnValue:
    """End an API key, and back to the others."""
    keys_api.revoke_api_key(key_id)
    return redirect(url_for("key_pages.show"), 303)


def _page(error: str | None = None, new_key: str | None = None) -> str:
    curl = f"curl '{request.host_url}api/apps/my-app/summary' \\\n  -H 'Authorization: Bearer {new_key}'"
    return render_template(
        "dashboard/api_keys.html",
        shell=shell(),
        keys=kept.api_keys(g.actor.organisation_id),
        error=error,
        new_key=new_key,
        curl=curl,
    )
