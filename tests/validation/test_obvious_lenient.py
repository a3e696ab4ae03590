"""Property test of lenience: which texts a lenient plan takes for what they write, and what it says of them.

The checker here reads texts character by character, from a grammar written down again, and judges the value that it
finds; it shares nothing with the judge. `taken` and what is told of it are compared exactly.
"""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event, Verdict

DIGITS = "0123456789"
# Texts that write a value, that nearly do, and that any careless reader takes for one.
WRITTEN = st.sampled_from(
    ["0", "7", "-3", "2.5", "-0.5", "0.25", "10", "true", "false", "TRUE", "False", "12.0", "-0", "100"]
)
NEARLY = st.sampled_from(
    [
        "",
        " ",
        "+1",
        "01",
        "1.",
        ".5",
        "1e3",
        "1E3",
        " 1",
        "1 ",
        "0x1",
        "1_000",
        "1,5",
        "--1",
        "-",
        "٣",
        "½",
        "NaN",
    ]
    + ["Infinity", "yes", "on", "1.2.3", "tru", "null", "None", "[1]", '"1"', "1\n", "true "]
)
LIMITS: dict[str, dict[str, Any]] = {
    "integer": {"minimum": -1, "maximum": 8, "enum": [0, 7, 10]},
    "number": {"exclusive_minimum": -1, "multiple_of": 0.5, "maximum": 8},
    "boolean": {"const": True},
    "text": {"max_length": 3},
    "any": {},
}


def read(text: str, kind: str) -> Any:
    """The value that the text writes, of the rule's type; None where it writes none."""
    if kind == "boolean":
        letters = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)
        return True if letters == "true" else False if letters == "false" else None
    rest = list(text)
    if rest[:1] == ["-"]:
        rest.pop(0)
    whole = 0
    while rest and rest[0] in DIGITS:
        rest.pop(0)
        whole += 1
    if not whole or (whole > 1 and text.lstrip("-")[0] == "0"):
        return None
    if not rest:
        return int(text)
    if kind == "integer" or rest.pop(0) != "." or not rest or any(c not in DIGITS for c in rest):
        return None
    return float(text)


def fits(value: Any, kind: str, limits: dict[str, Any]) -> bool:
    """Whether the value is of the type and within the limits."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    right = {
        "integer": is_number and value == int(value),
        "number": is_number,
        "boolean": isinstance(value, bool),
        "text": isinstance(value, str),
        "any": True,
    }[kind]
    if not right:
        return False
    for name, limit in limits.items():
        kept = {
            "minimum": lambda limit=limit: value >= limit,
            "maximum": lambda limit=limit: value <= limit,
            "exclusive_minimum": lambda limit=limit: value > limit,
            "multiple_of": lambda limit=limit: Decimal(str(value)) % Decimal(str(limit)) == 0,
            "enum": lambda limit=limit: value in limit,
            "const": lambda limit=limit: value is limit,
            "max_length": lambda limit=limit: len(value) <= limit,
        }[name]()
        if not kept:
            return False
    return True


@settings(max_examples=1200, deadline=None)
@given(
    kind=st.sampled_from(["integer", "number", "number", "boolean", "boolean", "text", "any"]),
    text=WRITTEN | NEARLY,
    path=st.sampled_from(["a", "o.x", "l[]"]),
    lenient=st.booleans(),
    is_private=st.booleans(),
    data=st.data(),
)
def test_a_lenient_plan_takes_a_text_for_what_it_writes_judges_that_and_says_so(
    kind: str, text: str, path: str, lenient: bool, is_private: bool, data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(sorted(LIMITS[kind])), unique=True)) if LIMITS[kind] else []
    limits = {name: LIMITS[kind][name] for name in chosen}
    rule = {"path": path, "type": kind, "constraints": limits, "private": is_private}
    judging = {"types": "lenient" if lenient else "strict"}
    plan = compile_plan({"judging": judging, "events": {"e": {"rules": [rule]}}}, 1)
    payload = {"a": {"a": text}, "o.x": {"o": {"x": text}}, "l[]": {"l": [text]}}[path]
    judgement = judge(Event("e", payload), plan)

    taken = read(text, kind) if lenient and kind in ("integer", "number", "boolean") else None
    value = text if taken is None else taken
    assert (judgement.verdict is Verdict.VALID) == fits(value, kind, limits)
    infos = [violation for violation in judgement.violations if violation.severity == "info"]
    if taken is None:
        assert infos == []
    else:
        (info,) = infos
        assert (info.kind, info.expected, info.path) == ("type_mismatch", kind, path.replace("[]", "[0]"))
        written = text.lower() if kind == "boolean" else text
        assert (info.received, info.suggestion) == ("text", None if is_private else written)
        assert info.is_private is is_private
    assert payload == {"a": {"a": text}, "o.x": {"o": {"x": text}}, "l[]": {"l": [text]}}[path], (
        "left as it was"
    )
