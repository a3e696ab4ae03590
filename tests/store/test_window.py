"""The window of the message ids: once within seven days, across midnight, from however many senders at a time."""

from collections import Counter
from typing import Any

import gevent
import pytest
from flask import Flask

from app.config import Settings
from app.extensions import db
from app.ingest import upkeep
from app.store import window
from app.store.keeping import GroupCommit, Status
from tests.store.test_keeping import kept, row

SENDERS, IDS = 32, 200


@pytest.fixture
def groups(flask_app: Flask, settings: Settings) -> list[GroupCommit]:
    """Four processes' worth of flushers, each with a connection of its own."""
    return [
        GroupCommit(settings.ingest_database_url, most_rows=50_000, deadline_seconds=20) for _ in range(4)
    ]


def let_pass(owner: Any, days: float) -> None:
    """As if what is there had come so many days earlier."""
    with owner.cursor() as cursor:
        for table in ("message_ids", "log_entries"):
            cursor.execute(
                f"UPDATE {table} SET received_at = received_at - make_interval(secs => %s)", [days * 86400]
            )


def known(owner: Any) -> int:
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM message_ids")
        return cursor.fetchone()[0]


def test_an_id_is_remembered_for_seven_days_and_then_forgotten(groups: list[GroupCommit], owner: Any) -> None:
    groups[0].keep([row("a"), row("b")])
    let_pass(owner, 6.99)
    groups[0].keep([row("c")])
    assert window.forget() == 0
    assert groups[0].keep([row("a")])[0].status is Status.DUPLICATE
    let_pass(owner, 0.02)
    assert window.forget() == 2
    db.session.commit()
    assert known(owner) == 1
    assert groups[0].keep([row("a")])[0].status is Status.STORED


def test_ids_are_forgotten_in_slices_until_none_is_left(
    groups: list[GroupCommit], owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups[0].keep([row(str(n)) for n in range(25)])
    let_pass(owner, 8)
    slices: list[int] = []
    forget = window.forget
    monkeypatch.setattr(window, "forget", lambda: slices.append(forget(limit=10)) or slices[-1])
    upkeep.forget_message_ids(None)  # type: ignore[arg-type]
    assert slices == [10, 10, 5, 0]
    assert known(owner) == 0


def test_an_id_is_kept_once_across_midnight(groups: list[GroupCommit], owner: Any) -> None:
    """The first one lies in yesterday's partition, or in the one that catches what has none."""
    groups[0].keep([row("a")])
    let_pass(owner, 1)
    again, other = groups[1].keep([row("a"), row("a")._replace(digest="ff")])
    assert (again.status, other.status) == (Status.DUPLICATE, Status.CONFLICT)
    assert kept(owner) == ["a"]


def test_many_senders_of_the_same_ids_keep_each_once(groups: list[GroupCommit], owner: Any) -> None:
    names = [f"{n:03}" for n in range(IDS)]

    def send(n: int) -> list[Any]:
        order = names[n:] + names[:n] if n % 2 else names[::-1]
        return [
            o
            for start in range(0, IDS, 50)
            for o in groups[n % 4].keep([row(m) for m in order[start : start + 50]])
        ]

    sent = [gevent.spawn(send, n) for n in range(SENDERS)]
    gevent.joinall(sent, raise_error=True)
    counted = Counter(outcome.status for greenlet in sent for outcome in greenlet.value)
    assert counted == {Status.STORED: IDS, Status.DUPLICATE: IDS * (SENDERS - 1)}
    assert kept(owner) == names
