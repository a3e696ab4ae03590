"""For what stays open: may the one who opened it still be here?"""

from collections.abc import Callable

from flask import current_app, g
from sqlalchemy.exc import SQLAlchemyError

from app.auth import keys
from app.auth.require import Actor
from app.errors import Refusal


def may_stay() -> Callable[[], bool]:
    """A question for an open stream to ask every second, outside of any request.

    It says no once the session ended, the key was revoked, the role was taken away, or nobody can tell.
    """
    flask_app = current_app._get_current_object()  # type: ignore[attr-defined]
    actor: Actor = g.actor
    key = keys.presented() if actor.key_id else None
    memory = flask_app.extensions["api_keys" if key else "live_sessions"]
    asked = keys.hashed(key) if key else actor.session_id

    def is_still_here() -> bool:
        try:
            with flask_app.app_context():
                found = memory.recall(asked)
        except (SQLAlchemyError, Refusal):
            return False  # the client comes back and is asked again
        return found is not None and found.organisation_id == actor.organisation_id

    return is_still_here
