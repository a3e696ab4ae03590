"""Migrations: up from every revision with data in it, harmless to a running product, open about what they take."""

import ast
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import check, upgrade
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from app import create_app
from app.config import Settings
from app.extensions import db
from app.hosts import DRIVER, Hosts
from app.store import online, roles
from tests.conftest import ROOT, eventually, with_database

MIGRATIONS = ROOT / "app" / "store" / "migrations"
VERSIONS = sorted((MIGRATIONS / "versions").glob("*.py"))
REVISIONS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions("base", "heads")][
    ::-1
]
SCRATCH = "migrated"

VALUES = {
    "int2": "15", "int4": "%(n)s", "int8": "%(n)s", "text": "'x%(n)s'", "bytea": "'x%(n)s'", "bool": "false",
    "uuid": "'00000000-0000-0000-0000-%(n)012d'", "json": "'[]'", "jsonb": "'[]'", "timestamptz": "now()",
    "date": "current_date", "_text": "'{}'", "_int8": "'{}'", "_uuid": "'{}'", "inet": "'127.0.0.1'",
    "varchar": "'x%(n)s'",
}  # fmt: skip


@pytest.fixture
def scratch(assembled: Flask, operator: dict[str, Any], settings: Settings) -> Iterator[tuple[Flask, Any]]:
    """An empty database of its own: the product on it, and its superuser's connection."""
    admin = psycopg2.connect(operator["admin_dsn"])
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {SCRATCH}")
    roles.create_database(admin, SCRATCH)
    superuser = psycopg2.connect(with_database(operator["admin_dsn"], SCRATCH))
    superuser.autocommit = True
    roles.close_to_others(superuser, SCRATCH)
    urls = ("database_url", "ingest_database_url", "migrate_database_url")
    flask_app = create_app(
        replace(settings, **{u: with_database(getattr(settings, u), SCRATCH) for u in urls})
    )
    with flask_app.app_context():
        yield flask_app, superuser
        for engine in db.engines.values():
            engine.dispose()
    superuser.close()
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {SCRATCH} WITH (FORCE)")
    admin.close()


def tables(cursor: Any) -> list[str]:
    cursor.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition AND relname <> 'alembic_version'"
    )
    return sorted(name for (name,) in cursor.fetchall())


def allowed(cursor: Any, table: str) -> dict[str, str]:
    """For each column with a list of words, the last of them."""
    cursor.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass",
        (table,),
    )
    found = [
        re.match(r"CHECK \(\((\w+) = ANY .*'(\w+)'::text\]\)\)\)$", text) for (text,) in cursor.fetchall()
    ]
    return {match[1]: f"'{match[2]}'" for match in found if match}


def fill(cursor: Any, n: int) -> None:
    """A row in each table, whose every id is n."""
    cursor.execute("SET session_replication_role = replica")  # no order among the tables
    for table in tables(cursor):
        cursor.execute(
            "SELECT column_name, udt_name FROM information_schema.columns WHERE table_schema = 'public' AND"
            " table_name = %s AND is_nullable = 'NO' AND column_default IS NULL AND is_generated = 'NEVER'",
            (table,),
        )
        chosen = {name: VALUES[kind] for name, kind in cursor.fetchall()} | allowed(cursor, table)
        values = ", ".join(chosen.values()) % {"n": n}
        cursor.execute(f"INSERT INTO {table} ({', '.join(chosen)}) OVERRIDING SYSTEM VALUE VALUES ({values})")
    cursor.execute("SET session_replication_role = origin")


def counted(cursor: Any) -> dict[str, int]:
    found = {}
    for table in tables(cursor):
        cursor.execute(f"SELECT count(*) FROM {table}")
        found[table] = cursor.fetchone()[0]
    return found


