"""An app's settings over JSON: its name, whose pages may send, the system events' rule, whether it takes events,
and for how long they are kept.
"""

import re
from dataclasses import asdict, replace
from typing import Any

from flask import Blueprint, Response

from app.auth.require import Permission, require
from app.dashboard.api import app_name, the_app
from app.dashboard.json import json_body, json_response
from app.errors import Refusal
from app.extensions import db
from app.store import apps, audit, retention
from app.store.apps import AppRef, AppSettings
from app.store.audit import Action

blueprint = Blueprint("settings_api", __name__, url_prefix="/api/apps")

# An origin as browsers write it (RFC 6454, 6.2): scheme, host in lower case, and the port unless it is the usual one.
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")
MOST_ORIGINS = 50
CHOICES = ("name", "cors_origins", "exempt_system_events", "is_disabled", "retention_days")


@blueprint.get("/<app_id>")
@require(Permission.READ)
def show_settings(app_id: str) -> Response:
    """One app with its settings."""
    app = the_app(app_id)
    return json_response({"app_id": app.slug, **asdict(apps.settings_of(app))})


@blueprint.patch("/<app_id>")
@require(Permission.MANAGE)
def change_settings(app_id: str) -> Response:
    """Change what the body names; the rest stays. In force everywhere within a second."""
    app = the_app(app_id)
    return json_response({"app_id": app.slug, **asdict(choose(app, json_body()))})


def choose(app: AppRef, asked: dict[str, Any]) -> AppSettings:
    """Keep what was asked; commits. Raises Refusal `bad_setting`, `bad_name`, `bad_origin` (422)."""
    if unknown := sorted(set(asked) - set(CHOICES)):
        raise Refusal(
            "bad_setting", f"There is no setting `{unknown[0]}`. There are {', '.join(CHOICES)}.", 422
        )
    chosen = AppSettings(**{**asdict(apps.settings_of(app)), **asked})
    for name in ("exempt_system_events", "is_disabled"):
        if not isinstance(getattr(chosen, name), bool):
            raise Refusal("bad_setting", f"`{name}` is true or false.", 422)
    kept = replace(
        chosen,
        name=app_name(chosen.name),
        cors_origins=origins(chosen.cors_origins),
        retention_days=retention_days(chosen.retention_days),
    )
    apps.change(app, kept)
    audit.record(Action.APP_CHANGED, "app", app.slug, changed=" ".join(sorted(asked)))
    db.session.commit()
    return kept


def retention_days(given: Any) -> int | None:
    """For how many days events are kept; None: as the operator set. Raises Refusal `bad_setting`."""
    if given is None:
        return None
    if type(given) is not int or not retention.LEAST_DAYS <= given <= retention.MOST_DAYS:
        rule = (
            f"`retention_days` is a whole number from {retention.LEAST_DAYS} to {retention.MOST_DAYS},"
            " or null for as long as the operator set."
        )
        raise Refusal("bad_setting", rule, 422)
    return given


def origins(given: Any) -> tuple[str, ...]:
    """Origins as browsers send them, or `*`. Raises Refusal `bad_origin`."""
    if (
        not isinstance(given, list | tuple)
        or len(given) > MOST_ORIGINS
        or any(not isinstance(one, str) or (one != "*" and not ORIGIN.fullmatch(one)) for one in given)
    ):
        rule = (
            f"`cors_origins` lists at most {MOST_ORIGINS} origins such as https://shop.example, or * for all."
        )
        raise Refusal("bad_origin", rule, 422)
    return tuple(dict.fromkeys(given))
