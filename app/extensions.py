"""The parts shared by all rooms, declared here and connected by create_app."""

from typing import Any

import sqlalchemy
from flask import Flask, current_app
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.orm import DeclarativeBase

from app.config import Settings
from app.hosts import DRIVER, Hosts

# A connection whose peer has vanished is noticed within seconds, not after the kernel's two hours.
KEEPALIVE: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "connect_timeout": 5,
}
# No overflow and a short wait: PostgreSQL's connections are counted, and a queue belongs at the edge.
POOL: dict[str, Any] = {
    "max_overflow": 0,
    "pool_timeout": 1,
    "pool_pre_ping": True,
    "pool_use_lifo": True,
    "pool_recycle": 1800,
}


def pooled(dsn: str, size: int) -> dict[str, Any]:
    """The options of an engine on this DSN, which may name several hosts."""
    return POOL | {"pool_size": size, "creator": Hosts(dsn, **KEEPALIVE).connect}


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can speak of it."""

    metadata = sqlalchemy.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)
migrate = Migrate(directory="app/store/migrations")


def connect_redis(url: str, *, most_connections: int = 32) -> Redis:
    """A client that fails fast: a hung Redis costs a request a quarter of a second, never a minute.

    redis-py's own defaults (5 s per try, 10 retries) are made for batch programs; and a retried write may run twice.
    Each purpose gets a client of its own, because RQ changes the timeouts of the pool that it is given.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=most_connections,
        timeout=0.1,
        socket_timeout=0.25,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 0),
        **({} if url.startswith("unix:") else {"socket_connect_timeout": 0.2}),
    )
    return Redis(connection_pool=pool)


def settings() -> Settings:
    """The running product's settings."""
    return current_app.extensions["settings"]


def state_redis() -> Redis:
    """Redis for state that may be lost at a price: sessions, queues, the bell."""
    return current_app.extensions["state_redis"]


def init_app(flask_app: Flask, chosen: Settings) -> None:
    """Connect nothing yet: pools open their first connection when first asked."""
    flask_app.extensions["settings"] = chosen
    flask_app.extensions["state_redis"] = connect_redis(chosen.redis_url)
    flask_app.extensions["cache_redis"] = connect_redis(chosen.redis_cache_url)
    flask_app.config.update(
        SECRET_KEY=chosen.secret_key,
        SQLALCHEMY_DATABASE_URI=DRIVER,
        SQLALCHEMY_ENGINE_OPTIONS=pooled(chosen.database_url, chosen.database_pool_size),
        # Who sends, and nothing else, is asked with the ingest role.
        SQLALCHEMY_BINDS={"ingest": pooled(chosen.ingest_database_url, 2) | {"url": DRIVER}},
    )
    db.init_app(flask_app)
    migrate.init_app(flask_app, db)
