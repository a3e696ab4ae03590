"""Plans for property tests: whatever rules, conditions and schemas an editor or an import can make."""

from typing import Any

from hypothesis import strategies as st

from app.validation.conditions import read_condition
from app.validation.paths import format_rule_path, relax
from app.validation.rules import read_rule

# What breaks files: formulas, quotes, delimiters, ends of lines, blanks, XML, escapes, other scripts.
HOSTILE = st.sampled_from(
    [
        "=1+1",
        "+x",
        "-5",
        "@a",
        "'=1",
        "''",
        '"',
        'a"b',
        "a,b",
        "a;b",
        "a|b",
        "a\nb",
        "a\r\nb",
        "\tb",
        "<b>&amp;",
        "é",
    ]
    + [
        "＝x",
        "[1]",
        '["a"]',
        "[",
        "x005F_",
        "_x0041_",
        "true",
        "12",
        "1e5",
        "null",
        "sep=;",
        "日本",
        "a b",
        "😀",
        "\u202e",
    ]
)
TEXTS = HOSTILE | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
KEYS = st.sampled_from(["a", "b", "c d", "deep", "Case", "payload", "=x", "e.f", 'q"', "-g", "é"])
NUMBERS = st.sampled_from([0, 1, -5, 2.5, 1e-7, 1e300, 2**53 + 1, 2**63, -0.1, 123456789012345678])
SEVERITY = st.sampled_from(["error", "warning", "info"])


@st.composite
def paths(draw: st.DrawFn) -> str:
    steps = [draw(KEYS)]
    for _ in range(draw(st.integers(0, 2))):
        if draw(st.booleans()):
            steps.append("[]")
        steps.append(draw(KEYS))
    return format_rule_path([*steps, *draw(st.sampled_from([[], ["[]"]]))])


def limits(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    count = st.integers(0, 3)
    scalar: Any = {"text": TEXTS, "integer": st.integers(-9, 9), "number": NUMBERS, "boolean": st.booleans()}
    scalar |= {"any": TEXTS | NUMBERS | st.booleans(), "date": st.just("2025-11-03")}
    optional: dict[str, Any] = {
        "text": {"pattern": st.sampled_from(["^a", "[0-9]+", "=.*", "a|b", "[0]"]), "min_length": count},
        "integer": {"minimum": st.integers(-9, 0), "maximum": st.integers(1, 9)},
        "number": {"exclusive_minimum": NUMBERS, "multiple_of": st.sampled_from([0.5, 1e-9, 3])},
        "array": {"min_items": count, "unique_items": st.booleans()},
        "object": {"min_properties": count},
    }.get(kind, {})
    if kind == "text":
        optional["format"] = st.sampled_from(["email", "currency", "semver"])
    if kind in scalar:
        optional["enum"] = st.lists(scalar[kind], min_size=1, max_size=4, unique_by=repr)
        optional["const"] = scalar[kind]
    return st.fixed_dictionaries({}, optional=optional)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["text", "integer", "number", "boolean", "date", "array", "object", "any"]))
    rule: dict[str, Any] = {"path": draw(paths()), "type": kind}
    rule |= {flag: True for flag in ("required", "nullable", "blank", "private") if draw(st.booleans())}
    if kind == "date" and draw(st.booleans()):
        rule["epoch"] = draw(st.sampled_from(["seconds", "milliseconds"]))
    rule |= {"severity": draw(SEVERITY), "constraints": draw(limits(kind))}
    return rule | draw(st.fixed_dictionaries({}, optional={"description": TEXTS, "owner": TEXTS}))


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    one, other = draw(KEYS), draw(KEYS)
    premise = draw(
        st.sampled_from([{"equals": "x"}, {"in": [1, None, "\r"]}, {"present": True}, {"present": False}])
    )
    rest = draw(
        st.sampled_from(
            [{}, {"type": "text"}, {"type": "date", "required": False}, {"forbidden": True}]
            + [{"type": "text", "constraints": {"enum": ["a", "b"]}, "severity": "warning"}]
        )
    )
    return {"if": format_rule_path([one]), **premise, "then": format_rule_path([other]), **rest}


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """An event that rules describe."""
    seen: set[str] = set()
    kept = []
    for rule in draw(st.lists(rules(), max_size=5)):
        if read_rule(rule)[0] is not None and relax(rule["path"]) not in seen:
            seen.add(relax(rule["path"]))
            kept.append(rule)
    listed = [each for each in draw(st.lists(conditions(), max_size=2)) if read_condition(each)[0]]
    optional = {"description": TEXTS, "tags": TEXTS, "unplanned_properties": SEVERITY | st.just("allowed")}
    return {"rules": kept, "conditions": listed, **draw(st.fixed_dictionaries({}, optional=optional))}


SCHEMAS = st.sampled_from(
    [
        True,
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/tag"}}, "required": ["a"]},
        {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}], "title": "=x"},
        {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"type": "string"}}},
        {"type": "object", "$defs": {"own": {"type": "null"}}, "properties": {"b": {"$ref": "#/$defs/own"}}},
    ]
)
BUNDLES = st.sampled_from(
    [
        {"$defs": {"tag": {"enum": ["a", "b"]}}},
        {"dialect": "http://json-schema.org/draft-07/schema#", "$defs": {"tag": {"type": "integer"}}},
    ]
)
EVENT_NAMES = st.sampled_from(["buy", "leave", "Order Placed", "=cmd", "-x", "日本", "push|pull", "'=a"])


@st.composite
def described_by_schema(draw: st.DrawFn) -> dict[str, Any]:
    people = st.fixed_dictionaries({}, optional={"description": TEXTS, "tags": TEXTS})
    return {"schema": draw(SCHEMAS), "bundle": draw(st.sampled_from("12")), **draw(people)}


@st.composite
def plans(draw: st.DrawFn, *, with_schemas: bool = True, with_settings: bool = True) -> dict[str, Any]:
    """A whole plan's content. Not every one compiles: rules may contradict each other."""
    event = definitions() | described_by_schema() if with_schemas else definitions()
    content: dict[str, Any] = {
        "matching": {"events": "relaxed", "properties": "relaxed"},
        "bundles": {"1": draw(BUNDLES), "2": draw(BUNDLES)} if with_schemas else {},
        "events": draw(st.dictionaries(EVENT_NAMES, event, min_size=1, max_size=3)),
    }
    if with_settings and draw(st.booleans()):
        content["matching"] = {"events": "exact", "properties": draw(st.sampled_from(["exact", "relaxed"]))}
    if with_settings and draw(st.booleans()):
        words = SEVERITY | st.just("allowed")
        content["judging"] = {
            "types": "lenient",
            "unplanned_events": draw(words),
            "unplanned_properties": draw(words),
        }
    if with_settings and draw(st.booleans()):
        content["common"] = {"rules": [{"path": "user", "type": "text", "required": True}]}
    return content
