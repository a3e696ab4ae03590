"""Snowplow's self-describing schemas: one, or a list of them. An event is called as `self.name` says.

Source: docs.snowplow.io, "Introduction to Snowplow schemas"; their bodies are of JSON Schema's draft 4.
"""

from typing import Any, Final

from app.plans.content import empty
from app.plans.imported import Imported
from app.plans.reading import Reading
from app.plans.schema_bundle import checked, parse
from app.validation.problems import PlanInvalid, Problem

DIALECT: Final = "http://json-schema.org/draft-04/schema#"
# Of the registry, not of what an event may hold.
ABOUT: Final = frozenset(("self", "$schema", "$supersedes", "$supersededBy"))


def read(body: bytes, _reading: Reading) -> Imported:
    """The plan in a file's bytes; of several versions of a schema the newest counts."""
    try:
        given = parse(body)
        schemas = given if isinstance(given, list) else [given]
        newest: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}
        loss: list[dict[str, Any]] = []
        for position, schema in enumerate(schemas):
            name, version, about = _described(schema, position)
            loss += about
            if name in newest:
                message = f"`{name}` has several versions; only the newest is kept."
                loss.append({"code": "older_version", "what": name, "message": message})
                if newest[name][0] >= version:
                    continue
            newest[name] = (version, {member: said for member, said in schema.items() if member not in ABOUT})
        content = empty() | {"bundles": {"1": {"dialect": DIALECT}}}
        content["events"] = {name: {"schema": schema, "bundle": "1"} for name, (_, schema) in newest.items()}
        return checked(content, loss)
    except PlanInvalid as invalid:
        return Imported(problems=invalid.problems)


def _described(schema: Any, position: int) -> tuple[str, tuple[int, ...], list[dict[str, Any]]]:
    """A schema's name and version, and what its description says that is not kept."""
    given = schema.get("self") if isinstance(schema, dict) else None
    own: dict[str, Any] = given if isinstance(given, dict) else {}
    name, version = own.get("name"), str(own.get("version", "")).split("-")
    if not isinstance(name, str) or not all(part.isdecimal() for part in version):
        message = (
            "A self-describing schema has `self` with `vendor`, `name`, `format` and a `version` like 1-0-0."
        )
        raise PlanInvalid([Problem("not_self_describing", message, path=f"/{position}/self")])
    where = f"iglu:{own.get('vendor')}/{name}/{own.get('format')}/{own.get('version')}"
    loss = [
        {
            "code": "not_kept",
            "what": "self",
            "message": f"The address `{where[:300]}` is not kept, only its name.",
        }
    ]
    return name, tuple(map(int, version)), loss
