"""A new version of an app's plan."""

from typing import Final

from app.plans import content as contents
from app.plans.imported import Imported
from app.store import plans
from app.store.apps import AppRef

MERGE: Final = "merge"


def publish(
    app: AppRef, imported: Imported, *, source_format: str, mode: str, is_published: bool, user_id: int | None
) -> int:
    """Make the next version of the app's plan from what was imported, and its plan where it has none; its
    number.

    mode: `replace` (the version holds what the file says and nothing else) or `merge` (events that are not in
    the file stay). A draft (`is_published` false) judges nothing. The caller commits; until then another
    import of the same plan waits. `imported` must have no problems.
    """
    base = plans.lock(app)
    content = imported.content
    if mode == MERGE and base.content is not None:
        content = contents.merge(contents.from_text(base.content), content)
    return plans.add_version(
        app,
        base,
        contents.as_text(content),
        source_format=source_format,
        events=len(content["events"]),
        rules=contents.count_rules(content),
        is_published=is_published,
        user_id=user_id,
    )
