"""The docs that are made from code are the code's, and what they name is there."""

import re

import pytest

from scripts.document import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run `make docs`"


# A row of docs/security.md: `folder/test_x.py::test_name`, and `::test_name` for a further test of the same file.
SECURITY = (DOCS / "security.md").read_text()
ROWS = dict(re.findall(r"^\| (S\d\d) \| (.*) \|$", SECURITY, re.MULTILINE))
TESTS = DOCS.parent / "tests"


def test_every_requirement_has_its_row() -> None:
    assert sorted(ROWS) == [f"S{n:02}" for n in range(1, 61)]
    assert len(re.findall(r"^\| S\d\d \|", SECURITY, re.MULTILINE)) == 60


@pytest.mark.parametrize("requirement", ROWS)
def test_a_requirement_names_tests_that_there_are_or_says_that_it_is_not_met(requirement: str) -> None:
    held_by = ROWS[requirement]
    named = re.findall(r"`([\w/]*(?:\.py)?)::(\w+)`", held_by)
    assert named or re.search(r"\*\*(?:not|no|not met)\*\*|by review|none are made", held_by), (
        "held by nothing"
    )
    file = ""
    for path, name in named:
        file = path or file
        source = (TESTS / file).read_text()
        assert re.search(rf"^def {name}\(", source, re.MULTILINE), f"{file} has no {name}"
    for path in re.findall(r"`([\w/]+\.py)`", held_by):
        pytest.fail(f"{path}: name the tests in it")
