"""The second wall: the app's role sees the organisation that was entered, and nothing where none was."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.config import Settings
from app.extensions import db
from app.store import events, tenancy
from tests.conftest import DATABASE, with_database
from tests.world import World

ROOT = Path(__file__).parent.parent.parent
# Every function that looks across organisations, and why it must.
ACROSS = {
    "app/store/batches.py:forget_abandoned": "upkeep drops broken-off uploads of all organisations",
    "app/store/batches.py:forget_old": "upkeep",
    "app/store/enforcement.py:in_force": "a process judges by plans of all organisations, and asks for the newest",
    "app/store/enforcement.py:used_lately": "a process that starts loads the plans that senders will ask for first",
    "app/store/enforcement.py:note": "the same process writes down since when it judges by them",
    "app/store/plan_imports.py:forget_old": "upkeep",
    "app/store/written.py:forget_old": "upkeep",
    "app/store/digests.py:due": "a job by the clock looks whose time has come",
    "app/store/window.py:forget": "upkeep forgets old message ids of all organisations",
    "app/store/closing.py:due": "upkeep looks for an organisation whose time has come",
    "app/store/keys.py:by_api_key_hash": "a key is looked up by its secret, and says which organisation is meant",
    "app/store/keys.py:touch": "one process writes for all keys when they were last used",
    "app/store/organisations.py:found": "an organisation is made before anybody can enter it",
    "app/store/organisations.py:home_of": "signing in asks where a person belongs",
    "app/store/organisations.py:of_user": "a person's menu names all organisations that they belong to",
    "app/store/members.py:join": "who accepts an invitation is not inside yet",
    "app/store/members.py:belongs": "who switches is not inside yet",
    "app/store/invitations.py:offer": "an invitation is looked up by its secret",
    "app/store/invitations.py:accept": "the same secret, used up",
    "app/store/outbox.py:claim": "a worker does every organisation's jobs",
    "app/store/outbox.py:finish": "the same worker",
    "app/store/outbox.py:continue_": "the same worker",
    "app/store/outbox.py:retry": "the same worker",
    "app/store/outbox.py:bury": "the same worker",
    "app/store/outbox.py:due": "the sweeper looks for every organisation's jobs",
    "app/store/outbox.py:repeat": "the sweeper adds jobs that belong to nobody",
    "app/store/outbox.py:prune": "upkeep",
    "app/store/sessions.py:alive": "a session is looked up by its id, and says which organisation is meant",
    "app/store/sessions.py:revoke": "a session that ends may be another organisation's",
    "app/store/sessions.py:add": "a session may go on from another organisation's",
    "app/store/sessions.py:of_user": "a person's sessions are in all their organisations",
    "app/store/sessions.py:end": "the same",
    "app/store/sessions.py:end_others": "the same",
    "app/store/sessions.py:seen_from": "a mail to a person says where something was done, in whichever organisation",
    "app/store/sessions.py:prune": "upkeep",
    "app/store/retention.py:drop_days": "upkeep drops the days that no app of any organisation keeps",
    "app/store/retention.py:expire": "upkeep",
    "app/store/refused.py:add": "one process writes the samples of all apps that it refused",
    "app/store/refused.py:forget": "upkeep",
    "app/store/usage.py:add": "one process writes what all its apps used",
    "app/store/usage.py:to_tell": "the clock looks for organisations near their quota",
    "app/store/folding.py:fold": "upkeep",
    "app/store/folding.py:forget_before": "upkeep",
}
# What the ingest role may look at or add to, whosever it is.
INGESTED = {
    "organisations",
    "apps",
    "tracking_plans",
    "write_keys",
    "message_ids",
    "log_entries",
    "tally_deltas",
    "violation_deltas",
    "batches",
    "batch_refusals",
}
# What runs with the owner's rights, and so outside of every wall.
OWNERS_FUNCTIONS = {"make_log_entries_partitions", "drop_log_entries_before", "expire_log_entries"}
OWNED = sorted(
    table.name
    for table in db.metadata.sorted_tables
    if "organisation_id" in table.c or table.name == "organisations"
)

# A value of each type, for columns that must not be empty.
VALUES = {
    "int2": "15",
    "int4": "1",
    "int8": "%(organisation)s",
    "text": "'x%(organisation)s'",
    "bytea": "'x%(organisation)s'",
    "uuid": "gen_random_uuid()",
    "json": "'{}'",
    "jsonb": "'{}'",
    "timestamptz": "now()",
    "date": "current_date",
    "bool": "false",
    "_text": "'{}'",
    "_int8": "'{}'",
    "_uuid": "'{}'",
    "inet": "'127.0.0.1'",
}
ALICE, CHARLIE = 1001, 1002


@pytest.fixture
def superuser(flask_app: Flask, operator: dict[str, Any]) -> Iterator[Any]:
    """A cursor that may do anything, in a transaction that never happened."""
    connection = psycopg2.connect(with_database(operator["admin_dsn"], DATABASE))
    with connection.cursor() as cursor:
        yield cursor
    connection.rollback()
    connection.close()


def key_of(table: str) -> str:
    return "id" if table == "organisations" else "organisation_id"


def fill(superuser: Any, table: str) -> None:
    """A row of Alice's and one of Charlie's, without regard to checks and foreign keys."""
    superuser.execute("SET LOCAL session_replication_role = replica")  # no triggers, so no foreign keys
    superuser.execute(
        "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass", (table,)
    )
    for (name,) in superuser.fetchall():
        superuser.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    superuser.execute(
        "SELECT column_name, udt_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name = %s AND is_nullable = 'NO' AND column_default IS NULL AND column_name <> %s",
        (table, key_of(table)),
    )
    chosen = {key_of(table): VALUES["int8"], **{name: VALUES[kind] for name, kind in superuser.fetchall()}}
    for organisation in (ALICE, CHARLIE):
        values = ", ".join(chosen.values()) % {"organisation": organisation}
        superuser.execute(
            f"INSERT INTO {table} ({', '.join(chosen)}) OVERRIDING SYSTEM VALUE VALUES ({values})"
        )


def seen(cursor: Any, table: str) -> set[int]:
    """The organisations whose rows this cursor's role sees."""
    cursor.execute(f"SELECT {key_of(table)} FROM {table}")
    return {organisation for (organisation,) in cursor.fetchall()}


