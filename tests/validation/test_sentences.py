"""Sentences: for whatever was stored, and for all that the judge can say."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.validation.model import Severity, Violation, ViolationKind
from app.validation.sentences import _CONSTRAINTS, sentence

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("kind", list(ViolationKind))
def test_a_stored_violation_reads_like_the_one_just_made(kind: ViolationKind) -> None:
    violation = Violation(kind, "a.b", "text", "integer", Severity.ERROR, "pattern", "c")
    assert sentence(json.loads(json.dumps(violation.as_json()))) == sentence(violation)


@given(
    kind=st.sampled_from([*(kind.value for kind in ViolationKind), "of_the_future"]),
    constraint=st.none() | st.sampled_from([*_CONSTRAINTS, "of_the_future"]),
    expected=JSON,
    received=JSON,
    suggestion=st.none() | st.text(max_size=10),
)
def test_whatever_was_stored_has_a_sentence(
    kind: str, constraint: str | None, expected: Any, received: Any, suggestion: str | None
) -> None:
    shape = {"kind": kind, "path": "p", "expected": expected, "received": received}
    shape |= {"constraint": constraint} if constraint else {}
    shape |= {"suggestion": suggestion} if suggestion else {}
    assert sentence(shape)


def test_the_case_law_shows_every_kind_of_violation() -> None:
    cases = [json.loads(path.read_text()) for path in (Path(__file__).parent / "cases").glob("*.json")]
    shown = {
        violation["kind"] for file in cases for case in file["cases"] for violation in case["violations"]
    }
    assert shown == {kind.value for kind in ViolationKind}
