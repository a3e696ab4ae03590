"""What becomes of a plan that was read from a file: published, set aside as the draft, or only looked at.

Small files are taken within their request, large ones by a worker; both ask here.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.errors import Refusal
from app.plans import content as contents
from app.plans import diff, drafting, importing, publishing
from app.plans.aside import aside
from app.plans.imported import Imported
from app.plans.publishing import MERGE, MODES, Edition
from app.store import audit
from app.store.apps import AppRef
from app.store.audit import Action
from app.store.plans import By

MOST_DIGITS: Final = 9  # of what a column of versions or revisions holds
MOST_SHEET_CHARACTERS: Final = 100
# Of warnings and lost things; nobody reads more of one kind.
MOST_NOTES: Final = 1_000
Asked = dict[str, Any]


def asked_for(given: Mapping[str, str]) -> tuple[str, Asked]:
    """The format of a file, and what is to become of it, as a query says.

    Raises Refusal `unknown_format`, `bad_mode`, `bad_filter`, `bad_note`, `bad_field`.
    """
    format_, mode = given.get("format", ""), given.get("mode", "replace")
    if format_ not in importing.FORMATS:
        raise Refusal("unknown_format", f"`format` is one of {', '.join(importing.FORMATS)}.")
    if mode not in MODES:
        raise Refusal("bad_mode", "`mode` is replace or merge.")
    sheet = given.get("sheet")
    if sheet is not None and (len(sheet) > MOST_SHEET_CHARACTERS or "\x00" in sheet):
        raise Refusal("bad_filter", f"`sheet` may have {MOST_SHEET_CHARACTERS} characters, none of them NUL.")
    return format_, {
        "mode": mode,
        "sheet": sheet,
        "publish": _flag(given, "publish"),
        "dry_run": _flag(given, "dry_run"),
        "note": publishing.checked_note(given.get("note", "")),
        "version": number(given, "version"),
        "revision": number(given, "revision"),
    }


def _flag(given: Mapping[str, str], name: str) -> bool:
    said = given.get(name, "false").lower()
    if said not in ("true", "false"):
        raise Refusal("bad_filter", f"`{name}` is true or false.")
    return said == "true"


def number(members: Mapping[str, Any], name: str) -> int | None:
    """A whole number from 0 among the members; None where it is not there. Raises Refusal `bad_field`."""
    given = members.get(name)
    if given is None:
        return None
    text = "" if isinstance(given, (bool, float)) else str(given)
    if not text.isascii() or not text.isdecimal() or len(text) > MOST_DIGITS:
        raise Refusal("bad_field", f"`{name}` is a whole number from 0.")
    return int(text)


def take(app: AppRef, format_: str, asked: Asked, imported: Imported, by: By) -> dict[str, Any]:
    """Do with the plan what was asked; what to answer. It must have no problems. The caller commits.

    Raises Refusal `plan_changed`.
    """
    told = understood(imported)
    if asked["dry_run"]:
        return told | {"changes": _changes(app, imported, asked["mode"])}
    edition = Edition(imported.content, format_, by, asked["mode"], asked["note"], asked["version"])
    who: dict[str, Any] = {"organisation_id": app.organisation_id, "user_id": by.user_id, "key_id": by.key_id}
    if asked["publish"]:
        version = publishing.publish(app, edition)
        audit.record(Action.PLAN_PUBLISHED, "plan", app.slug, **who, version=version, note=asked["note"])
        return told | {"plan_version": version}
    revision = drafting.replace(app, edition, asked["revision"])
    audit.record(Action.PLAN_CHANGED, "plan", app.slug, **who, draft_revision=revision, format=format_)
    return told | {"draft_revision": revision}


def understood(imported: Imported) -> dict[str, Any]:
    """What was understood of a file, whatever becomes of it."""
    return {
        "plan_version": None,
        "draft_revision": None,
        "rules": imported.rules,
        "events": imported.events,
        "problems": [problem.as_json() for problem in imported.problems],
        "warnings": [warning.as_json() for warning in imported.warnings[:MOST_NOTES]],
        "loss": list(imported.loss[:MOST_NOTES]),
    }


def _changes(app: AppRef, imported: Imported, mode: str) -> dict[str, Any]:
    """What publishing it would change, in words."""
    before, after = publishing.in_force(app, app.plan_version), imported.content
    if mode == MERGE and before is not None:
        after = contents.merge(before, after)
    return publishing.told(aside(diff.changes, before, after))
