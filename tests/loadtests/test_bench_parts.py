"""The bench's own parts: a measure that loses events, or a stack that only seems grown, would measure nothing."""

import json
from pathlib import Path

import pytest
import requests

from loadtests import bench_growth, bench_live, stacks
from loadtests.people import SIGN_INS_PER_ACCOUNT, Account, Accounts, Member, Postman, Shop, event
from local.demo import Trouble
from tests.conftest import Stack


@pytest.fixture(scope="module")
def running(stack: Stack) -> stacks.Stack:
    return stacks.Stack(Path(stack.var))


@pytest.fixture(scope="module")
def shop(running: stacks.Stack) -> Shop:
    return Member(running.url, Postman(running.mailbox_url)).shop


def task(running: stacks.Stack, shop: Shop) -> bench_live.Task:
    return bench_live.Task(
        running.url, shop.app_id, shop.write_key, shop.api_key, seconds=1, viewers=4, rate=100
    )


def test_viewers_see_each_event_once_and_say_when(running: stacks.Stack, shop: Shop) -> None:
    times = bench_live.p99s(task(running, shop), runs=2)
    assert len(times) == 2
    assert all(0 < milliseconds < 15_000 for milliseconds in times)


@pytest.mark.parametrize("seen", [{"missed": 1, "doubled": 0}, {"missed": 0, "doubled": 2}])
def test_a_run_that_loses_or_doubles_counts_as_none(seen: dict[str, int]) -> None:
    said = json.dumps({"sent": 10, "p99_ms": 1.0, **seen})
    with pytest.raises(Trouble, match="of 10 events"):
        bench_live.reading(said)


def test_a_grown_stack_shows_what_was_put_there(running: stacks.Stack, shop: Shop) -> None:
    """In the counts, too: a dashboard over uncounted events would be fast for nothing."""

    def counted() -> int:
        answer = requests.get(
            f"{running.url}/api/apps/{shop.app_id}/summary", headers=shop.reading, timeout=10
        )
        return sum(answer.json()["verdicts"].values())

    requests.post(f"{running.url}{shop.path}", event(), headers=shop.sending, timeout=10).raise_for_status()
    before = counted()
    assert bench_growth.fill(running, shop.app_id, rows=250, most_seconds=30) == 250
    assert counted() == before + 250


def test_both_grown_and_empty_are_asked_everything(running: stacks.Stack) -> None:
    """A question that is answered by a refusal would be quick on both."""
    member = Member(running.url, Postman(running.mailbox_url))
    sides = [(running, member), (running, member)]
    for question in bench_growth.QUESTIONS:
        assert bench_growth.quickness(question, sides, times=1) > 0
    with pytest.raises(Trouble, match="404"):
        bench_growth.quickness("/api/apps/nobodys/summary", sides, times=1)


def test_an_account_signs_in_again_only_after_all_others() -> None:
    """Two sign-ins of one account at once end each other's codes: failures of the load test, not of the product."""
    accounts = Accounts()
    made = [Account.new() for _ in range(3)]
    for account in made:
        accounts.add(account)
    assert [accounts.next() for _ in range(3 * SIGN_INS_PER_ACCOUNT)] == made * SIGN_INS_PER_ACCOUNT
    with pytest.raises(Trouble, match="No account"):
        accounts.next()
