"""What must hold however often it is tried: ended sessions stay ended, revoked keys send no more."""

import hashlib
import itertools
import secrets
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import psycopg2
from flask import Flask
from itsdangerous import URLSafeTimedSerializer
from redis import Redis

from app.auth.cookie import KEY_PREFIX
from app.config import Settings
from tests.auth.visitor import Visitor
from tests.conftest import eventually
from tests.world import World

SESSIONS = 1000
RAW_TOKEN = "t" * 40


class SignedIn:
    """Browsers of one person, each signed in: rows and cookies as signing in makes them, without the mail."""

    def __init__(self, settings: Settings, owner: Any, redis: Redis) -> None:
        serializer = URLSafeTimedSerializer(settings.secret_key, salt="wtf-csrf-token")
        self.token: str = serializer.dumps(RAW_TOKEN)
        self._owner, self._redis = owner, redis
        with owner.cursor() as cursor:
            cursor.execute("INSERT INTO organisations (name) VALUES ('o') RETURNING id")
            (self._organisation_id,) = cursor.fetchone()
            cursor.execute(
                "INSERT INTO users (email, password_hash) VALUES ('r@example.com', '') RETURNING id"
            )
            (self._user_id,) = cursor.fetchone()
            cursor.execute(
                "INSERT INTO memberships VALUES (%s, %s, 'owner')", (self._organisation_id, self._user_id)
            )

    def cookies(self, count: int) -> list[str]:
        made = [(secrets.token_urlsafe(32), uuid.uuid4()) for _ in range(count)]
        with self._owner.cursor() as cursor:
            for _, session_id in made:
                cursor.execute(
                    "INSERT INTO auth_sessions (id, user_id, organisation_id) VALUES (%s, %s, %s)",
                    (str(session_id), self._user_id, self._organisation_id),
                )
        for cookie, session_id in made:
            content = orjson.dumps({"auth_session": str(session_id), "csrf_token": RAW_TOKEN})
            self._redis.set(KEY_PREFIX + hashlib.sha256(cookie.encode()).hexdigest(), content)
        return [cookie for cookie, _ in made]


def browser(flask_app: Flask, cookie: str) -> Visitor:
    visitor = Visitor(flask_app)
    visitor.client.set_cookie("session", cookie)
    return visitor


def test_of_a_thousand_sign_outs_none_is_undone_by_a_request_on_its_way(
    flask_app: Flask, settings: Settings, owner: Any, redis_operator: Redis
) -> None:
    signed_in = SignedIn(settings, owner, redis_operator)
    cookies = signed_in.cookies(SESSIONS)
    assert browser(flask_app, cookies[0]).is_signed_in(), "made as signing in makes them"

    def write(cookie: str, n: int) -> None:
        """Changes its session, which is then written back."""
        browser(flask_app, cookie).ask("GET", "/auth/login", query_string={"next": f"/{n}"})

    def leave(cookie: str) -> int:
        headers = {"X-CSRF-Token": signed_in.token}
        return browser(flask_app, cookie).ask("POST", "/auth/logout", json={}, headers=headers).status_code

    with ThreadPoolExecutor(2) as threads:
        for n, cookie in enumerate(cookies):
            if n % 2:
                leaving, writing = threads.submit(leave, cookie), threads.submit(write, cookie, n)
            else:
                writing, leaving = threads.submit(write, cookie, n), threads.submit(leave, cookie)
            writing.result()
            assert leaving.result() == 200
    # Whoever comes with one of the cookies finds nothing to come back to.
    held = [redis_operator.get(key) or b"" for key in redis_operator.scan_iter("session:*")]
    assert not [content for content in held if b"auth_session" in content]
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auth_sessions WHERE revoked_at IS NULL")
        assert cursor.fetchone() == (0,)
    assert not [cookie for cookie in cookies[::50] if browser(flask_app, cookie).is_signed_in()]


# ── both orders of a revoked key and an event ──────────────────────────────


def sent(flask_app: Flask, world: World, message_id: str) -> int:
    client = flask_app.test_client()
    return world.alice.send(client, {"eventName": "e", "messageId": message_id}).status_code


def revoke(flask_app: Flask, world: World) -> None:
    (key,) = world.alice.get(flask_app.test_client(), "/api/apps/shop/keys").get_json()["keys"]
    headers = {"Authorization": f"Bearer {world.alice.api_key}"}
    answer = flask_app.test_client().delete(f"/api/apps/shop/keys/{key['id']}", headers=headers)
    assert answer.status_code == 204


def kept(owner: Any) -> set[str]:
    with owner.cursor() as cursor:
        cursor.execute("SELECT message_id FROM log_entries")
        return {row[0] for row in cursor}


def test_an_event_on_its_way_when_its_key_is_revoked_is_kept_and_answered_so(
    flask_app: Flask, world: World, owner: Any, settings: Settings
) -> None:
    """Event first: its key was alive when it was let in, so what is answered is what happened."""
    with psycopg2.connect(settings.migrate_database_url) as blocker, ThreadPoolExecutor(1) as threads:
        with blocker.cursor() as cursor:
            cursor.execute("LOCK TABLE log_entries IN SHARE MODE")
            sending = threads.submit(sent, flask_app, world, "first")
            eventually(lambda: waits_for_a_lock(owner), 5)
            revoke(flask_app, world)
        blocker.rollback()
        assert sending.result() == 200
    assert kept(owner) == {"first"}
    eventually(lambda: sent(flask_app, world, "later") == 401, 2)


def test_a_revocation_that_is_not_committed_stops_nothing_and_then_everything(
    flask_app: Flask, world: World, owner: Any, settings: Settings
) -> None:
    """Revocation first: it counts from its commit on, and an event never waits for it."""
    with psycopg2.connect(settings.migrate_database_url) as revoking:
        with revoking.cursor() as cursor:
            cursor.execute("UPDATE write_keys SET revoked_at = now()")
        assert sent(flask_app, world, "before") == 200
    began = time.monotonic()
    eventually(lambda: sent(flask_app, world, "after") == 401, 2)
    assert time.monotonic() - began < 2.0
    assert "before" in kept(owner)


def test_what_was_sent_around_a_revocation_is_kept_exactly_if_it_was_accepted(
    flask_app: Flask, world: World, owner: Any
) -> None:
    answered: dict[str, int] = {}
    revoked_at: list[float] = []
    late: list[str] = []

    def send_on(sender: int) -> None:
        for n in itertools.count():
            began, message_id = time.monotonic(), f"{sender}-{n}"
            status = answered[message_id] = sent(flask_app, world, message_id)
            if revoked_at and began > revoked_at[0] + 2.0:
                if status == 200:
                    late.append(message_id)
                return

    threads = [threading.Thread(target=send_on, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(answered) > 100)
    revoke(flask_app, world)
    revoked_at.append(time.monotonic())
    for thread in threads:
        thread.join(30)
    assert set(answered.values()) == {200, 401}
    assert kept(owner) == {message_id for message_id, status in answered.items() if status == 200}
    assert late == []


def waits_for_a_lock(owner: Any) -> bool:
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'log_entries'::regclass"
        )
        return bool(cursor.fetchone()[0])
