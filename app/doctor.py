"""What an installation must be like, and what to do where it is not: asked at start-up, by /ready, by `flask doctor`.

What is *unsafe* would break a promise silently (an answered event that is not on disk, a session that is evicted):
with that nothing starts. What is *missing* (a server that does not answer) may come back by itself, so the product
starts and says 503. What is *advice* costs comfort only.
"""

import smtplib
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import click
import structlog
from flask import Flask, current_app
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from app.config import ConfigurationError
from app.extensions import db, settings, state_redis
from app.store import budget, green, outbox, schema

log = structlog.get_logger()

Weight = Literal["unsafe", "missing", "advice"]
MOST_SECONDS_APART: Final = (
    5.0  # of the database's clock and ours: codes, sessions and limits are told by both
)
LONGEST_SECONDS: Final = 2.0  # whoever asks every few seconds wants to hear "no", not nothing
LATE_SECONDS: Final = 300.0
LEAST_DIFFERENT_CHARACTERS: Final = 8  # 32 random characters of any alphabet have more

POSTGRES = text(
    """
    SELECT (SELECT version_num FROM alembic_version) AS revision, current_setting('fsync') AS fsync,
        current_setting('full_page_writes') AS full_page_writes, clock_timestamp() AS now,
        rolsuper OR rolbypassrls OR rolcreaterole AS is_mighty
    FROM pg_roles WHERE rolname = current_user
    """
)
INGEST = text(
    """
    SELECT current_setting('synchronous_commit') AS synchronous_commit,
        rolsuper OR rolbypassrls OR rolcreaterole AS is_mighty
    FROM pg_roles WHERE rolname = current_user
    """
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be. code: stable; sentence: what is wrong; next_step: what to do."""

    part: str  # `postgres`, `redis`, `redis-cache`, `mail`, `worker`, `settings` or `files`
    weight: Weight
    code: str
    sentence: str
    next_step: str


def postgres() -> Iterator[Finding]:
    """PostgreSQL as the app's role sees it."""
    try:
        with green.within(LONGEST_SECONDS):
            found = _one(db.engine, POSTGRES)
    except ProgrammingError:  # no table of revisions
        yield _older(None)
        return
    except SQLAlchemyError as error:
        yield _away("postgres", "DATABASE_URL", error)
        return
    for setting in ("fsync", "full_page_writes"):
        if getattr(found, setting) != "on":
            yield Finding(
                "postgres",
                "unsafe",
                f"{setting}_off",
                f"PostgreSQL runs with {setting} off: what was answered may be lost when the machine stops.",
                f"Set `{setting} = on` in postgresql.conf and restart PostgreSQL.",
            )
    if not schema.fits(found.revision):
        yield _older(found.revision)
    apart = abs((datetime.now(UTC) - found.now).total_seconds())
    if apart > MOST_SECONDS_APART:
        yield Finding(
            "postgres",
            "unsafe",
            "clock_apart",
            f"This machine's clock and PostgreSQL's are {apart:.0f} s apart.",
            "Let both follow the same time servers (chrony, systemd-timesyncd).",
        )
    yield from _might("DATABASE_URL", found.is_mighty)


def connections() -> Iterator[Finding]:
    """Do all processes get their connections? Where not, requests fail under load, and only then."""
    try:
        with green.within(LONGEST_SECONDS):
            offered, wanted = budget.offered(db.engine), budget.wanted(settings())
    except SQLAlchemyError:
        return  # said by `postgres`
    if wanted > offered:
        sentence = f"{settings().web_processes} web processes, the workers and a reserve may want {wanted} connections;"
        next_step = f"Set max_connections to {wanted + 5}, or lower WEB_PROCESSES or DATABASE_POOL_SIZE."
        sentence += f" PostgreSQL offers {offered}."
        yield Finding("postgres", "unsafe", "too_few_connections", sentence, next_step)


def _older(revision: str | None) -> Finding:
    return Finding(
        "postgres",
        "unsafe",
        "schema_older",
        f"The schema is at revision {revision or 'none'}, this release needs {schema.revision()}.",
        "Run `flask db upgrade` with MIGRATE_DATABASE_URL set.",
    )


def ingest() -> Iterator[Finding]:
    """PostgreSQL as the ingest role sees it."""
    try:
        with green.within(LONGEST_SECONDS):
            found = _one(db.engines["ingest"], INGEST)
    except SQLAlchemyError as error:
        yield _away("postgres", "INGEST_DATABASE_URL", error)
        return
    if found.synchronous_commit in ("off", "local"):
        yield Finding(
            "postgres",
            "unsafe",
            "commit_not_synchronous",
            f"Events are committed with synchronous_commit {found.synchronous_commit}: what was answered may be lost.",
            "Run `ALTER ROLE live_validation_ingest SET synchronous_commit = on` and restart the product.",
        )
    yield from _might("INGEST_DATABASE_URL", found.is_mighty)


def _one(engine: Engine, question: Any) -> Any:
    with engine.connect() as connection:
        return connection.execute(question).one()


def _might(name: str, is_mighty: bool) -> Iterator[Finding]:
    if is_mighty:
        yield Finding(
            "postgres",
            "unsafe",
            "role_too_mighty",
            f"The role of {name} may do everything: row-level security does not hold it.",
            "Use the roles that `flask prepare-database` makes.",
        )


def redis() -> Iterator[Finding]:
    """Redis for state: it must not forget by itself."""
    try:
        found = _info(state_redis())
    except RedisError as error:
        yield _away("redis", "REDIS_URL", error)
        return
    if (policy := found.get("maxmemory_policy")) != "noeviction":
        yield Finding(
            "redis",
            "unsafe",
            "redis_evicts",
            f"Redis for state has maxmemory-policy {policy}: it would drop sessions and jobs.",
            "Start it with the repository's redis.conf, or set `maxmemory-policy noeviction`.",
        )
    if not found.get("aof_enabled"):
        yield Finding(
            "redis",
            "unsafe",
            "redis_forgets",
            "Redis for state writes no append-only file: a restart would sign everybody out.",
            "Start it with the repository's redis.conf, or set `appendonly yes`.",
        )


def redis_cache() -> Iterator[Finding]:
    """Redis for cached answers: a server of its own."""
    try:
        found = _info(current_app.extensions["cache_redis"])
        same = found.get("run_id") == _info(state_redis()).get("run_id")
    except RedisError as error:
        yield _away("redis-cache", "REDIS_CACHE_URL", error)
        return
    if same:
        yield Finding(
            "redis-cache",
            "advice",
            "one_redis_for_both",
            "REDIS_URL and REDIS_CACHE_URL lead to the same server: a full cache would refuse sessions and jobs.",
            "Run a second server with the repository's redis-cache.conf.",
        )


def _info(client: Redis) -> dict[str, Any]:
    found: Any = client.info()  # typed for the asynchronous client, too
    return found


def mail() -> Iterator[Finding]:
    """Does a mail server greet?"""
    url = urlsplit(settings().mail_url)
    port = url.port or (465 if url.scheme == "smtps" else 25)
    try:
        with socket.create_connection(
            (url.hostname or "localhost", port), timeout=LONGEST_SECONDS
        ) as connection:
            if url.scheme == "smtps":
                return
            greeting = connection.recv(3)
            with suppress(OSError):
                connection.sendall(b"QUIT\r\n")
    except OSError as error:
        yield _away("mail", "MAIL_URL", error)
        return
    if greeting != b"220":
        yield _away("mail", "MAIL_URL", smtplib.SMTPConnectError(0, ""))


def worker() -> Iterator[Finding]:
    """Is somebody doing the jobs?"""
    try:
        due = outbox.due()
    except SQLAlchemyError:
        return  # said by `postgres`
    for queue, waiting in due.items():
        if waiting.seconds > LATE_SECONDS:
            yield Finding(
                "worker",
                "missing",
                "jobs_wait",
                f"{waiting.jobs:,} jobs of {queue} are due, the oldest since {waiting.seconds / 60:.0f} minutes.",
                "See that `python -m app.jobs.worker` runs, and look at `flask jobs list`.",
            )


def secrets() -> Iterator[Finding]:
    """Settings that the configuration's own checks let pass."""
    if len(set(settings().secret_key)) < LEAST_DIFFERENT_CHARACTERS:
        yield Finding(
            "settings",
            "unsafe",
            "secret_key_weak",
            "SECRET_KEY does not look random.",
            'Make one: python -c "import secrets; print(secrets.token_urlsafe(32))"',
        )
    if current_app.debug:
        yield Finding(
            "settings",
            "unsafe",
            "debug_on",
            "Debug mode is on: it shows code and lets visitors run it.",
            "Unset FLASK_DEBUG.",
        )


def files() -> Iterator[Finding]:
    """What was built, and where counters are kept."""
    if not (Path(current_app.root_path) / "static" / "build" / "manifest.json").exists():
        yield Finding(
            "files",
            "missing",
            "not_built",
            "The browser's files were not built: pages would have neither style nor script.",
            "Run `npm ci && npm run build` in the project's folder.",
        )
    folder = settings().prometheus_multiproc_dir
    if folder and not Path(folder).is_dir():
        yield Finding(
            "files",
            "missing",
            "no_metrics_folder",
            f"PROMETHEUS_MULTIPROC_DIR is {folder}, which is no folder.",
            "Make it, writable for the product's account and emptied at every start of the machine.",
        )


def _away(part: str, name: str, error: BaseException) -> Finding:
    """Says nothing of the error's text, which may hold an address or a password."""
    return Finding(
        part,
        "missing",
        "away",
        f"{name} leads to nobody who answers ({type(error).__name__}).",
        "See that the server runs, and that the address and password are right.",
    )


CHECKS: Final[dict[str, Callable[[], Iterator[Finding]]]] = {
    "settings": secrets,
    "PostgreSQL": postgres,
    "PostgreSQL for events": ingest,
    "PostgreSQL's connections": connections,
    "Redis for state": redis,
    "Redis for cached answers": redis_cache,
    "mail": mail,
    "workers": worker,
    "files": files,
}
AT_START: Final = (secrets, postgres, ingest, connections, redis)


def unsafe(checks: Iterable[Callable[[], Iterator[Finding]]] = AT_START) -> list[Finding]:
    """What would break a promise silently."""
    return [finding for check in checks for finding in check() if finding.weight == "unsafe"]


def refuse_unsafe(flask_app: Flask) -> None:
    """Called by every process before it works. Raises ConfigurationError that says what is unsafe, and the way out."""
    with flask_app.app_context():
        found = unsafe()
        for engine in db.engines.values():  # a parent hands no connection to its children
            engine.dispose()
        state_redis().connection_pool.disconnect()
    for finding in found:
        log.error("unsafe_installation", part=finding.part, reason=finding.code)
    if found:
        raise ConfigurationError("\n".join(f"{f.sentence} {f.next_step}" for f in found))


@click.command("doctor")
def doctor() -> None:
    """Say what is wrong with this installation, and what to do about it. Exit status 1 where something is."""
    is_well = True
    for name, check in CHECKS.items():
        found = list(check())
        is_well = is_well and not any(f.weight != "advice" for f in found)
        click.echo(f"{'✗' if found else '✓'} {name}")
        for finding in found:
            click.echo(f"    {finding.weight}: {finding.sentence}\n    next: {finding.next_step}")
    click.echo("Everything is as it must be." if is_well else "Not everything is as it must be.")
    if not is_well:
        raise SystemExit(1)


def init_app(flask_app: Flask) -> None:
    flask_app.cli.add_command(doctor)
