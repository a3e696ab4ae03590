"""The product's PostgreSQL roles and its database: who may log in, for how long a statement may run.

Run once by whoever sets a server up (`make run` does it at every start; all of it may be repeated). Tables
and the rights on each are the migrations' business. Imports nothing of ours, so that it can be used before
the product is configured.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from psycopg2 import sql
from psycopg2.extensions import connection, encrypt_password

MIGRATE = "live_validation_migrate"
APP = "live_validation_app"
INGEST = "live_validation_ingest"
READONLY = "live_validation_readonly"


@dataclass(frozen=True)
class Role:
    """A login without power over the server; `settings`, in PostgreSQL's units, hold for its sessions."""

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)


ROLES = (
    # Owns the schema, used by `flask db` alone. A migration that cannot get its lock gives up instead of
    # letting every request queue up behind it.
    Role(MIGRATE, {"lock_timeout": "10s", "statement_timeout": "0"}),
    # Pages, API and jobs. Shorter than every proxy's patience, so that the database says no before the proxy
    # does.
    Role(
        APP,
        {"statement_timeout": "10s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "10s"},
    ),
    # Only adds events. A commit that takes longer is repeated by its sender; and no one may weaken "2xx means
    # kept".
    Role(
        INGEST,
        {
            "statement_timeout": "4s",
            "lock_timeout": "1s",
            "idle_in_transaction_session_timeout": "5s",
            "synchronous_commit": "on",
        },
    ),
    # People and reports that look, and cannot touch.
    Role(
        READONLY,
        {
            "default_transaction_read_only": "on",
            "statement_timeout": "60s",
            "lock_timeout": "5s",
            "idle_in_transaction_session_timeout": "60s",
        },
    ),
)


def create_roles(admin: connection, passwords: Mapping[str, str]) -> None:
    """Create the four roles or mend them: flags, settings and password (role name → password).

    `admin` may create roles. Passwords leave this process only as SCRAM verifiers, so no server log can hold
    them. One query string is one transaction: no session ever starts between a role's RESET and its SET.
    """
    with admin.cursor() as cursor:
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", ([role.name for role in ROLES],)
        )
        existing = {name for (name,) in cursor}
        cursor.execute(
            sql.SQL("; ").join(
                statement
                for role in ROLES
                for statement in _defining(
                    role,
                    encrypt_password(passwords[role.name], role.name, admin, "scram-sha-256"),
                    is_new=role.name not in existing,
                )
            )
        )


def _defining(role: Role, verifier: str, *, is_new: bool) -> Iterator[sql.Composed]:
    name = sql.Identifier(role.name)
    if is_new:
        yield sql.SQL("CREATE ROLE {} LOGIN").format(name)
    yield sql.SQL("ALTER ROLE {} LOGIN NOCREATEDB NOCREATEROLE PASSWORD {}").format(
        name, sql.Literal(verifier)
    )
    yield sql.SQL("ALTER ROLE {} RESET ALL").format(name)
    for setting, value in role.settings.items():
        yield sql.SQL("ALTER ROLE {} SET {} = {}").format(name, sql.Identifier(setting), sql.Literal(value))


def create_database(admin: connection, name: str) -> None:
    """Create the database `name` of the migrate role, unless it is there. `admin` is in autocommit."""
    with admin.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if cursor.fetchone() is None:
            cursor.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(MIGRATE))
            )


def close_to_others(admin: connection, name: str) -> None:
    """Take away what every role of the server may do by default in `name`. `admin` is connected to it."""
    with admin.cursor() as cursor:
        cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        cursor.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    admit(admin, name)


def admit(admin: connection, name: str) -> None:
    """Let the roles into the database `name`; only the migrate role may make anything there."""
    with admin.cursor() as cursor:
        cursor.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(name), _names(ROLES))
        )
        cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(_names(ROLES)))
        cursor.execute(
            sql.SQL("GRANT CREATE, TEMPORARY ON DATABASE {} TO {}").format(
                sql.Identifier(name), sql.Identifier(MIGRATE)
            )
        )
        cursor.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(sql.Identifier(MIGRATE)))


def _names(roles: Iterable[Role]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(role.name) for role in roles)
