"""Changes to big tables while the product runs: an index that is built without keeping anybody from writing.

For migrations. CREATE INDEX CONCURRENTLY cannot run in a transaction and does not know partitioned tables, so the
migration's own transaction is committed first, and each partition gets its index before the table does.
https://www.postgresql.org/docs/current/sql-createindex.html, "Building Indexes Concurrently"
"""

from typing import Final

from alembic import op
from sqlalchemy import Connection, text

# The tables that grow with what is sent: on these nothing may take long that keeps writers out.
BIG: Final = frozenset(
    {
        "audit_log",
        "counted_words",
        "events_seen",
        "log_entries",
        "message_ids",
        "outbox",
        "tallies",
        "tally_deltas",
        "violation_deltas",
        "violation_groups",
        "violation_tallies",
        "violations_seen",
    }
)
PARTITIONS: Final = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = to_regclass(:table) ORDER BY 1"
)


def create_index(name: str, table: str, definition: str) -> None:
    """Build an index on a table that may be big. definition: what follows the table's name, as `USING brin (at)`.

    May be run again after it failed half-way: what is unfinished is built anew. Call it first in a migration, for
    whatever came before it is committed.
    """
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        partitions = list(connection.execute(PARTITIONS, {"table": table}).scalars())
        if not partitions:
            _build(connection, name, table, definition)
            return
        # A shell of the table's own first, so that partitions made meanwhile bring their part along.
        connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY {table} {definition}"))
        for partition in partitions:
            part = f"{name}_{partition.removeprefix(table).strip('_')}"
            _build(connection, part, partition, definition)
            connection.execute(text(f"ALTER INDEX {name} ATTACH PARTITION {part}"))


def _build(connection: Connection, name: str, table: str, definition: str) -> None:
    asked = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    is_valid = connection.execute(asked, {"name": name}).scalar()
    if is_valid is None or not is_valid:
        connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
        connection.execute(text(f"CREATE INDEX CONCURRENTLY {name} ON {table} {definition}"))