@pytest.mark.parametrize("table", OWNED)
def test_the_apps_role_sees_no_row_without_the_setting_and_only_its_own_with_it(
    superuser: Any, table: str
) -> None:
    fill(superuser, table)
    superuser.execute("SET LOCAL ROLE live_validation_app")
    assert seen(superuser, table) == set()
    superuser.execute("SELECT set_config('live_validation.organisation_id', %s, true)", (str(ALICE),))
    assert seen(superuser, table) == {ALICE}
    superuser.execute("SELECT set_config('live_validation.organisation_id', '', true)")
    assert seen(superuser, table) == set()
    superuser.execute("SELECT set_config('live_validation.across', 'on', true)")
    assert seen(superuser, table) >= {ALICE, CHARLIE}


@pytest.mark.parametrize(
    "table", ["apps", "tracking_plans", "plan_versions", "log_entries", "tallies", "organisations"]
)
def test_who_only_reads_says_which_organisation_and_cannot_look_across(superuser: Any, table: str) -> None:
    fill(superuser, table)
    superuser.execute("SET LOCAL ROLE live_validation_readonly")
    superuser.execute("SELECT set_config('live_validation.across', 'on', true)")
    assert seen(superuser, table) == set()
    superuser.execute("SELECT set_config('live_validation.organisation_id', %s, true)", (str(ALICE),))
    assert seen(superuser, table) == {ALICE}


def test_every_policy_is_one_of_the_few_that_there_are(owner: Any, flask_app: Flask) -> None:
    """An owned table has both of the app's; whatever opens one further is written down here."""
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT tablename, policyname, roles::text[] FROM pg_policies WHERE schemaname = 'public'"
        )
        policies = {(table, name): set(roles) for table, name, roles in cursor}
        cursor.execute("SELECT relname FROM pg_class WHERE relrowsecurity AND relname = ANY(%s)", (OWNED,))
        assert sorted(name for (name,) in cursor) == OWNED, (
            "a new table's migration says SELECT wall_in('table')"
        )
    app, readonly, ingest = (f"live_validation_{role}" for role in ("app", "readonly", "ingest"))
    for table in OWNED:
        assert policies.pop((table, "own")) == {app, readonly}
        assert policies.pop((table, "across")) == {app}
    assert policies.pop(("outbox", "unowned")) == policies.pop(("audit_log", "unowned")) == {app}
    assert all(roles == {ingest} and table in INGESTED for (table, _), roles in policies.items()), policies


def test_no_row_can_be_put_into_another_organisation(world: World) -> None:
    with (
        tenancy.inside(world.alice.organisation_id),
        pytest.raises(ProgrammingError, match="row-level security"),
        db.engine.begin() as connection,
    ):
        connection.execute(
            text("INSERT INTO apps (organisation_id, slug, name) VALUES (:id, 'stolen', 'x')"),
            {"id": world.charlie.organisation_id},
        )


def slugs(connection: Any) -> list[str]:
    """The organisations of the apps that a question without any condition finds."""
    return list(connection.execute(text("SELECT organisation_id FROM apps ORDER BY 1")).scalars())


def test_what_is_entered_holds_for_sessions_and_connections_and_changes_within_a_transaction(
    world: World,
) -> None:
    alice, charlie = world.alice.organisation_id, world.charlie.organisation_id
    with tenancy.inside(None):
        assert slugs(db.session) == []
        with tenancy.inside(alice):
            assert slugs(db.session) == [alice]
            with db.engine.connect() as connection:
                assert slugs(connection) == [alice]
            with tenancy.across_organisations():
                assert slugs(db.session) == [alice, charlie]
            assert slugs(db.session) == [alice]
        assert slugs(db.session) == []
        db.session.rollback()
        with tenancy.inside(charlie):
            assert slugs(db.session) == [charlie]


