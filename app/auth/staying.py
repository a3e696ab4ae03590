"""For what stays open: may the one who opened it still be here?"""

import time
from collections.abc import Callable

from flask import current_app, g
from sqlalchemy.exc import SQLAlchemyError

from app.auth.require import Actor
from app.errors import Refusal


def may_stay() -> Callable[[], bool]:
    """A question for an open stream to ask every second, outside of any request.

    It says no once the session ended, the key was revoked, its token expired, the role was taken away, or nobody
    can tell.
    """
    flask_app = current_app._get_current_object()  # type: ignore[attr-defined]
    actor: Actor = g.actor
    is_key = actor.key_id is not None
    memory = flask_app.extensions["api_keys_by_id" if is_key else "live_sessions"]
    asked = (actor.organisation_id, actor.key_id) if is_key else actor.session_id

    def is_still_here() -> bool:
        if actor.expires_at is not None and actor.expires_at <= time.time():
            return False
        try:
            with flask_app.app_context():
                found = memory.recall(asked)
        except (SQLAlchemyError, Refusal):
            return False  # the client comes back and is asked again
        return found is not None and found.organisation_id == actor.organisation_id

    return is_still_here
