"""kill -9 of every kind of process while a ledger client sends: nothing lost, nothing twice, nothing made up."""

from collections.abc import Iterator
from typing import Any

import pytest

from loadtests import faults, stacks
from loadtests.faults import VICTIMS, Victim
from loadtests.ledger import Attempt, Books, Desk, reckon
from loadtests.stacks import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """A stack of this module's own, because it is about to be hurt."""
    with stacks.own() as stack:
        yield stack


@pytest.fixture(scope="module")
def desk(own_stack: Stack) -> Desk:
    return faults.open_desk(own_stack)


@pytest.mark.parametrize("victim", VICTIMS, ids=lambda v: v.name)
def test_the_books_agree_after_a_kill(own_stack: Stack, desk: Desk, victim: Victim) -> None:
    struck = faults.strike(own_stack, desk, victim, n=0, seed=1)
    assert struck.reckoning.is_clean, str(struck.reckoning)
    assert struck.reckoning.kept >= faults.ACKS_BEFORE + faults.ACKS_AFTER
    assert struck.healed_after < faults.HEALING_SECONDS
    assert set(struck.statuses) <= {0, 200, 429, 502, 503, 504}


class Shelf(Desk):
    """A store that says what a test wants it to say."""

    def __init__(self, entries: list[dict[str, Any]], counted: int) -> None:
        super().__init__("", "", "", "")
        self.__dict__.update(entries=entries, count=counted)

    def stored(self, name: str) -> Iterator[dict[str, Any]]:
        yield from self.__dict__["entries"]

    def counted(self, name: str) -> int:
        return self.__dict__["count"]


def test_the_checker_sees_each_kind_of_fault(tmp_path: Any) -> None:
    books = Books(tmp_path / "ledger")
    attempts = [Attempt(str(n), f"id-{n}", "00") for n in range(5)]
    books.begin(attempts)
    for attempt in attempts[:4]:
        books.end(attempt, "stored")
    books.end(attempts[3], "conflict")
    there = [{"payload": attempts[n].payload, "message_id": f"id-{n}"} for n in (1, 2, 2, 3, 4)]
    there[0] = {"payload": {"entry": "1"}, "message_id": "id-1"}
    there.append({"payload": {"entry": "9"}, "message_id": None})
    books.answered(500)
    found = reckon(Shelf(there, counted=7), books)
    books.close()
    assert (found.lost, found.duplicated, found.unexpected) == (["0"], ["2"], ["9"])
    assert (found.altered, found.refused) == (["1"], ["3"])
    assert (found.miscounted, found.broken, found.recovered) == (1, 1, 2)
    assert not found.is_clean
