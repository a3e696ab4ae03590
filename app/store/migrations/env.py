"""Runs migrations as the schema's owner, with a lock timeout, so that a waiting change never stops the product."""

from alembic import context
from flask import current_app
from sqlalchemy import create_engine, text
from sqlalchemy.dialects.postgresql.base import ischema_names

from app.extensions import KEEPALIVE, db, settings
from app.hosts import DRIVER, Hosts
from app.store import partitions, tables

# Long enough for a short statement to finish, short enough that queries behind the lock do not time out.
LOCK_TIMEOUT_MILLISECONDS = 2000


def belongs_to_models(object_, name, kind, reflected, compare_to):  # type: ignore[no-untyped-def]
    """Daily partitions are made by store.partitions, not by models."""
    return not (kind == "table" and reflected and name.startswith("log_entries_"))


def run() -> None:
    ischema_names["xid8"] = tables.Xid8  # so that a comparison of models and tables recognises it
    engine = create_engine(DRIVER, creator=Hosts(settings().migrate_database_url, **KEEPALIVE).connect)
    with engine.connect() as connection:
        connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MILLISECONDS}"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            include_object=belongs_to_models,
            compare_type=True,
            transaction_per_migration=True,  # the locks of one are gone before the next asks for its own
        )
        with context.begin_transaction():
            context.run_migrations()
        partitions.make_ahead(connection)
        connection.commit()
    engine.dispose()


assert current_app, "run me by `flask db`"
assert tables, "imported for its models"
run()
