"""Deleting an organisation: closed at once, had back in time, and at the end erased without a trace of its rows."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.auth import closing
from app.jobs.queues import Queue
from app.store import erasing
from tests.auth.test_members import accept, ids, invite, link, member, roles
from tests.auth.visitor import Mailbox, Visitor, do_jobs
from tests.conftest import eventually
from tests.store.test_tenancy import OWNED, key_of
from tests.world import Tenant, World

Another = Callable[..., Visitor]
# What only the fold or people write, as columns and values.
FURTHER = {
    "tallies": (
        "minutes, at, event_name, verdict, platform, app_version, count",
        "15, now(), 'e', 'v', '', '', 1",
    ),
    "events_seen": (
        "event_name, verdict, platform, app_version, first_at, last_at",
        "'e', 'v', '', '', now(), now()",
    ),
    "counted_words": ("day, kind, word", "now(), 'name', 'e'"),
    "violation_groups": (
        "fingerprint, event_name, path, kind, constraint_name, severity, samples",
        "gen_random_uuid(), 'e', 'p', 'k', '', 'error', '{}'",
    ),
    "violation_tallies": (
        "minutes, at, fingerprint, platform, app_version, count",
        "15, now(), gen_random_uuid(), '', '', 1",
    ),
    "violations_seen": (
        "fingerprint, platform, app_version, first_at, last_at",
        "gen_random_uuid(), '', '', now(), now()",
    ),
    "refusal_samples": (
        "reason, slot, message, status, refused_at, write_key_id, request_id",
        "'r', 1, 'm', 400, now(), 1, ''",
    ),
    "refusal_tallies": ("day, reason, count", "now(), 'r', 1"),
    "usage_days": ("day", "'1999-01-01'"),
    "triage": ("fingerprint", "gen_random_uuid()"),
    "coverage_exclusions": ("event_name, reason", "'e', 'why'"),
    "studies": ("id, kind, asked", "gen_random_uuid(), 'backtest', '{}'"),
    "deletions": ("filters, starts_at", "'{}', now() + interval '1 day'"),
    "plan_imports": ("id, format, asked", "gen_random_uuid(), 'csv', '{}'"),
    "reports": ("id, format, filters, snapshot", "gen_random_uuid(), 'csv', '{}', '1:1:'"),
}
SHEET = b"eventName,eventPayload,dataType,required\nview,sku,text,true\n"


@pytest.fixture
def alice(visitor: Visitor) -> Visitor:
    """The owner of an organisation."""
    return visitor.join()


def name_of(owner: Any, organisation_id: int) -> str:
    with owner.cursor() as cursor:
        cursor.execute("SELECT name FROM organisations WHERE id = %s", (organisation_id,))
        return cursor.fetchone()[0]


def close(who: Visitor, owner: Any) -> int:
    organisation_id = ids(owner, who)[1]
    answer = who.submit("/organisation/close", name=name_of(owner, organisation_id))
    assert answer.status_code == 303
    return organisation_id


def make_due(owner: Any, organisation_id: int) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "UPDATE organisations SET deletes_at = now() - interval '1 s' WHERE id = %s", (organisation_id,)
        )


def erase(flask_app: Flask, owner: Any) -> None:
    """What the clock would start; until it is through."""
    with owner.cursor() as cursor:
        cursor.execute("INSERT INTO outbox (queue, job) VALUES ('low', %s)", (closing.ERASE.name,))
    do_jobs(flask_app, Queue.LOW)


def rows_of(owner: Any, organisation_id: int) -> dict[str, list[str]]:
    """Every row that the organisation owns, by table."""
    found = {}
    with owner.cursor() as cursor:
        for table in OWNED:
            cursor.execute(
                f"SELECT t::text FROM {table} t WHERE {key_of(table)} = %s ORDER BY 1", (organisation_id,)
            )
            found[table] = [row for (row,) in cursor]
    return found


def live(flask_app: Flask, owner: Any, tenant: Tenant) -> None:
    """A bit of everything that an organisation may own."""
    client = flask_app.test_client()
    path = f"/api/apps/{tenant.app.slug}"
    assert tenant.post(client, f"{path}/plan/import?format=csv&publish=true", SHEET).status_code == 200
    assert tenant.post(client, f"{path}/plan/import?format=csv", SHEET).status_code == 200  # a draft
    for n in range(25):
        assert (
            tenant.send(client, {"eventName": "view", "messageId": f"a{n}", "payload": {}}).status_code == 200
        )
    do_jobs(flask_app, Queue.LOW)  # folds, where the clock is due
    assert tenant.send(client, {"eventName": "other", "payload": {"sku": "a"}}).status_code == 200
    upload = f"/api/logs/{tenant.app.slug}/batches"
    assert tenant.send(client, b'{"eventName": "view"}\n{broken', upload).status_code == 202
    with owner.cursor() as cursor:
        cursor.execute("SELECT organisation_id, app_id FROM write_keys WHERE app_id = %s", (tenant.app.id,))
        organisation_id, app_id = cursor.fetchone()
        cursor.execute(
            "INSERT INTO log_entries (app_id, received_at, event_id, organisation_id, message_id, event_name,"
            " verdict, digest, violations, payload, envelope) VALUES"
            " (%s, '1999-01-01', gen_random_uuid(), %s, 'm', 'e', 'valid', '', '[]', '{}', '{}')",
            (app_id, organisation_id),
        )
        for table, values in FURTHER.items():
            columns, given = values
            cursor.execute(
                f"INSERT INTO {table} (app_id, organisation_id, {columns}) VALUES (%s, %s, {given})",
                (app_id, organisation_id),
            )
        cursor.execute(
            "INSERT INTO plan_enforcements SELECT plan_id, 1, 'a process', organisation_id, 7 FROM apps WHERE id = %s",
            (app_id,),
        )
        cursor.execute(
            "INSERT INTO report_chunks SELECT id, 0, organisation_id, 'x' FROM reports WHERE app_id = %s",
            (app_id,),
        )
        cursor.execute(
            "INSERT INTO plan_import_chunks SELECT id, 0, organisation_id, 'x' FROM plan_imports WHERE app_id = %s",
            (app_id,),
        )
        cursor.execute(
            "INSERT INTO batch_refusals SELECT id, 2, organisation_id, 'bad_json' FROM batches WHERE app_id = %s"
            " ON CONFLICT DO NOTHING",
            (app_id,),
        )


def test_closing_asks_an_owner_for_the_name(alice: Visitor, another: Another, owner: Any) -> None:
    organisation_id = ids(owner, alice)[1]
    name = name_of(owner, organisation_id)
    admin = member(alice, another, "admin")
    assert admin.submit("/organisation/close", name=name).status_code == 403
    assert alice.submit("/organisation/close", name="something else").status_code == 422
    assert alice.submit("/organisation/close").status_code == 422
    assert alice.submit("/organisation/close", name=name).status_code == 303
    assert alice.submit("/organisation/close", name=name).status_code == 409
    assert admin.submit("/organisation/reopen").status_code == 403


def test_in_the_grace_period_keys_are_refused_by_name_and_come_back_when_it_is_undone(
    flask_app: Flask, client: FlaskClient, owner: Any, alice: Visitor, world: World
) -> None:
    organisation_id = ids(owner, alice)[1]
    with owner.cursor() as cursor:
        for table in ("apps", "write_keys", "api_keys"):
            cursor.execute(
                f"UPDATE {table} SET organisation_id = %s WHERE organisation_id = %s",
                (organisation_id, world.alice.organisation_id),
            )
    tenant = world.alice
    token = tenant.post(client, "/api/token", {}).get_json()["access_token"]
    by_token = {"Authorization": f"Bearer {token}"}
    asks = (
        lambda: tenant.send(client, {"eventName": "e"}),
        lambda: tenant.get(client, "/api/apps/shop/summary"),
        lambda: client.get("/api/apps/shop/summary", headers=by_token),
    )
    assert [ask().status_code for ask in asks] == [200, 200, 200]
    close(alice, owner)
    for ask in asks:
        eventually(lambda ask=ask: ask().status_code == 403, 1.0)
        assert ask().get_json()["code"] == "organisation_closed"
    assert world.charlie.send(client, {"eventName": "e"}).status_code == 200
    assert "will be deleted" in alice.ask("GET", "/dashboard").text
    assert alice.submit("/organisation/reopen").status_code == 303
    for ask in asks:
        eventually(lambda ask=ask: ask().status_code == 200, 1.0)
    assert "will be deleted" not in alice.ask("GET", "/dashboard").text
    assert alice.submit("/organisation/reopen").status_code == 409
    with owner.cursor() as cursor:
        cursor.execute("SELECT action FROM audit_log WHERE action LIKE 'deletion%%' ORDER BY id")
        assert cursor.fetchall() == [("deletion_begun",), ("deletion_undone",)]


def test_an_open_stream_of_a_key_ends_when_the_organisation_is_closed(
    flask_app: Flask, owner: Any, world: World
) -> None:
    client = flask_app.test_client()
    answer = client.get(
        "/api/apps/shop/live", headers={"Authorization": f"Bearer {world.alice.api_key}"}, buffered=False
    )
    frames = iter(answer.response)
    next(frames)
    with owner.cursor() as cursor:
        cursor.execute(
            "UPDATE organisations SET deletes_at = now() + interval '1 day' WHERE id = %s",
            (world.alice.organisation_id,),
        )
    assert b"data:" not in b"".join(frames), "ended by itself"


def test_the_grace_period_is_a_fortnight_by_the_databases_clock(alice: Visitor, owner: Any) -> None:
    organisation_id = close(alice, owner)
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT deletes_at - now() > interval '13 days 23 hours', deletes_at - now() <= interval '14 days'"
            " FROM organisations WHERE id = %s",
            (organisation_id,),
        )
        assert cursor.fetchone() == (True, True)
    erase(alice.flask_app, owner)
    assert name_of(owner, organisation_id), "not before its time"


def test_all_members_are_told_of_each_step(
    alice: Visitor, another: Another, owner: Any, mailbox: Mailbox
) -> None:
    bob = member(alice, another)
    organisation_id = close(alice, owner)
    do_jobs(alice.flask_app)
    for who in (alice, bob):
        newest = mailbox(who.email)[0]
        assert newest["subject"] == "An organisation is to be deleted"
        assert name_of(owner, organisation_id) in newest["text"]
    assert alice.submit("/organisation/reopen").status_code == 303
    do_jobs(alice.flask_app)
    for who in (alice, bob):
        assert mailbox(who.email)[0]["subject"] == "An organisation stays after all"
    close(alice, owner)
    make_due(owner, organisation_id)
    assert alice.submit("/organisation/reopen").status_code == 409, "too late"
    erase(alice.flask_app, owner)
    do_jobs(alice.flask_app)
    for who in (alice, bob):
        told = [mail["subject"] for mail in mailbox(who.email)]
        assert told.count("An organisation was deleted") == 1


def test_all_of_it_is_erased_in_slices_and_nothing_of_another(
    flask_app: Flask, owner: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing.slices, "__defaults__", (10,))
    alice, charlie = world.alice, world.charlie
    for tenant in (alice, charlie):
        live(flask_app, owner, tenant)
    before = rows_of(owner, charlie.organisation_id)
    empty = {table for table, rows in rows_of(owner, alice.organisation_id).items() if not rows}
    assert empty <= {
        "memberships",
        "digests",
        "auth_sessions",
        "invitations",
        "tally_deltas",
        "violation_deltas",
    }
    make_due(owner, alice.organisation_id)
    commits = count_commits(owner)
    erase(flask_app, owner)
    assert count_commits(owner) - commits > 10, "slice by slice"
    left = {table: rows for table, rows in rows_of(owner, alice.organisation_id).items() if rows}
    assert set(left) == {"audit_log"}
    assert "deleted,organisation" in left["audit_log"][-1]
    after = rows_of(owner, charlie.organisation_id)
    assert after == before


def count_commits(owner: Any) -> int:
    with owner.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        return cursor.fetchone()[0]


def test_the_people_of_an_erased_organisation_are_out_and_can_sign_in_again(
    alice: Visitor, another: Another, owner: Any
) -> None:
    bob = member(alice, another)
    invite(alice, "new@example.com")
    organisation_id = close(alice, owner)
    make_due(owner, organisation_id)
    erase(alice.flask_app, owner)
    assert roles(owner, organisation_id) == {}
    for who in (alice, bob):
        eventually(lambda who=who: not who.is_signed_in(), 1.0)
        who.login()
        assert who.verify(who.mailed_code()).status_code == 200
        assert who.is_signed_in(), "in an organisation of their own"


def test_an_erasure_that_broke_off_goes_on_where_it_was(
    flask_app: Flask, owner: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(flask_app, owner, world.alice)
    make_due(owner, world.alice.organisation_id)
    monkeypatch.setattr(erasing.slices, "__defaults__", (10,))
    monkeypatch.setattr(closing, "TURN_SECONDS", 0.0)
    for _ in range(100):
        erase(flask_app, owner)
        if not rows_of(owner, world.alice.organisation_id)["organisations"]:
            break
    left = {table for table, rows in rows_of(owner, world.alice.organisation_id).items() if rows}
    assert left == {"audit_log"}


def test_the_apps_role_may_delete_from_every_owned_table_but_the_log(owner: Any, flask_app: Flask) -> None:
    """A new table's migration grants DELETE, or an organisation that has rows in it could never be erased."""
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT t FROM unnest(%s) AS t WHERE NOT has_table_privilege('live_validation_app', t, 'DELETE')",
            (OWNED,),
        )
        assert [table for (table,) in cursor] == ["audit_log"]


def test_an_invitation_into_a_closed_organisation_waits(alice: Visitor, another: Another, owner: Any) -> None:
    bob = another().join()
    invite(alice, bob.email)
    mailed = link(alice, bob.email)
    close(alice, owner)
    assert accept(bob, mailed).status_code == 404
    assert alice.submit("/organisation/reopen").status_code == 303
    assert accept(bob, mailed).status_code == 303
