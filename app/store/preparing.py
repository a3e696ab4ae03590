"""`flask prepare-database`: a PostgreSQL server made ready for the product, once; `flask db upgrade` comes after it.

Asks the server's administrator once; nothing else of the product ever does.
"""

import secrets
from contextlib import closing
from urllib.parse import unquote, urlsplit, urlunsplit

import click
import psycopg2
from flask import Flask
from psycopg2 import OperationalError
from psycopg2.extensions import connection

from app.extensions import settings
from app.store import roles


def init_app(flask_app: Flask) -> None:
    flask_app.cli.add_command(prepare_database)


@click.command("prepare-database")
def prepare_database() -> None:
    """Make the four roles, with the passwords of the settings' URLs, and the database, or mend them.

    As the role that ADMIN_DATABASE_URL names. Repeating it is safe.
    """
    admin_url = settings().admin_database_url
    if not admin_url:
        raise click.ClickException(
            "Set ADMIN_DATABASE_URL, or ADMIN_DATABASE_URL_FILE to a file that holds it."
        )
    passwords = _passwords()
    database = urlsplit(settings().database_url).path.lstrip("/")
    try:
        with closing(_connect(admin_url)) as admin:
            roles.create_roles(admin, passwords)
            roles.create_database(admin, database)
        with closing(_connect(urlunsplit(urlsplit(admin_url)._replace(path=f"/{database}")))) as admin:
            roles.close_to_others(admin, database)
    except OperationalError as error:
        raise click.ClickException(f"ADMIN_DATABASE_URL leads nowhere: {error}") from error
    click.echo(f"The database {database} and its roles are ready. Next: flask db upgrade")


def _passwords() -> dict[str, str]:
    """Role → password, from the settings' own URLs. Nobody needs readonly's, unless its URL is set."""
    given = settings()
    urls = {
        roles.APP: given.database_url,
        roles.INGEST: given.ingest_database_url,
        roles.MIGRATE: given.migrate_database_url,
    }
    found = {roles.READONLY: secrets.token_urlsafe(32)}
    for role, url in urls.items():
        parts = urlsplit(url or "")
        if parts.username != role or not parts.password:
            raise click.ClickException(
                f"One of the settings' database URLs must be {role}'s, with a password."
            )
        found[role] = unquote(parts.password)
    return found


def _connect(url: str) -> connection:
    admin = psycopg2.connect(url)
    admin.autocommit = True
    return admin
