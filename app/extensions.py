"""The parts shared by all rooms, declared here and connected by create_app."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import sqlalchemy
from flask import Flask, current_app, g
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel
from sqlalchemy.orm import DeclarativeBase

from app import metrics
from app.config import RELEASE, ConfigurationError, Settings
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
# Asked for a key that no memory holds, twice a second for each that does.
INGEST_POOL_SIZE = 2


SENTINEL = "redis+sentinel://"
REPLICA = "replica"


def pooled(dsn: str, size: int, **options: Any) -> dict[str, Any]:
    """The options of an engine on this DSN, which may name several hosts; further options are libpq's."""
    return POOL | {"pool_size": size, "creator": Hosts(dsn, **KEEPALIVE, **options).connect}


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


class Routed(Session):
    """Reads from the database that the request chose (app/store/replica.py), where it chose one."""

    def get_bind(self, mapper: Any = None, clause: Any = None, bind: Any = None, **more: Any) -> Any:
        if bind is None and (chosen := g.get("database")):
            return db.engines[chosen]
        return super().get_bind(mapper, clause, bind, **more)


db = SQLAlchemy(model_class=Base, session_options={"class_": Routed})
migrate = Migrate(directory="app/store/migrations")


class CountingRedis(Redis):
    """Counts what is asked of Redis, and what came to nothing."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with _counted():
            return super().execute_command(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return CountingPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class CountingPipeline(Pipeline):
    """One round trip, counted once."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        with _counted():
            return super().execute(raise_on_error)


@contextmanager
def _counted() -> Iterator[None]:
    try:
        yield
    except RedisError:
        metrics.child(metrics.REDIS_CALLS, "failed").inc()
        raise
    metrics.child(metrics.REDIS_CALLS, "answered").inc()


def connect_redis(url: str, *, most_connections: int = 32) -> Redis:
    """A client that fails fast: a hung Redis costs a request a quarter of a second, never a minute.

    redis-py's own defaults (5 s per try, 10 retries) are made for batch programs; and a retried write may run twice.
    Each purpose gets a client of its own, because RQ changes the timeouts of the pool that it is given.

    `redis+sentinel://user:password@sentinel1:26379,sentinel2:26379/name?db=0` asks the Sentinels, anew for each
    connection, who the master of that name is; a sentinel_password may follow.
    """
    if url.startswith(SENTINEL):
        return _sentinels_master(url, most_connections)
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=most_connections,
        timeout=0.1,
        socket_timeout=0.25,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 0),
        **({} if url.startswith("unix:") else {"socket_connect_timeout": 0.2}),
    )
    return CountingRedis(connection_pool=pool)


def _sentinels_master(url: str, most_connections: int) -> Redis:
    """A client of whoever is master. Raises ConfigurationError where the URL names no master."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    name = parts.path.strip("/")
    hosts = [host.rpartition(":") for host in parts.netloc.rpartition("@")[2].split(",")]
    if not name or not all(host and port.isdecimal() for host, _, port in hosts):
        raise ConfigurationError("A Sentinel URL looks like redis+sentinel://:password@host:26379/name.")
    quick = {"socket_timeout": 0.25, "socket_connect_timeout": 0.2, "retry": Retry(NoBackoff(), 0)}
    sentinels = Sentinel(
        [(host, int(port)) for host, _, port in hosts],
        sentinel_kwargs=quick | {"password": asked.get("sentinel_password")},
    )
    return sentinels.master_for(
        name,
        redis_class=CountingRedis,
        db=int(asked.get("db", 0)),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        max_connections=most_connections,
        health_check_interval=15,
        **quick,
    )


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
    # Who sends, and nothing else, is asked with the ingest role.
    binds = {"ingest": pooled(chosen.ingest_database_url, INGEST_POOL_SIZE) | {"url": DRIVER}}
    if chosen.replica_database_url:
        size = chosen.database_pool_size
        binds[REPLICA] = pooled(chosen.replica_database_url, size, target_session_attrs="any") | {
            "url": DRIVER
        }
    flask_app.config.update(
        SECRET_KEY=chosen.secret_key,
        SQLALCHEMY_DATABASE_URI=DRIVER,
        SQLALCHEMY_ENGINE_OPTIONS=pooled(chosen.database_url, chosen.database_pool_size),
        SQLALCHEMY_BINDS=binds,
    )
    db.init_app(flask_app)
    with flask_app.app_context():
        for name, engine in db.engines.items():
            _count_use(engine, name or "app")
    metrics.BUILD.labels(RELEASE).set(1)
    migrate.init_app(flask_app, db)


def _count_use(engine: sqlalchemy.Engine, pool: str) -> None:
    in_use = metrics.POOL_IN_USE.labels(pool)
    sqlalchemy.event.listen(engine, "checkout", lambda *_: in_use.inc())
    sqlalchemy.event.listen(engine, "checkin", lambda *_: in_use.dec())
