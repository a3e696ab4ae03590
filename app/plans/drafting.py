"""The draft of a plan: begun from what is in force, changed step by step, taken back, previewed, published.

Every step names the revision that its author saw. Where somebody else was quicker it is refused with `plan_changed`,
which tells what they changed, and nothing is lost on either side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from app.errors import Refusal
from app.plans import content as contents
from app.plans import diff, operations, publishing
from app.plans.aside import aside
from app.plans.content import Content
from app.plans.current import current
from app.plans.operations import Operation
from app.plans.publishing import MERGE, Edition
from app.store import drafts, plans
from app.store.apps import AppRef
from app.store.drafts import Draft, NewDraft
from app.store.plans import Base, By
from app.validation.compile import CompiledPlan
from app.validation.problems import PlanInvalid

EDITOR: Final = "editor"


@dataclass(frozen=True, slots=True)
class Opened:
    """A draft and the content that edits go on from: its own, else that of the version in force, else nothing."""

    draft: Draft
    content: Content


def open_(app: AppRef) -> Opened:
    """The app's draft as it is now."""
    draft = drafts.find(app)
    if draft.content is not None:
        return Opened(draft, contents.from_text(draft.content))
    return Opened(draft, publishing.in_force(app, draft.current_version) or contents.empty())


def edit(app: AppRef, revision: int, given: Sequence[Any], by: By) -> int:
    """Do these operations (app/plans/operations.py) to the draft of this revision; the revision after that.

    The caller commits. Raises Refusal `plan_changed`, PlanInvalid.
    """
    opened = open_(app)
    _check_revision(app, opened.draft, revision)
    undo = aside(operations.change, opened.content, given)
    return _keep(app, opened, undo, EDITOR, by)


def rehearse(app: AppRef, revision: int, given: Sequence[Any]) -> None:
    """Do these operations and keep nothing. Raises Refusal `plan_changed`, PlanInvalid."""
    opened = open_(app)
    _check_revision(app, opened.draft, revision)
    aside(operations.change, opened.content, given)


def replace(app: AppRef, edition: Edition, revision: int | None) -> int:
    """Make the edition the draft, or merge it in; the revision after that. The caller commits.

    revision: of the draft that its author saw; None will do where there is none yet. Raises Refusal `plan_changed`.
    """
    opened = open_(app)
    if revision is not None or opened.draft.exists:
        _check_revision(app, opened.draft, revision)
    before = opened.content
    content = contents.merge(before, edition.content) if edition.mode == MERGE else edition.content
    undo: list[Operation] = [{"op": "replace", "content": before}]
    return _keep(app, Opened(opened.draft, content), undo, edition.source_format, edition.by)


def take_back(app: AppRef, revision: int, by: By) -> int:
    """Undo the draft's last step that was not taken back yet; the revision after that, for this is a step, too.

    The caller commits. Raises Refusal `plan_changed`, `nothing_to_undo`.
    """
    opened = open_(app)
    _check_revision(app, opened.draft, revision)
    known = drafts.steps(app)
    undone = {step.undoes for step in known}
    last = next((s for s in known if s.undoes is None and s.revision not in undone), None)
    if last is None:
        raise Refusal("nothing_to_undo", "There is nothing (more) to take back in this draft.", 409)
    again = aside(operations.change, opened.content, orjson.loads(last.undo))
    return _keep(app, opened, again, opened.draft.source_format or EDITOR, by, undoes=last.revision)


def preview(app: AppRef) -> dict[str, Any]:
    """What publishing the draft would change, in words, and what of it would be refused. Raises Refusal `no_draft`."""
    draft, content = needed(app)
    before = publishing.in_force(app, draft.current_version)
    problems = aside(problems_of, content, current(app))
    told = publishing.told(aside(diff.changes, before, content))
    return told | {
        "problems": problems,
        "is_behind": draft.base_version != draft.current_version,
    }


def problems_of(content: Content, older: CompiledPlan | None = None) -> list[dict[str, Any]]:
    """What keeps a content from being published, as the API tells it. older: the version in force."""
    try:
        operations.check(content, older=older)
    except PlanInvalid as bad:
        return [problem.as_json() for problem in bad.problems]
    return []


def publish(app: AppRef, revision: int, by: By, note: str, *, overwrite: bool = False) -> int:
    """Make the draft of this revision the next version; there is no draft then. The version's number.

    overwrite: also where another version came into force after the draft was begun, and would be undone.
    The caller commits. Raises Refusal `no_draft`, `plan_changed`, and PlanInvalid.
    """
    draft, content = needed(app)
    _check_revision(app, draft, revision)
    aside(operations.check, content, older=current(app))  # it may have been begun under an older release
    seen = draft.current_version if overwrite else draft.base_version
    source = draft.source_format or EDITOR
    version = publishing.publish(app, Edition(content, source, by, note=note, version=seen or 0))
    drafts.discard(_locked(app, revision))
    return version


def discard(app: AppRef, revision: int) -> int:
    """Forget the draft of this revision; the revision after that. The caller commits. Raises Refusal `plan_changed`."""
    needed(app)
    return drafts.discard(_locked(app, revision))


def needed(app: AppRef) -> tuple[Draft, Content]:
    """The draft and its content. Raises Refusal `no_draft`."""
    draft = drafts.find(app)
    if draft.content is None:
        raise Refusal(
            "no_draft", "The plan has no draft. Edit the plan, or import a file, to begin one.", 404
        )
    return draft, contents.from_text(draft.content)


def _keep(
    app: AppRef, opened: Opened, undo: list[Operation], source: str, by: By, undoes: int | None = None
) -> int:
    content = opened.content
    new = NewDraft(
        contents.as_text(content),
        source,
        len(content["events"]),
        contents.count_rules(content),
        orjson.dumps(undo).decode(),
        undoes,
        by,
    )
    return drafts.keep(app, _locked(app, opened.draft.revision), new)


def _locked(app: AppRef, revision: int) -> Base:
    """The plan locked, as it was when this revision was read. Raises Refusal `plan_changed`."""
    base = plans.lock(app)
    if base.draft_revision != revision:
        raise publishing.changed(app, _since(app, drafts.find(app), revision))
    return base


def _check_revision(app: AppRef, draft: Draft, revision: int | None) -> None:
    if revision != draft.revision:
        raise publishing.changed(app, _since(app, draft, revision) if revision is not None else None)


def _since(app: AppRef, draft: Draft, revision: int) -> list[diff.Change] | None:
    """What became of the draft since this revision; None where that is not remembered."""
    later = drafts.steps(app, revision)
    if draft.content is None or [s.revision for s in later] != list(range(draft.revision, revision, -1)):
        return None
    now = contents.from_text(draft.content)
    then = contents.from_text(draft.content)
    for step in later:
        operations.change(then, orjson.loads(step.undo))
    return diff.changes(then, now)
