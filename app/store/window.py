"""The window of the message ids: within it an id is kept once, after it the id is forgotten and may come again."""

from sqlalchemy import text

from app.extensions import db
from app.store.tenancy import across_organisations

# A phone that was offline for a week still repeats what it could not deliver.
DAYS = 7
SLICE = 5_000

# By the database's clock, which also wrote received_at: no process's own clock can shorten the window.
FORGET = text(
    """
    DELETE FROM message_ids WHERE (app_id, message_id) IN (
        SELECT app_id, message_id FROM message_ids
        WHERE received_at < now() - make_interval(days => :days) LIMIT :limit
    )
    """
)


@across_organisations()
def forget(limit: int = SLICE) -> int:
    """Forget ids whose window is over, a slice of them; returns how many. The caller commits."""
    return db.session.execute(FORGET, {"days": DAYS, "limit": limit}).rowcount  # type: ignore[attr-defined]
