"""The stores and the mailbox behind the product: our own, or real ones that the caller names by URL."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import psycopg2
from psycopg2.extensions import connection

from local.places import Places
from local.ports import Ports
from local.post import Post
from local.postgres import Postgres
from local.program import Program
from local.roles import roles
from local.trouble import Trouble
from local.valkey import Valkey


@dataclass(frozen=True)
class Stores:
    """`None` stands for a real server; its URL is then in `given`."""

    places: Places
    postgres: Postgres | None
    redis: Valkey | None
    cache: Valkey | None
    post: Post | None
    given: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def prepare(cls, places: Places, ports: Ports, caller: Mapping[str, str]) -> "Stores":
        """Make ready whatever the caller's environment does not name a real server for."""
        given = {
            k: caller[k]
            for k in ("DATABASE_URL", "REDIS_URL", "REDIS_CACHE_URL", "MAIL_URL")
            if caller.get(k)
        }
        return cls(
            places=places,
            postgres=None if "DATABASE_URL" in given else Postgres.prepare(places),
            redis=None if "REDIS_URL" in given else Valkey("redis", places),
            cache=None if "REDIS_CACHE_URL" in given else Valkey("redis-cache", places),
            post=None if "MAIL_URL" in given else Post.prepare(places, ports),
            given=given,
        )

    def programs(self) -> list[Program]:
        return [part.program() for part in (self.postgres, self.redis, self.cache, self.post) if part]

    def settings(self) -> dict[str, str]:
        """The product's settings that name its stores."""
        return self._database_settings() | {
            "REDIS_URL": self.redis.url if self.redis else self.given["REDIS_URL"],
            "REDIS_CACHE_URL": self.cache.url if self.cache else self.given["REDIS_CACHE_URL"],
            "MAIL_URL": self.post.mail_url if self.post else self.given["MAIL_URL"],
        }

    def bootstrap(self) -> None:
        """Make the product's roles and database, once PostgreSQL answers. Raises Trouble."""
        if self.postgres:
            self.postgres.bootstrap(self._passwords())
        else:
            self._bootstrap_given()

    def _database_settings(self) -> dict[str, str]:
        users = {
            "DATABASE_URL": roles.APP,
            "INGEST_DATABASE_URL": roles.INGEST,
            "MIGRATE_DATABASE_URL": roles.MIGRATE,
        }
        passwords = self._passwords()
        if self.postgres:
            return {setting: self.postgres.dsn(role, passwords[role]) for setting, role in users.items()}
        url = self.given["DATABASE_URL"]
        if not self._may_create_roles():
            return dict.fromkeys(users, url)
        return {setting: _as(url, role, passwords[role]) for setting, role in users.items()}

    def _passwords(self) -> dict[str, str]:
        """Role → password.

        On a real server they follow from its administrator's: another stack on the same server comes to the same
        ones, instead of changing them under our feet.
        """
        known = urlsplit(self.given.get("DATABASE_URL", "")).password
        return {
            role.name: hmac.new(known.encode(), role.name.encode(), hashlib.sha256).hexdigest()
            if known
            else self.places.secret(role.name)
            for role in roles.ROLES
        }

    def _may_create_roles(self) -> bool:
        with _Connected(self.given["DATABASE_URL"]) as admin, admin.cursor() as cursor:
            cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
            return cursor.fetchone() == (True,)

    def _bootstrap_given(self) -> None:
        url = self.given["DATABASE_URL"]
        with _Connected(url) as admin, admin.cursor() as cursor:
            cursor.execute("SELECT current_database(), has_database_privilege(current_database(), 'CREATE')")
            [(database, may_create)] = cursor.fetchall()
            if self._may_create_roles():
                try:
                    roles.create_roles(admin, self._passwords())
                    roles.admit(admin, database)
                except psycopg2.Error as error:
                    raise Trouble(
                        f"DATABASE_URL: its role cannot set up the product's roles: {_first_line(error)}"
                    ) from error
            elif may_create:
                print("  DATABASE_URL's role may not create roles, so one role does everything.")
            else:
                raise Trouble("DATABASE_URL: its role may neither create roles nor tables in its database.")


class _Connected:
    """A connection to the caller's own server, in autocommit mode. Raises Trouble where there is none."""

    def __init__(self, url: str) -> None:
        try:
            self._opened: connection = psycopg2.connect(url, connect_timeout=5)
        except psycopg2.Error as error:
            raise Trouble(f"DATABASE_URL: {_first_line(error)}") from error
        self._opened.autocommit = True

    def __enter__(self) -> connection:
        return self._opened

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def _as(url: str, role: str, password: str) -> str:
    """The same server and database for another role."""
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(role)}:{quote(password)}@{server}").geturl()


def _first_line(error: psycopg2.Error) -> str:
    return str(error).strip().splitlines()[0]
