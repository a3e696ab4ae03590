"""`flask jobs`: the jobs that belong to no organisation (mails of signing in, upkeep), for the operator."""

import click
from flask import Flask
from flask.cli import AppGroup

from app.errors import Refusal
from app.jobs import dead_letters
from app.store import job_history

commands = AppGroup("jobs", help="Jobs that belong to no organisation: list, retry, delete.")


def init_app(flask_app: Flask) -> None:
    flask_app.cli.add_command(commands)


@commands.command("list")
@click.option("--limit", default=50, show_default=True, help="How many, the dead first, then the newest.")
def list_(limit: int) -> None:
    """Show what is dead, waits, runs or was done of late."""
    for one in job_history.of(None, limit):
        took = "" if one.seconds is None else f"{one.seconds:.1f} s"
        click.echo(
            f"{one.id:>8}  {one.state:8} {one.queue:9} {one.job:24} {one.attempts:>2}"
            f"  {one.created_at:%Y-%m-%d %H:%M:%S}  {took:>9}  {one.reason or ''}"
        )


@commands.command("retry")
@click.argument("job_id", type=int)
def retry(job_id: int) -> None:
    """Try a dead job again, with all its attempts."""
    try:
        dead_letters.retry(None, job_id)
    except Refusal as refusal:
        raise click.ClickException(refusal.message) from refusal


@commands.command("delete")
@click.argument("job_id", type=int)
def delete(job_id: int) -> None:
    """Delete a dead job."""
    try:
        dead_letters.delete(None, job_id)
    except Refusal as refusal:
        raise click.ClickException(refusal.message) from refusal