def test_a_savepoint_that_is_undone_does_not_leave_the_wrong_organisation(world: World) -> None:
    alice, charlie = world.alice.organisation_id, world.charlie.organisation_id
    with tenancy.inside(alice), db.engine.connect() as connection:
        assert slugs(connection) == [alice]
        inner = connection.begin_nested()
        with tenancy.inside(charlie):
            assert slugs(connection) == [charlie]
            inner.rollback()
            assert slugs(connection) == [charlie]
        assert slugs(connection) == [alice]
        inner = connection.begin_nested()
        with tenancy.inside(None):
            inner.rollback()
            assert slugs(connection) == []


def test_statements_for_many_rows_and_streamed_ones_know_the_organisation_too(world: World) -> None:
    alice = world.alice.organisation_id
    with tenancy.inside(alice), db.engine.begin() as connection:
        rename = text("UPDATE apps SET name = :name")
        connection.execute(rename, [{"name": "one"}, {"name": "two"}])
    with tenancy.inside(alice), db.engine.connect() as connection:
        streamed = connection.execution_options(stream_results=True).execute(
            text("SELECT id, name FROM apps")
        )
        assert streamed.all() == [(world.alice.app.id, "two")]


def test_a_request_pays_no_round_trip_and_its_connection_forgets(
    client: FlaskClient, world: World, statements: list[str]
) -> None:
    assert world.alice.get(client, "/api/apps/shop/summary").status_code == 200
    assert [s for s in statements if s.startswith("SELECT set_config") and "; " not in s] == []
    assert sum("set_config" in s for s in statements) == 2, "one for looking up the key, one for the answer"
    with tenancy.inside(None):
        assert slugs(db.session) == []


def test_the_way_of_an_event_carries_no_setting(
    client: FlaskClient, world: World, statements: list[str]
) -> None:
    assert world.alice.send(client, {"eventName": "e"}).status_code == 200
    assert [s for s in statements if "set_config" in s] == []


def test_a_forgotten_condition_shows_nothing_of_others(
    flask_app: Flask, client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second wall alone: the first one taken down."""
    monkeypatch.setattr("app.dashboard.api.the_app", lambda app_id: world.charlie.app)
    assert world.charlie.send(client, {"eventName": "secret"}).status_code == 200
    assert world.charlie.get(client, "/api/apps/shop/events").get_json()["events"] != []
    assert world.alice.get(client, "/api/apps/shop/events").get_json()["events"] == []
    assert world.alice.get(client, "/api/apps/shop/summary").get_json()["events"] == []


def test_who_looks_across_organisations_is_written_down() -> None:
    found = set()
    for path in sorted((ROOT / "app").rglob("*.py")):
        if path.name != "tenancy.py":
            found |= {f"{path.relative_to(ROOT)}:{name}" for name in across_in(ast.parse(path.read_text()))}
    assert found == set(ACROSS)


def across_in(tree: ast.Module) -> Iterator[str]:
    """The functions that say the word; "" for one outside of any."""
    for node in tree.body:
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        names |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
        if "across_organisations" in names:
            yield getattr(node, "name", "")


def test_what_runs_with_the_owners_rights_is_written_down(owner: Any, flask_app: Flask) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        )
        assert {name for (name,) in cursor} == OWNERS_FUNCTIONS


@pytest.mark.parametrize("url", ["database_url", "ingest_database_url"])
def test_nobody_runs_as_the_owner_or_beyond_the_walls(flask_app: Flask, settings: Settings, url: str) -> None:
    connection = psycopg2.connect(getattr(settings, url))
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)
        cursor.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user"
        )
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole")
        assert cursor.fetchone() == (0,)
    connection.close()


def plan_of(statement: str, **values: Any) -> str:
    with db.engine.connect() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # the table is nearly empty
        return "\n".join(connection.execute(text(f"EXPLAIN {statement}"), values).scalars())


def test_indexes_and_pruning_survive_the_wall(world: World) -> None:
    """The conditions of our questions are leakproof, so they still choose partitions and indexes."""
    with tenancy.inside(world.alice.organisation_id):
        newest = plan_of(
            "SELECT payload FROM log_entries WHERE app_id = 1 AND received_at < now() - interval '1 day'"
            " ORDER BY received_at DESC, event_id DESC LIMIT 50"
        )
        after = plan_of(
            str(events.AFTER), app_id=1, xid=1, event_id="0" * 32, late=events.LATE_SECONDS, limit=50
        )
    assert "Subplans Removed: 8" in newest, "only the partition for all other days is left"
    assert re.search(r"Index Cond: \(\(app_id = 1\) AND \(received_at <", newest), newest
    assert "->  Sort" not in newest, newest
    assert re.search(r"Index Cond: .*app_id = .*ROW\(", after), after
