"""`flask secrets`: bring what is sealed under the newest of the ENCRYPTION_KEYS."""

import click
from cryptography.fernet import InvalidToken
from flask import Flask
from flask.cli import AppGroup

from app.extensions import db
from app.store import authenticators, sealed

commands = AppGroup("secrets", help="Secrets at rest: seal them anew under the newest key.")


def init_app(flask_app: Flask) -> None:
    flask_app.cli.add_command(commands)


@commands.command("rotate")
def rotate() -> None:
    """Seal every secret anew under the first of ENCRYPTION_KEYS; the others may be taken away after it.

    One transaction: all of it, or nothing where a secret fits none of the keys.
    """
    try:
        count = authenticators.reseal(sealed.sealed_anew)
    except InvalidToken:
        db.session.rollback()
        raise click.ClickException(
            "A secret was sealed under none of ENCRYPTION_KEYS. Bring the key back that it was sealed under."
        ) from None
    db.session.commit()
    click.echo(f"{count} secrets are sealed under the newest key.")
