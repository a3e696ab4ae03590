"""My sessions: the list, ending them, and the bell that tells every process."""

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import text

from app import create_app
from app.auth.memory import Memory
from app.config import Settings
from app.extensions import db
from app.live import stream
from app.store import members, sessions, standing
from app.store.tables import Role
from tests.auth.visitor import Visitor
from tests.conftest import eventually

Another = Callable[..., Visitor]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def signed_in_again(visitor: Visitor, another: Another) -> Visitor:
    """The same person in another browser."""
    double = another(email=visitor.email)
    double.client.environ_base["HTTP_USER_AGENT"] = FIREFOX
    double.client.environ_base["REMOTE_ADDR"] = "192.0.2.77"
    double.login()
    assert double.verify(double.mailed_code()).status_code == 200
    return double


def session_ids(owner: Any, email: str) -> list[str]:
    """Of the person's live sessions, the oldest first."""
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT s.id FROM auth_sessions s JOIN users u ON u.id = s.user_id"
            " WHERE email = %s AND revoked_at IS NULL ORDER BY s.created_at",
            (email,),
        )
        return [str(row[0]) for row in cursor]


def page(visitor: Visitor) -> str:
    return visitor.ask("GET", "/account").text


def test_the_page_lists_my_sessions_and_nobody_elses(visitor: Visitor, another: Another, owner: Any) -> None:
    visitor.join()
    signed_in_again(visitor, another)
    stranger = another().join()
    shown = page(visitor)
    mine = session_ids(owner, visitor.email)
    assert "Firefox on Linux" in shown
    assert "192.0.2.0/24" in shown, "the network, not the address"
    assert "192.0.2.77" not in shown
    assert shown.partition("devices-title")[0].count("this browser") == 1
    assert f"/account/sessions/{mine[1]}/end" in shown
    assert f"/account/sessions/{mine[0]}/end" not in shown, "this one signs out by the menu"
    assert session_ids(owner, stranger.email)[0] not in shown


def test_ending_one_signs_that_browser_out_and_no_other(
    visitor: Visitor, another: Another, owner: Any
) -> None:
    visitor.join()
    double = signed_in_again(visitor, another)
    (_, other) = session_ids(owner, visitor.email)
    assert visitor.submit(f"/account/sessions/{other}/end").status_code == 303
    eventually(lambda: not double.is_signed_in(), 1.0)
    assert visitor.is_signed_in()
    assert visitor.submit(f"/account/sessions/{other}/end").status_code == 404, "once"


def test_nobody_ends_the_session_of_somebody_else(visitor: Visitor, another: Another, owner: Any) -> None:
    visitor.join()
    stranger = another().join()
    (theirs,) = session_ids(owner, stranger.email)
    assert visitor.submit(f"/account/sessions/{theirs}/end").status_code == 404
    assert visitor.submit(f"/account/sessions/{uuid.uuid4()}/end").status_code == 404
    assert visitor.submit("/account/sessions/end-others").status_code == 303
    assert session_ids(owner, stranger.email) == [theirs]


def test_ending_all_others_keeps_this_one(visitor: Visitor, another: Another, owner: Any) -> None:
    visitor.join()
    doubles = [signed_in_again(visitor, another) for _ in range(2)]
    (this, *_) = session_ids(owner, visitor.email)
    assert visitor.submit("/account/sessions/end-others").status_code == 303
    assert session_ids(owner, visitor.email) == [this]
    for double in doubles:
        eventually(lambda double=double: not double.is_signed_in(), 1.0)
    assert visitor.is_signed_in()
    assert "You are signed in nowhere else." in page(visitor)


def test_what_was_ended_is_in_the_audit_log(visitor: Visitor, another: Another, owner: Any) -> None:
    visitor.join()
    signed_in_again(visitor, another)
    visitor.submit("/account/sessions/end-others")
    with owner.cursor() as cursor:
        cursor.execute("SELECT object, details FROM audit_log WHERE action = 'signed_out'")
        assert cursor.fetchall() == [("all others", {"sessions": 1})]


