"""From a content to a version in force. A version, once published, never changes.

Nobody overwrites what they have not seen: whoever names the version that they started from is refused with
`plan_changed` where another one is in force by now, and told whose it is and what it changed.
"""

from dataclasses import dataclass
from typing import Any, Final

from app.errors import Refusal
from app.plans import bell, diff, words
from app.plans import content as contents
from app.plans.aside import aside
from app.plans.content import Content
from app.plans.diff import Change
from app.store import drafts, plans
from app.store.apps import AppRef
from app.store.plans import Base, By, NewVersion

MERGE: Final = "merge"
MODES: Final = ("replace", MERGE)
REVERT: Final = "revert"
MOST_NOTE_CHARACTERS: Final = 1_000
# Sentences in one answer; the rest is counted.
MOST_SENTENCES: Final = 500
SENTENCES_OF_A_CONFLICT: Final = 20


@dataclass(frozen=True, slots=True)
class Edition:
    """A content on its way into a plan. It must be able to judge.

    mode: `replace` (the plan holds what the content says and nothing else) or `merge` (events that are not in it
    stay). version: the one in force that its author saw, 0 where there was none; None: whichever it is.
    """

    content: Content
    source_format: str
    by: By = By()
    mode: str = "replace"
    note: str = ""
    version: int | None = None


def publish(app: AppRef, edition: Edition) -> int:
    """Make the next version of the app's plan, and its plan where it has none; the version's number.

    The caller commits; until then another change of the same plan waits. Raises Refusal `plan_changed`.
    """
    current = drafts.about(app).current_version
    made = _made(app, current, edition)
    base = plans.lock(app)
    check_version(app, base, edition.version)
    if base.current_version != current:  # another one was quicker; now none can be
        made = _made(app, base.current_version, edition)
    bell.ring_after_commit(base.plan_id)
    return plans.add_version(app, base, made)


def revert(app: AppRef, version: int, by: By, note: str, seen: int | None = None) -> int:
    """Publish an old version's content as a new version; its number. The caller commits.

    seen: the version in force that whoever reverts saw. Raises Refusal `unknown_version`, `plan_changed`.
    """
    old = plans.find_content(app, version)
    if old is None:
        raise unknown_version()
    note = note or f"Back to version {version}"
    return publish(app, Edition(contents.from_text(old), REVERT, by, note=note, version=seen))


def in_force(app: AppRef, version: int | None) -> Content | None:
    """The content of the version in force; None before the first."""
    text = plans.find_content(app, version) if version else None
    return contents.from_text(text) if text else None


def told(found: list[Change], most: int = MOST_SENTENCES) -> dict[str, Any]:
    """Changes as the API tells them: how many of each weight, and the first of them in words."""
    listed = [words.as_json(change) for change in found[:most]]
    return {"counts": diff.counts(found), "changes": listed, "omitted": len(found) - len(listed)}


def check_version(app: AppRef, base: Base, seen: int | None) -> None:
    """Raises Refusal `plan_changed` where another version is in force than the one that was seen."""
    if seen is None or seen == (base.current_version or 0):
        return
    now = plans.find_content(app, base.current_version) if base.current_version else None
    before = in_force(app, seen)
    changes = diff.changes(before, contents.from_text(now)) if now else []
    raise changed(app, changes)


def changed(app: AppRef, changes: list[Change] | None) -> Refusal:
    """409 that says who changed the plan when, and what as far as it is known."""
    now = drafts.about(app)
    detail = {
        "revision": now.revision,
        "current_version": now.current_version,
        "changed_by": now.author,
        "changed_at": now.changed_at.isoformat() if now.changed_at else None,
        **(told(changes, SENTENCES_OF_A_CONFLICT) if changes is not None else {"changes": None}),
    }
    message = (
        f"{now.author or 'Somebody'} changed the plan after you opened it. Look at their change, then decide."
    )
    return Refusal("plan_changed", message, 409, detail=detail)


def unknown_version() -> Refusal:
    """404 for a version that this plan does not have."""
    return Refusal("unknown_version", "The app's plan has no such version.", 404)


def checked_note(note: Any) -> str:
    """What its author says of a version. Raises Refusal `bad_note`."""
    if not isinstance(note, str) or len(note) > MOST_NOTE_CHARACTERS or "\x00" in note:
        raise Refusal(
            "bad_note", f"`note` is a text of at most {MOST_NOTE_CHARACTERS:,} characters, none of them NUL."
        )
    return note.strip()


def _made(app: AppRef, current: int | None, edition: Edition) -> NewVersion:
    """What the version holds. Before the first publish, merging goes on from the draft."""
    before, content = in_force(app, current), edition.content
    if edition.mode == MERGE and (base := before or _drafted(app)) is not None:
        content = contents.merge(base, content)
    return NewVersion(
        contents.as_text(content),
        edition.source_format,
        len(content["events"]),
        contents.count_rules(content),
        diff.counts(aside(diff.changes, before, content)),
        edition.note,
        edition.by,
    )


def _drafted(app: AppRef) -> Content | None:
    text = drafts.find(app).content
    return contents.from_text(text) if text else None
