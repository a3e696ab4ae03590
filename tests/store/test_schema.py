"""The schema: models and migrations agree, and each role may do what it must and no more."""

import psycopg2
import pytest
from flask import Flask
from flask_migrate import check

from app.config import Settings
from app.extensions import db
from app.store import partitions

FORBIDDEN = {
    "ingest": [
        "SELECT * FROM log_entries",
        "UPDATE log_entries SET verdict = 'valid'",
        "DELETE FROM log_entries",
        "DELETE FROM message_ids",
        "SELECT * FROM users",
        "SELECT name FROM organisations",
        "SELECT * FROM plan_versions",
        "INSERT INTO write_keys (organisation_id, app_id, key_hash, prefix) VALUES (1, 1, '', '')",
        "CREATE TABLE mine (id int)",
    ],
    "app": [
        "UPDATE log_entries SET verdict = 'valid'",
        "TRUNCATE users",
        "DROP TABLE users",
        "CREATE TABLE mine (id int)",
        "ALTER TABLE apps ADD COLUMN more int",
    ],
}


def test_models_and_migrations_agree(flask_app: Flask) -> None:
    check()  # leaves by SystemExit where they differ


@pytest.mark.parametrize(("role", "statement"), [(r, s) for r, ss in FORBIDDEN.items() for s in ss])
def test_a_role_may_do_no_more_than_it_must(
    flask_app: Flask, settings: Settings, role: str, statement: str
) -> None:
    connection = psycopg2.connect(settings.ingest_database_url if role == "ingest" else settings.database_url)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def test_no_role_of_ours_is_a_superuser(owner: psycopg2.extensions.connection, flask_app: Flask) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname ~ '^live_validation_(migrate|app|ingest|readonly)$'"
            " AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication)"
        )
        assert cursor.fetchall() == []


def test_partitions_are_made_ahead_by_the_apps_own_role(
    flask_app: Flask, owner: psycopg2.extensions.connection
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'UTC')::date + 7")
        last = f"log_entries_{cursor.fetchone()[0]:%Y%m%d}"
        cursor.execute(f"DROP TABLE {last}")
    with db.engine.begin() as connection:
        assert partitions.make_ahead(connection) == [last]
    with db.engine.begin() as connection:
        assert partitions.make_ahead(connection) == []


def test_an_event_without_its_days_partition_is_kept(
    flask_app: Flask, owner: psycopg2.extensions.connection
) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO log_entries (app_id, received_at, event_id, organisation_id, message_id, event_name, verdict,"
            " digest, violations, payload, envelope) VALUES (1, '1999-01-01', gen_random_uuid(), 1, 'm', 'e', 'valid',"
            " '', '[]', '{}', '{}') RETURNING tableoid::regclass::text"
        )
        assert cursor.fetchone() == ("log_entries_other",)