# ── the bell ───────────────────────────────────────────────────────────────


@pytest.fixture
def told(settings: Settings) -> Iterator[set[int]]:
    """The users whose change was told, as another process hears it."""
    heard: set[int] = set()
    redis = Redis.from_url(settings.redis_url)
    subscription = redis.pubsub()
    subscription.subscribe(
        **{standing.CHANNEL: lambda message: heard.update(map(int, message["data"].split()))}
    )
    thread = subscription.run_in_thread(sleep_time=0.01)
    yield heard
    thread.stop()
    thread.join()
    redis.close()


def user_id_of(email: str) -> int:
    return db.session.execute(
        text("SELECT id FROM users WHERE email = :email"), {"email": email}
    ).scalar_one()


def test_a_change_is_told_after_its_commit_and_not_if_it_was_taken_back(
    visitor: Visitor, told: set[int]
) -> None:
    visitor.join()
    user_id = user_id_of(visitor.email)
    sessions.end_others(user_id)
    db.session.rollback()
    standing.changed(-1)
    db.session.commit()
    eventually(lambda: -1 in told, 5)
    assert user_id not in told, "taken back"
    sessions.end_others(user_id)
    assert user_id not in told, "not committed"
    db.session.commit()
    eventually(lambda: user_id in told, 5)


def test_a_changed_role_and_a_lost_membership_are_told(told: set[int], flask_app: Flask) -> None:
    for user_id, change in (
        (-2, lambda: members.set_role(1, -2, Role.VIEWER)),
        (-3, lambda: members.remove(1, -3)),
    ):
        change()
        db.session.commit()
        eventually(lambda user_id=user_id: user_id in told, 5)


def test_without_redis_a_session_is_ended_all_the_same(
    visitor: Visitor, settings: Settings, owner: Any
) -> None:
    visitor.join()
    cut_off = create_app(replace(settings, redis_url="unix:///nowhere.sock"))
    user_id = user_id_of(visitor.email)
    db.session.rollback()
    with cut_off.app_context():
        sessions.end_others(user_id)
        db.session.commit()
    assert session_ids(owner, visitor.email) == []


def a_stream(visitor: Visitor) -> Iterator[bytes]:
    """The visitor's live stream, opened and connected."""
    assert visitor.post("/api/apps", {"name": "Shop", "app_id": "shop"}).status_code == 201
    answer = visitor.ask("GET", "/api/apps/shop/live", buffered=False)
    frames = iter(answer.response)
    assert next(frames).startswith(b": connected")
    return frames


def test_an_open_stream_is_told_and_does_not_wait_for_its_next_glance(
    visitor: Visitor, another: Another, flask_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "GLANCE_SECONDS", 60.0)
    visitor.join()
    double = signed_in_again(visitor, another)
    frames = a_stream(visitor)
    ended = threading.Event()

    def read() -> None:
        for _ in frames:
            pass
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    eventually(lambda: flask_app.extensions["stays"]._open, 5)
    assert double.submit("/account/sessions/end-others").status_code == 303
    assert ended.wait(1.0)
    flask_app.extensions["stays"]._listener.kill()


def test_what_was_asked_before_a_change_is_not_remembered_after_it() -> None:
    gate, answers = threading.Event(), ["before", "after"]

    def ask(_key: str) -> str:
        answer = answers.pop(0)
        if answer == "before":
            gate.wait(5)
        return answer

    memory: Memory[str, str] = Memory("tests", ask, fresh_seconds=60)
    late: list[str] = []
    asking = threading.Thread(target=lambda: late.append(memory.recall("k")))
    asking.start()
    eventually(lambda: memory._flights, 5)
    memory.forget_where(lambda _: True)
    assert memory.recall("k") == "after"
    gate.set()
    asking.join()
    assert memory.recall("k") == "after"
