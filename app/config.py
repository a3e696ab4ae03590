"""Every setting: its environment variable, type, default and meaning. The only file that reads the environment."""

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LIMIT_STRATEGIES = ("fixed-window", "sliding-window-counter", "moving-window", "token-bucket")


RELEASE = "0.1.0"  # as pyproject.toml has it


class ConfigurationError(Exception):
    """A setting is missing or wrong; the message names the variable and says what to do."""


def text(value: str) -> str:
    return value.strip()


def whole_number(value: str) -> int:
    return int(value)


def words(value: str) -> tuple[str, ...]:
    return tuple(value.split())


def pairs(value: str) -> tuple[tuple[str, str], ...]:
    """`a=1 b=2` as pairs; raises ValueError where a word has no `=`."""
    return tuple((name, given) for name, given in (word.split("=", 1) for word in value.split()))


def a_strategy(value: str) -> str:
    if value not in LIMIT_STRATEGIES:
        raise ValueError(f"one of {', '.join(LIMIT_STRATEGIES)}")
    return value


def setting(
    doc: str, *, parse: Callable[[str], Any] = text, default: Any = MISSING, secret: bool = False
) -> Any:
    """Declare one setting. A secret has no default, may come from a file (NAME_FILE), and is never printed."""
    return field(default=default, metadata={"doc": doc, "parse": parse, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The product's settings, read once at start-up and never changed."""

    secret_key: str = setting(
        "Signs CSRF tokens and cookies and keys the one-time codes' hashes; at least 32 characters.",
        secret=True,
    )
    encryption_keys: tuple[str, ...] = setting(
        "Encrypt secrets at rest: words of at least 32 characters, separated by spaces. The first encrypts,"
        " all decrypt; `flask secrets rotate` brings what is kept under the first. Without any, on a loopback"
        " PUBLIC_URL only, SECRET_KEY does.",
        parse=words,
        default=(),
        secret=True,
    )
    database_url: str = setting(
        "PostgreSQL as the role live_validation_app (pages and API); may name several hosts, as host1:5432,host2:5432.",
        secret=True,
    )
    ingest_database_url: str = setting(
        "PostgreSQL as the role live_validation_ingest, which may only add events and look up ids.",
        secret=True,
    )
    replica_database_url: str = setting(
        "A standby that the pages of insight are read from, as the role live_validation_app; none: the primary.",
        default="",
        secret=True,
    )
    replica_most_seconds_behind: int = setting(
        "A standby that is further behind than this is not read from.", parse=whole_number, default=2
    )
    migrate_database_url: str = setting(
        "PostgreSQL as the schema's owner; needed only by `flask db`.", default="", secret=True
    )
    admin_database_url: str = setting(
        "PostgreSQL as who may make roles and databases; needed only by `flask prepare-database`.",
        default="",
        secret=True,
    )
    redis_url: str = setting(
        "Redis for state: sessions, queues, limits, the live bell; or redis+sentinel://:word@host:26379/name.",
        secret=True,
    )
    redis_cache_url: str = setting("Redis for cached answers, which may vanish at any time.", secret=True)
    mail_url: str = setting(
        "The SMTP server, as smtp://user:password@host:port; smtps:// for TLS from the first byte.",
        secret=True,
    )
    mail_from: str = setting("Sender of every mail.", default="Live Validation <no-reply@localhost>")
    public_url: str = setting("Where people reach the product; links in mails are built from it alone.")
    trusted_hosts: tuple[str, ...] = setting(
        "Further host names that requests may carry, separated by spaces.", parse=words, default=()
    )
    log_format: str = setting("`json` for machines, `pretty` for a terminal.", default="json")
    prometheus_multiproc_dir: str = setting(
        "Where the processes of this machine keep their counters (prometheus_client reads it, too).",
        default="",
    )
    worker_metrics: str = setting(
        "Where the workers answer Prometheus, as `host:port`; nowhere if empty. Needs PROMETHEUS_MULTIPROC_DIR.",
        default="",
    )
    log_level: str = setting("The least important level that is written.", default="INFO")

    database_pool_size: int = setting(
        "Connections per process for pages and API; a waiting request gets 503 after a second.",
        parse=whole_number,
        default=4,
    )
    web_processes: int = setting(
        "Gunicorn workers of all instances together. Where their connections do not fit into PostgreSQL's"
        " max_connections, nothing starts.",
        parse=whole_number,
        default=2,
    )
    database_deadline_seconds: int = setting(
        "A query that the server has not answered by then is given up and its connection closed.",
        parse=whole_number,
        default=10,
    )
    ingest_deadline_seconds: int = setting(
        "An event that is not committed by then is answered 503; the same id makes a retry safe.",
        parse=whole_number,
        default=8,
    )
    ingest_buffer_rows: int = setting(
        "Rows that may wait for a commit in one process; more are answered 503 at once.",
        parse=whole_number,
        default=20_000,
    )
    max_body_bytes: int = setting(
        "Largest inline body, unpacked.", parse=whole_number, default=5 * 1024 * 1024
    )
    max_batch_bytes: int = setting(
        "Largest upload worked through by a job, as sent and unpacked.",
        parse=whole_number,
        default=200 * 1024 * 1024,
    )
    max_batches_waiting: int = setting(
        "Most uploads of one app that are not worked through yet; more are answered 429.",
        parse=whole_number,
        default=10,
    )
    history_days: int = setting(
        "How long finished jobs and worked-through uploads are remembered.", parse=whole_number, default=14
    )
    retention_days: int = setting(
        "For how many days (UTC) events are kept where an app does not say; at least 1.",
        parse=whole_number,
        default=90,
    )
    deletion_grace_days: int = setting(
        "For how many days an organisation that its owner deletes is closed and can be had back; at least 1.",
        parse=whole_number,
        default=14,
    )
    max_event_bytes: int = setting("Largest single event.", parse=whole_number, default=64 * 1024)
    max_batch_events: int = setting("Most events in one inline body.", parse=whole_number, default=1000)
    max_depth: int = setting("Deepest nesting of an event.", parse=whole_number, default=32)
    max_keys: int = setting("Most keys in one event, all levels together.", parse=whole_number, default=2000)

    limit_strategy: str = setting(
        "How pages and API are limited: `fixed-window`, `sliding-window-counter` (close to exact, two numbers an"
        " address), `moving-window` (exact, remembers each request) or `token-bucket` (a burst, then a steady flow).",
        parse=a_strategy,
        default="sliding-window-counter",
    )
    auth_limit: str = setting(
        "Requests of one address to the pages and paths of signing in.", default="100/minute"
    )
    address_limit: str = setting(
        "Requests of one address to all other pages and the API.", default="1000/minute"
    )
    user_limit: str = setting("Requests of one signed-in user.", default="200/minute")
    organisation_limit: str = setting(
        "Requests of one organisation, its people and API keys together.", default="6000/minute"
    )
    endpoint_limits: tuple[tuple[str, str], ...] = setting(
        "Requests of one organisation to single endpoints, as `endpoint=limit`, separated by spaces.",
        parse=pairs,
        default=(("keys_api.create_api_key", "60/minute"),),
    )
    key_events_per_second: int = setting(
        "Events that one write key may send per second.", parse=whole_number, default=1_000
    )
    key_events_burst: int = setting(
        "Events that one write key may send at once.", parse=whole_number, default=10_000
    )
    organisation_events_per_second: int = setting(
        "Events that all write keys of one organisation may send per second.",
        parse=whole_number,
        default=5_000,
    )
    organisation_events_burst: int = setting(
        "Events that all write keys of one organisation may send at once.",
        parse=whole_number,
        default=50_000,
    )
    quota_credits: int = setting(
        "Credits that an organisation may use in a calendar month (UTC) where its owner does not say; 0: no quota."
        " It warns; it refuses only where an owner chose so.",
        parse=whole_number,
        default=0,
    )
    credits_per_event: int = setting(
        "What storing one event costs, in credits; at least 1.", parse=whole_number, default=1
    )
    trusted_proxies: tuple[str, ...] = setting(
        "Addresses whose X-Forwarded-* and X-Request-Id are believed, separated by spaces. A unix socket always is.",
        parse=words,
        default=("127.0.0.1", "::1"),
    )

    def __post_init__(self) -> None:
        if len(self.secret_key) < 32:
            raise ConfigurationError("SECRET_KEY must have at least 32 characters.")
        if self.retention_days < 1:
            raise ConfigurationError("RETENTION_DAYS must be 1 or more.")
        if self.deletion_grace_days < 1:
            raise ConfigurationError("DELETION_GRACE_DAYS must be 1 or more.")
        if self.quota_credits < 0 or self.credits_per_event < 1:
            raise ConfigurationError("QUOTA_CREDITS must be 0 or more, CREDITS_PER_EVENT 1 or more.")
        if self.log_format not in ("json", "pretty"):
            raise ConfigurationError("LOG_FORMAT must be `json` or `pretty`.")
        public = urlsplit(self.public_url)
        if public.scheme not in ("http", "https") or not public.hostname or public.path not in ("", "/"):
            raise ConfigurationError("PUBLIC_URL must look like https://events.example.com.")
        if public.scheme == "http" and not is_loopback(public.hostname):
            raise ConfigurationError("PUBLIC_URL must be https unless it is a loopback address.")
        if any(len(word) < 32 for word in self.encryption_keys):
            raise ConfigurationError("ENCRYPTION_KEYS must have at least 32 characters each.")
        if not self.encryption_keys and not is_loopback(public.hostname):
            raise ConfigurationError("ENCRYPTION_KEYS is not set: secrets at rest need a key of their own.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read every setting. Raises ConfigurationError naming the first variable that is missing or wrong."""
        source = os.environ if environment is None else environment
        return cls(**{f.name: value for f in fields(cls) if (value := _read(f, source)) is not None})

    @property
    def is_https(self) -> bool:
        return urlsplit(self.public_url).scheme == "https"

    @property
    def all_trusted_hosts(self) -> list[str]:
        """Host names a request may carry, without port."""
        public = urlsplit(self.public_url).hostname or ""
        loopback = ["localhost", "127.0.0.1", "[::1]"] if is_loopback(public) else []
        return list(dict.fromkeys([public, *loopback, *self.trusted_hosts]))


def is_loopback(host: str) -> bool:
    """Is this host name this machine and nothing else?"""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def variable_name(f: Field[Any]) -> str:
    return f.name.upper()


def _read(f: Field[Any], environment: Mapping[str, str]) -> Any:
    """The parsed value, or None for the default."""
    name = variable_name(f)
    raw = environment.get(name)
    if raw is None and f.metadata["secret"] and (file := environment.get(f"{name}_FILE")):
        raw = Path(file).read_text().strip()
    if raw is None or raw == "":
        if f.default is MISSING:
            raise ConfigurationError(f"{name} is not set: {f.metadata['doc']}")
        return None
    try:
        return f.metadata["parse"](raw)
    except ValueError as error:
        raise ConfigurationError(f"{name} is not a valid value: {error}") from error
