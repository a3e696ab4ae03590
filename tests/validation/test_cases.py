"""The judge's case law: an event and a plan, and exactly what is said of it. Each case is readable without
code.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event
from app.validation.sentences import sentence

FOLDER = Path(__file__).parent / "cases"
FILES = [(path.stem, json.loads(path.read_text())) for path in sorted(FOLDER.glob("*.json"))]
CASES = [(file["plan"], case) for _, file in FILES for case in file["cases"]]
IDS = [f"{name}: {case['case']}" for name, file in FILES for case in file["cases"]]


@pytest.mark.parametrize(("plan", "case"), CASES, ids=IDS)
def test_the_judge_says_what_the_case_says(plan: dict[str, Any], case: dict[str, Any]) -> None:
    event = Event(**case["event"])
    judgement = judge(
        event, compile_plan(plan, 1), exempt_system_events=case.get("exempt_system_events", False)
    )
    said = [{**violation.as_json(), "message": sentence(violation)} for violation in judgement.violations]
    assert (judgement.verdict.value, said) == (case["verdict"], case["violations"])


@pytest.mark.parametrize(("plan", "case"), CASES, ids=IDS)
def test_where_we_differ_from_the_reference_dashboard_the_case_says_why(
    plan: dict[str, Any], case: dict[str, Any]
) -> None:
    differs = case.get("reference_verdict", case["verdict"]) != case["verdict"]
    assert differs == ("why" in case)
