"""The official JSON Schema test suite, in every draft that plans may be written in.

No verdict differs; what is refused at import, and why, is told in docs/judging.md.
"""

import json
import os
import tarfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event, Verdict
from app.validation.problems import PlanInvalid
from local.suite import ARCHIVE
from scripts.judging import SUITE_REFUSED

DIALECTS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}
# Fewer would mean that the archive was not read as it is built.
LEAST_TESTS = 4_500


class Group(NamedTuple):
    draft: str
    file: str
    about: str
    schema: Any
    tests: list[dict[str, Any]]


def groups() -> Iterator[Group]:
    """All groups of required tests; whole files about remote references are left out."""
    with tarfile.open(ARCHIVE) as archive:
        for member in archive.getmembers():
            draft, _, file = member.name.partition("/json/tests/")[2].partition("/")
            if draft not in DIALECTS or "/" in file or file in ("", "refRemote.json"):
                continue
            content = archive.extractfile(member)
            assert content is not None
            for group in json.load(content):
                yield Group(draft, file, group["description"], group["schema"], group["tests"])


@pytest.fixture(scope="module")
def suite() -> list[Group]:
    if not ARCHIVE.exists():
        reason = "THE JSON SCHEMA TEST SUITE IS NOT HERE: run `python -m local.suite` with a network."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return list(groups())


def test_every_required_test_of_every_draft_has_the_verdict_that_the_suite_expects(
    suite: list[Group],
) -> None:
    wrong, refused, count = [], set(), 0
    for group in suite:
        # As a bundle of one event: with its dialect, where the schema names none.
        bundle = {"dialect": DIALECTS[group.draft]}
        content = {"bundles": {"1": bundle}, "events": {"e": {"schema": group.schema, "bundle": "1"}}}
        try:
            plan = compile_plan(content, 1)
        except PlanInvalid as invalid:
            refused.add((group.draft, group.file, group.about, invalid.problems[0].code))
            continue
        for test in group.tests:
            count += 1
            judgement = judge(Event("e", test["data"]), plan)
            is_valid = judgement.verdict is Verdict.VALID
            if is_valid != test["valid"] or is_valid == bool(judgement.violations):
                wrong.append((group.draft, group.file, group.about, test["description"]))
    assert wrong == []
    assert refused == set(SUITE_REFUSED)
    assert count > LEAST_TESTS