def module_of(path: Path) -> dict[str, str]:
    """The texts that a migration names: its SQL, and what it says of itself."""
    return {
        target.id: ast.literal_eval(node.value)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def upgrading(path: Path) -> str:
    """A migration's source without what takes it back."""
    return path.read_text().partition("def downgrade")[0]


def test_up_from_every_revision_with_data_in_it(scratch: tuple[Flask, Any]) -> None:
    _, superuser = scratch
    contracts = {path.name[:4]: module_of(path).get("contract", "") for path in VERSIONS}
    with superuser.cursor() as cursor:
        before: dict[str, int] = {}
        for n, revision in enumerate(REVISIONS, start=1):
            upgrade(revision=revision)
            after = counted(cursor)
            lost = {table for table, count in before.items() if after.get(table, 0) < count}
            assert lost <= set(contracts[revision].split(", ")), revision
            fill(cursor, n)
            before = counted(cursor)
        assert before["log_entries"] == len(REVISIONS)
    check()  # leaves by SystemExit where models and what came of all the steps differ


def test_a_migration_that_must_wait_gives_up_and_leaves_everything_as_it_was(
    scratch: tuple[Flask, Any],
) -> None:
    """Whoever waits for a lock on a table keeps all others waiting behind it."""
    flask_app, superuser = scratch
    upgrade(revision="0008")
    reader = psycopg2.connect(flask_app.extensions["settings"].migrate_database_url)
    with reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM apps")  # and does not end its transaction
    began = time.monotonic()
    with pytest.raises(OperationalError, match="lock timeout"):
        upgrade(revision="0009")
    assert time.monotonic() - began < 8
    with superuser.cursor() as cursor:
        cursor.execute("SELECT version_num FROM alembic_version")
        assert cursor.fetchone() == ("0008",)
    reader.close()
    upgrade(revision="0009")


def test_each_migration_is_a_transaction_of_its_own(scratch: tuple[Flask, Any]) -> None:
    """Else the first one's locks would be held until the last one is done."""
    flask_app, superuser = scratch
    upgrade(revision="0008")
    reader = psycopg2.connect(flask_app.extensions["settings"].migrate_database_url)
    with reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outbox")  # in the way of 0011
    with pytest.raises(OperationalError, match="lock timeout"):
        upgrade(revision="0011")
    reader.close()
    with superuser.cursor() as cursor:
        cursor.execute("SELECT version_num FROM alembic_version")
        assert cursor.fetchone() == ("0010",)


INSERT = (
    "INSERT INTO log_entries (app_id, event_id, organisation_id, message_id, event_name, verdict, digest, violations,"
    " payload, envelope) VALUES (1, gen_random_uuid(), 1, 'm', 'e', 'valid', '', '[]', '{}', '{}')"
)


def indexing(dsn: str) -> None:
    """What a migration does that wants an index on the biggest table."""
    engine = create_engine(DRIVER, creator=Hosts(dsn).connect)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        with context.begin_transaction(), Operations.context(context):
            online.create_index("ix_log_entries_event_name", "log_entries", "(app_id, event_name)")
    engine.dispose()


def test_an_index_on_the_biggest_table_keeps_nobody_from_writing(scratch: tuple[Flask, Any]) -> None:
    """Building waits for a transaction that writes; whoever wants to write meanwhile must not."""
    flask_app, superuser = scratch
    upgrade()
    dsn = flask_app.extensions["settings"].migrate_database_url
    slow = psycopg2.connect(dsn)
    building = threading.Thread(target=indexing, args=[dsn])
    with superuser.cursor() as cursor, slow.cursor() as writer:
        cursor.execute(f"{INSERT} RETURNING tableoid::regclass")
        (today,) = cursor.fetchone()
        writer.execute(INSERT.replace("log_entries", today))
        building.start()
        try:
            waits = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^CREATE INDEX' AND wait_event_type = 'Lock'"
            eventually(lambda: cursor.execute(waits) or cursor.fetchone()[0])
            cursor.execute("SET lock_timeout = '2s'")
            for _ in range(20):
                cursor.execute(INSERT)
        finally:
            slow.rollback()
            building.join()
        indexing(dsn)  # and again, as after a failure half-way
        cursor.execute(
            "SELECT count(*) FILTER (WHERE NOT indisvalid), count(*) FROM pg_index i JOIN pg_class c"
            " ON c.oid = i.indexrelid WHERE c.relname LIKE 'ix_log_entries_event_name%'"
        )
        assert cursor.fetchone() == (0, 10)  # the table's, eight days', the catch-all's
    slow.close()


def test_an_index_on_a_big_table_is_built_aside() -> None:
    """Or together with its table, while that is empty."""
    for path in VERSIONS:
        text = upgrading(path)
        made = set(re.findall(r"CREATE TABLE (\w+)", text))
        indexed = set(re.findall(r"CREATE (?:UNIQUE )?INDEX \w+\s+ON (?:ONLY )?(\w+)", text))
        assert not (indexed & online.BIG) - made, (
            f"{path.name}: app.store.online.create_index builds it aside"
        )


TAKES_AWAY = re.compile(
    r"DROP (?:TABLE|COLUMN|VIEW) (?:IF EXISTS )?(\w+)|ALTER TABLE (\w+)[^;]*?"
    r"(?:\bDROP (?!CONSTRAINT|DEFAULT|NOT NULL)\w+|RENAME|ALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE|SET NOT NULL)"
)


def test_a_migration_that_takes_away_says_what_nobody_needs_any_more() -> None:
    for path in VERSIONS:
        taken = {a or b for a, b in TAKES_AWAY.findall(without_functions(upgrading(path)))}
        said = set(filter(None, module_of(path).get("contract", "").split(", ")))
        assert taken == said, (
            f"{path.name}: expand first, contract a release later, and name it in `contract`"
        )


def without_functions(text: str) -> str:
    """Without the bodies of SQL functions: what they do, they do when called."""
    return re.sub(r"AS \$\$.*?\$\$", "", text, flags=re.DOTALL)


def test_a_new_column_has_a_value_for_the_rows_that_older_code_adds() -> None:
    for path in VERSIONS:
        for altered in re.findall(r"ALTER TABLE \w+([^;]*)", upgrading(path)):
            for column in re.split(r",\s*(?=ADD)", altered):
                if re.search(r"\bADD (?:COLUMN )?(?!CONSTRAINT)", column) and "NOT NULL" in column:
                    assert "DEFAULT" in column, f"{path.name}: {column.strip()}"


def test_a_constraint_on_a_big_table_is_checked_later() -> None:
    """ADD CONSTRAINT reads the whole table under its lock, unless it is NOT VALID yet."""
    for path in VERSIONS:
        for table, rest in re.findall(r"ALTER TABLE (\w+)([^;]*ADD CONSTRAINT[^;]*)", upgrading(path)):
            assert table not in online.BIG or "NOT VALID" in rest, f"{path.name}: {table}"


def test_revisions_are_numbers_in_order() -> None:
    """An older release compares them with its own, without knowing them."""
    assert [path.name[:4] for path in VERSIONS] == REVISIONS
    assert [int(revision) for revision in REVISIONS] == list(range(1, len(REVISIONS) + 1))
