"""Memory: fresh answers without asking, one question for many, old answers while nobody can be asked."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from psycopg2 import OperationalError
from psycopg2.errors import UndefinedColumn

from app import metrics
from app.auth.memory import Memory
from app.errors import Refusal
from tests.conftest import eventually


class Archive:
    """Something to ask: counts the questions, answers or fails as told, as slowly as told."""

    def __init__(self) -> None:
        self.answer: Any = "first"
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.asked = 0

    def ask(self, key: str) -> Any:
        self.asked += 1
        assert self.gate.wait(10)
        if self.error:
            raise self.error
        return self.answer


@pytest.fixture
def archive() -> Archive:
    return Archive()


def together(work: Callable[[], Any], times: int) -> list[Any]:
    """Run the work in that many threads; what each returned or raised."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except (OperationalError, Refusal) as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return results


def test_a_fresh_answer_is_not_asked_for_again_and_an_old_one_is(archive: Archive) -> None:
    memory = Memory("tests", archive.ask, fresh_seconds=0.1)
    assert [memory.recall("k") for _ in range(5)] == ["first"] * 5
    assert archive.asked == 1
    archive.answer = "second"
    eventually(lambda: memory.recall("k") == "second", seconds=1)
    assert archive.asked == 2


def test_none_is_an_answer(archive: Archive) -> None:
    memory = Memory("tests", archive.ask, fresh_seconds=10)
    archive.answer = None
    assert memory.recall("k") is None
    assert memory.recall("k") is None
    assert archive.asked == 1


def test_what_is_forgotten_is_asked_for_again(archive: Archive) -> None:
    memory = Memory("tests", archive.ask, fresh_seconds=10)
    memory.recall("k")
    memory.forget("k")
    memory.forget("never heard of")
    memory.recall("k")
    assert archive.asked == 2


def test_the_memory_is_bounded(archive: Archive) -> None:
    memory = Memory("tests", archive.ask, fresh_seconds=10, most=100)
    for n in range(1000):
        memory.recall(str(n))
    assert len(memory._remembered) == 100
    memory.recall("999")
    assert archive.asked == 1000


def test_many_who_ask_at_once_share_one_question(archive: Archive) -> None:
    memory = Memory("tests", archive.ask, fresh_seconds=10)
    archive.gate.clear()
    threading.Timer(0.1, archive.gate.set).start()
    assert together(lambda: memory.recall("k"), 10) == ["first"] * 10
    assert archive.asked == 1


def test_many_who_ask_at_once_share_one_failure(archive: Archive) -> None:
    memory = Memory("tests", archive.ask, fresh_seconds=10)
    archive.gate.clear()
    archive.error = OperationalError("gone")
    threading.Timer(0.1, archive.gate.set).start()
    assert [type(result) for result in together(lambda: memory.recall("k"), 10)] == [OperationalError] * 10
    assert archive.asked == 1


def test_an_outage_is_bridged_with_the_old_answer_for_so_long(archive: Archive) -> None:
    memory = Memory("tests", archive.ask, fresh_seconds=0.05, stale_seconds=0.5)
    memory.recall("k")
    archive.error = OperationalError("gone")
    ends_at = time.monotonic() + 0.4
    while time.monotonic() < ends_at:
        assert memory.recall("k") == "first"
    assert archive.asked < 12  # once per 0.05 s, not once per recall

    def is_over() -> bool:
        try:
            return not memory.recall("k")
        except OperationalError:
            return True

    eventually(is_over, seconds=1)


def test_an_outage_is_not_bridged_with_none_nor_a_mistake_with_anything(archive: Archive, owner: Any) -> None:
    memory = Memory("tests", archive.ask, fresh_seconds=0, stale_seconds=60)
    archive.answer = None
    memory.recall("k")
    archive.error = OperationalError("gone")
    with pytest.raises(OperationalError):
        memory.recall("k")
    archive.error = None
    archive.answer = "there"
    memory.recall("k")
    with pytest.raises(UndefinedColumn) as mistake:
        owner.cursor().execute("SELECT nothing")
    archive.error = mistake.value
    with pytest.raises(UndefinedColumn):
        memory.recall("k")


def test_while_the_database_is_slow_the_old_answer_serves(archive: Archive) -> None:
    memory = Memory("tests", archive.ask, fresh_seconds=0.05, stale_seconds=60)
    memory.recall("k")
    archive.gate.clear()
    archive.answer = "second"
    eventually(lambda: memory._remembered["k"].fresh_until < time.monotonic())
    leader = threading.Thread(target=memory.recall, args=("k",))
    leader.start()
    eventually(lambda: archive.asked == 2)
    began = time.monotonic()
    assert memory.recall("k") == "first"
    assert time.monotonic() - began < 0.5
    archive.gate.set()
    leader.join(10)
    assert memory.recall("k") == "second"


def test_hits_and_misses_are_counted_by_kind(archive: Archive) -> None:
    memory: Memory[str, str] = Memory("counted", archive.ask, fresh_seconds=10)
    for key in ("a", "a", "b", "a"):
        memory.recall(key)
    counts = {outcome: metrics.CACHE.labels("counted", outcome)._value.get() for outcome in ("hit", "miss")}
    assert counts == {"hit": 2, "miss": 2}


def test_nobody_waits_for_a_new_answer_while_the_old_one_will_do(archive: Archive) -> None:
    """One asks; the others go on with what was known a moment ago, and are no older than twice the freshness."""
    memory: Memory[str, str] = Memory("tests", archive.ask, fresh_seconds=2, stale_seconds=60)
    memory.recall("k")
    memory._remembered["k"].fresh_until = 0.0
    archive.gate.clear()
    leader = threading.Thread(target=memory.recall, args=("k",))
    leader.start()
    eventually(lambda: archive.asked == 2)
    began = time.monotonic()
    assert memory.recall("k") == "first"
    assert time.monotonic() - began < 1
    archive.gate.set()
    leader.join(10)
