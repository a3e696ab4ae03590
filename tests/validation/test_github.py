"""Real input: GitHub's webhook examples against GitHub's webhook schemas."""

from collections import Counter
from functools import cache
from typing import Any

import jsonschema_rs
import orjson
import pytest

from app.plans import importing
from app.validation.compile import CompiledPlan, compile_plan
from app.validation.judge import judge
from app.validation.model import Event, Judgement, Verdict
from app.validation.sentences import sentence
from local import github

# As architecture.md measured it: draft-07 asserts formats, which makes one more than with 2020-12.
INVALID_EXAMPLES = 40


@cache
def plan() -> CompiledPlan:
    imported = importing.read("json-schema", orjson.dumps(github.bundle()))
    assert imported.problems == []
    return compile_plan(imported.content, 1)


@cache
def judged() -> list[tuple[str, dict[str, Any], Judgement]]:
    return [(name, payload, judge(Event(name, payload), plan())) for name, payload in github.examples()]


@cache
def alone(name: str) -> jsonschema_rs.Validator | None:
    """What jsonschema-rs makes of the published file itself, with nothing of ours between."""
    published = orjson.loads((github.PACKAGES / github.SCHEMAS).read_bytes())
    if f"{name}_event" not in published["definitions"]:
        return None
    return jsonschema_rs.validator_for({**published, "$ref": f"#/definitions/{name}_event"})


def test_event_by_event_as_many_are_invalid_as_jsonschema_rs_alone_says() -> None:
    ours = Counter(name for name, _, judgement in judged() if judgement.verdict is Verdict.INVALID)
    theirs = Counter(
        name
        for name, payload in github.examples()
        if (validator := alone(name)) is not None and not validator.is_valid(payload)
    )
    assert ours == theirs
    assert ours.total() == INVALID_EXAMPLES


def test_an_example_without_a_schema_is_unplanned() -> None:
    unplanned = {name for name, _, judgement in judged() if judgement.verdict is Verdict.UNPLANNED}
    assert unplanned == {name for name, _ in github.examples() if alone(name) is None}
    assert "push" in unplanned


def test_every_invalid_example_is_explained_by_the_action_that_it_carries() -> None:
    """Each event is a choice between its actions; an explanation that speaks of another action is wrong."""
    for name, payload, judgement in judged():
        assert (judgement.verdict is Verdict.INVALID) == any(
            v.severity == "error" for v in judgement.violations
        ), name
        for violation in judgement.violations:
            if judgement.verdict is Verdict.INVALID:
                assert violation.path not in ("", "action"), (name, payload.get("action"), violation)
                assert violation.constraint not in ("one_of", "any_of", "schema"), (name, violation)


@pytest.mark.parametrize(
    ("name", "action", "said"),
    [
        (
            "check_run",
            "rerequested",
            "`check_run.app.created_at` must be a date and time with its zone, like 2025-11-03T10:30:00Z, but is "
            '"2018-04-25 20:42:10".',
        ),
        ("code_scanning_alert", "reopened", "`alert.rule.tags` must be null, but is an array."),
        ("code_scanning_alert", "reopened", "`alert.updated_at` is not in the plan."),
        ("deployment", "created", "`workflow_run` is missing. It must be an object or null."),
        ("issues", "edited", "`issue.labels[0].description` is missing. It must be text or null."),
        ("release", "published", "`release.name` must be text, but is null."),
        (
            "repository_vulnerability_alert",
            "create",
            '`sender.avatar_url` must be exactly "https://avatars.githubusercontent.com/u/9919?v=4", but is '
            '"https://avatars1.githubusercontent.com/u/9919?v=4".',
        ),
        (
            "sponsorship",
            "pending_tier_change",
            "`changes.tier.from.is_one_time` is missing. It must be a boolean.",
        ),
    ],
)
def test_the_reasons_read_like_a_colleagues(name: str, action: str, said: str) -> None:
    sentences = {
        sentence(violation)
        for event, payload, judgement in judged()
        if event == name and payload.get("action") == action
        for violation in judgement.violations
    }
    assert said in sentences
