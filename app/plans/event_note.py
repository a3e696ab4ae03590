"""What a plan says of an event beside its JSON Schema, as a note in it: so it comes back from a file.

`"x-event": {"rules": true, "description": "…", "tags": "…"}`: whether rules describe it, and what stands there for
people. Validators pass over a keyword that they don't know.
"""

from typing import Any, Final

from app.validation.problems import Problem
from app.validation.translate import schema_as_rules

KEYWORD: Final = "x-event"
MEMBERS: Final = frozenset(("rules", "description", "tags"))
FOR_PEOPLE: Final = ("description", "tags")
Definition = dict[str, Any]
Schema = dict[str, Any]


def understood(name: str, definition: Definition, bundle: dict[str, Any]) -> tuple[Definition, list[Problem]]:
    """The definition with what its schema's note says, and the note gone; warnings where the rules are others by now.

    bundle: the file's `$defs` and `definitions`, for references.
    """
    schema = definition["schema"]
    note = schema.get(KEYWORD) if isinstance(schema, dict) else None
    if not isinstance(note, dict) or note.keys() - MEMBERS:
        return definition, []
    schema = {keyword: said for keyword, said in schema.items() if keyword != KEYWORD}
    said = {**definition, **note}
    for_people = {what: said[what] for what in FOR_PEOPLE if isinstance(said.get(what), str) and said[what]}
    if note.get("rules") is True:
        shared = {place: bundle[place] for place in ("$defs", "definitions") if place in bundle}
        told, problems = schema_as_rules({**shared, **schema})
        if told is not None:
            return told | for_people, []
        message = "Its rules were changed to what only a JSON Schema says, so it is kept as one."
        warning = Problem(
            "became_schema", f"{message} {problems[0].message}", event=name, path=problems[0].path
        )
        return {**definition, "schema": schema, **for_people}, [warning]
    return {**definition, "schema": schema, **for_people}, []


def noted(schema: Schema, definition: Definition, *, described: bool) -> Schema:
    """The schema with the note that `understood` reads. described: the format tells the description elsewhere."""
    note: dict[str, Any] = {"rules": True} if "schema" not in definition else {}
    for what in FOR_PEOPLE:
        told_by_schema = what == "description" and ("schema" not in definition or described)
        if isinstance(said := definition.get(what), str) and said and not told_by_schema:
            note[what] = said
    return {**schema, KEYWORD: note} if note else schema
