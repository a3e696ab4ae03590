"""Many look on while nginx reloads and a Gunicorn worker dies: each sees every event of its filter exactly once."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from loadtests import faults, stacks, viewers
from loadtests.ledger import Desk
from loadtests.stacks import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """A stack of this module's own, because it is about to be hurt."""
    with stacks.own() as stack:
        yield stack


def test_each_event_of_a_filter_is_seen_once_whatever_dies(own_stack: Stack) -> None:
    desk = faults.open_desk(own_stack)
    sight = viewers.look_on(own_stack, desk, viewers=9, sessions=3, rate=60, seconds=6, is_hurt=True)
    assert sight.is_clean, str(sight)
    assert sight.seen >= 9 * 360 / 3
    assert sight.reconnects > 0, "the faults were felt"


@pytest.mark.parametrize(
    ("seen", "fault"),
    [(["a", "b"], None), (["a"], "missing"), (["a", "b", "b"], "doubled"), (["a", "b", "c"], "strange")],
)
def test_the_books_tell_each_fault(seen: list[str], fault: str | None) -> None:
    desk = Desk("http://x", "app", "", "")
    viewer: Any = viewers.Viewer(desk, "s")
    viewer.seen, viewer.delays, viewer.connections = Counter(seen), [0.1], 1
    sender = viewers.Sender(desk, ["s"], 10, 1)
    sender.kept["s"] = ["a", "b"]
    sight = viewers._sum_up([viewer], sender)
    assert sight.is_clean == (fault is None)
    assert {name for name in ("missing", "doubled", "strange") if getattr(sight, name)} == {fault} - {None}
