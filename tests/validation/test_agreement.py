"""Property tests: whatever the schema and the payload, the verdict is that of jsonschema-rs, and has a
reason.
"""

import json
import os
from typing import Any

import jsonschema_rs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event, Verdict
from app.validation.sentences import sentence

NAMES = st.sampled_from(["a", "b", "kind", "items", "odd key", "x.y"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([0.5, 12.0, -1e300])
    | st.sampled_from(["", "a", "b", "card", "2025-11-03", "x" * 300, "é", "12"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
REFERENCES = st.sampled_from(["#/$defs/one", "#/$defs/two", "#", "#/definitions/three"]).map(
    lambda r: {"$ref": r}
)


def keywords(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A schema with some of the keywords that the drafts have."""
    some = st.lists(schemas, min_size=1, max_size=3)
    by_name = st.dictionaries(NAMES, schemas, max_size=3)
    counts = st.integers(0, 3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
            "properties": by_name,
            "required": st.lists(NAMES, max_size=3, unique=True),
            "additionalProperties": schemas,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "k"]), schemas, max_size=2),
            "propertyNames": schemas,
            "items": schemas,
            "prefixItems": some,
            "contains": schemas,
            "uniqueItems": st.booleans(),
            "minItems": counts,
            "maxItems": counts,
            "minLength": counts,
            "maxLength": counts,
            "minProperties": counts,
            "maxProperties": counts,
            "minimum": st.integers(-3, 3),
            "exclusiveMaximum": st.integers(-3, 3),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "pattern": st.sampled_from(["^a", "[0-9]+", "(a|aa)+$"]),
            "format": st.sampled_from(["date", "email", "uuid", "regex", "unknown"]),
            "enum": st.lists(SCALARS, min_size=1, max_size=3, unique_by=json.dumps),
            "const": SCALARS,
            "oneOf": some,
            "anyOf": some,
            "allOf": some,
            "not": schemas,
            "if": schemas,
            "then": schemas,
            "else": schemas,
            "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2),
            "dependentSchemas": by_name,
            "unevaluatedProperties": schemas,
            "unevaluatedItems": schemas,
            "title": st.sampled_from(["one", "two"]),
        },
    )


SCHEMAS = st.recursive(st.booleans() | REFERENCES | keywords(st.booleans()), keywords, max_leaves=8)
DIALECTS = st.sampled_from([None, "https://json-schema.org/draft/2020-12/schema"]) | st.sampled_from(
    ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2019-09/schema"]
)


@settings(
    max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "400")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(schema=SCHEMAS, one=SCHEMAS, two=SCHEMAS, three=SCHEMAS, dialect=DIALECTS, payload=VALUES)
def test_invalid_exactly_where_jsonschema_rs_says_so_and_then_with_a_reason(
    schema: Any, one: Any, two: Any, three: Any, dialect: str | None, payload: Any
) -> None:
    definitions = {"$defs": {"one": one, "two": two}, "definitions": {"three": three}}
    whole = {**schema, **definitions} if isinstance(schema, dict) else schema
    if dialect and isinstance(whole, dict):
        whole = {"$schema": dialect, **whole}
    alone = compiled_alone(whole)
    if alone is None:
        return
    bundle = {**definitions, **({"dialect": dialect} if dialect else {})}
    plan = compile_plan({"bundles": {"1": bundle}, "events": {"e": {"schema": schema, "bundle": "1"}}}, 1)
    judgement = judge(Event("e", payload), plan)
    assert (judgement.verdict is Verdict.INVALID) == (not alone.is_valid(payload))
    assert (judgement.verdict is Verdict.INVALID) == bool(judgement.violations)
    for violation in judgement.violations:
        shape = violation.as_json()
        assert len(json.dumps(shape)) < 3000
        assert sentence(shape) == sentence(violation)
        assert "not valid under any" not in sentence(shape)


def compiled_alone(schema: Any) -> jsonschema_rs.Validator | None:
    """What jsonschema-rs makes of the schema without us; None where that is nothing (a reference into
    nowhere).
    """
    try:
        return jsonschema_rs.validator_for(schema)
    except ValueError:
        return None
