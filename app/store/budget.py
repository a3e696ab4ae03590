"""How many of PostgreSQL's connections the product may want at once, all its processes together."""

from typing import Final

from sqlalchemy import Engine, text

from app.config import Settings
from app.extensions import INGEST_POOL_SIZE

# The group commit's own, in each web process.
FLUSHERS: Final = 1
# The crew of the queues: four listeners and a sweeper, each with one of its own and one for a slice of an upload.
CREW: Final = 10
# For migrations, backups, monitoring and whoever looks after the server.
RESERVE: Final = 10

OFFERED = text(
    """
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0)
    """
)


def wanted(settings: Settings) -> int:
    """By all processes at their busiest, and by whoever else must get in."""
    a_process = settings.database_pool_size + INGEST_POOL_SIZE + FLUSHERS
    return settings.web_processes * a_process + CREW + RESERVE


def offered(engine: Engine) -> int:
    """To roles without privileges, by the server. Raises SQLAlchemyError."""
    with engine.connect() as connection:
        return int(connection.execute(OFFERED).scalar_one())
