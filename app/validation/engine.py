"""How schemas are handed to jsonschema-rs: offline, with a regex engine that cannot backtrack."""

import re
from typing import Any, Final

import jsonschema_rs
import orjson
from jsonschema_rs import ValidationErrorKind

from app.validation.problems import Problem

Schema = dict[str, Any] | bool
# What a schema is taken for where neither it nor its bundle names a dialect.
DEFAULT_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
# A schema that mentions the format `regex` gets the default engine, because only with it are verdicts those
# of jsonschema-rs with its defaults: it decides what counts as a regex in a payload. Its own patterns were
# all tried with the linear engine before (`check`), so that nothing in it can backtrack.
_MENTIONS_REGEX: Final = re.compile(rb'"format":"regex"|json-schema\.org/draft')
_LOOK_AROUND: Final = re.compile(r"\(\?(?:=|!|<=|<!)")
_BACK_REFERENCE: Final = re.compile(r"\\[1-9]|\\k<|\(\?P=")


def validator_for(schema: Schema, **options: Any) -> jsonschema_rs.Validator:
    """Compile a schema for judging. Raises jsonschema_rs.ValidationError or ValueError where it cannot be."""
    if "pattern_options" not in options and not _MENTIONS_REGEX.search(
        orjson.dumps(_without_dialect(schema))
    ):
        options["pattern_options"] = jsonschema_rs.RegexOptions()
    return jsonschema_rs.validator_for(schema, offline=True, **options)


def _without_dialect(schema: Schema) -> Schema:
    return {k: v for k, v in schema.items() if k != "$schema"} if isinstance(schema, dict) else schema


def check(schema: Schema) -> list[Problem]:
    """Why a schema cannot be judged by; empty where it can.

    Codes: bad_pattern, remote_reference, unknown_reference, unknown_dialect, too_deep, bad_schema.
    """
    try:
        jsonschema_rs.validator_for(schema, offline=True, pattern_options=jsonschema_rs.RegexOptions())
    except jsonschema_rs.ValidationError as error:
        return [_problem_of(error)]
    except ValueError as error:
        return [Problem("too_deep", f"The schema cannot be read: {error}.")]
    return []


def _problem_of(error: jsonschema_rs.ValidationError) -> Problem:
    place = "/" + "/".join(str(step) for step in error.instance_path) if error.instance_path else None
    match error.kind:
        case ValidationErrorKind.Referencing():
            return _reference_problem(error.message)
        case ValidationErrorKind.Format(format="regex"):
            reason = pattern_problem(str(error.instance)) or "it is not a regular expression"
            return Problem(
                "bad_pattern", f"The pattern `{str(error.instance)[:200]}` is refused: {reason}.", path=place
            )
        case ValidationErrorKind.AnyOf() | ValidationErrorKind.OneOfNotValid():
            text = (
                f"This is not a JSON Schema: `{str(error.instance)[:100]}` cannot stand at `{place or '/'}`."
            )
            return Problem("bad_schema", text, path=place)
    return Problem("bad_schema", f"This is not a JSON Schema: {error.message[:300]}.", path=place)


def _reference_problem(message: str) -> Problem:
    reason = message.split("\n")[0]
    if "meta-schema" in reason:
        return Problem("unknown_dialect", "The `$schema` is none of the drafts 4, 6, 7, 2019-09 and 2020-12.")
    if "not present in a registry" in reason:
        target = reason.split("'")[1] if reason.count("'") > 1 else "?"
        text = f"`{target}` lies outside the bundle. Put it under `$defs` and refer to `#/$defs/…`."
        return Problem("remote_reference", text)
    return Problem("unknown_reference", f"A reference leads nowhere: {reason[:200]}.")


def pattern_problem(pattern: str) -> str | None:
    """Why a pattern is refused, in words that complete "is refused:"; None where it is accepted.

    Only patterns that match in time linear in the text are accepted, so that no event can hold the judge.
    """
    try:
        jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())
    except ValueError:
        return _reason(pattern)
    return None


def _reason(pattern: str) -> str:
    if _LOOK_AROUND.search(pattern):
        return "it looks ahead or behind, which cannot be matched in linear time"
    if _BACK_REFERENCE.search(pattern):
        return "it refers back to a group, which cannot be matched in linear time"
    try:
        jsonschema_rs.validator_for({"pattern": pattern})
    except ValueError:
        return "it is not a regular expression, or too large a one"
    return "it cannot be matched in linear time"
