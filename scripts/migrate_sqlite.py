"""Moves a database of the reference dashboard (SQLite, any of its generations) in here.

    python scripts/migrate_sqlite.py reference.db --dry-run
    python scripts/migrate_sqlite.py reference.db

It needs the product's own settings, MIGRATE_DATABASE_URL among them, and may be stopped and started again. What did
not move, or moved with a change, stands in a file beside the source, with the reason. See docs/operations/moving.md.
"""

import json
import os
import sys
from contextlib import closing
from datetime import date
from pathlib import Path

import click
from psycopg2.extensions import connection as Connection  # noqa: N812  (a class that the driver spells small)

# Started by its path, it would not find `app`.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import create_app  # noqa: E402
from app.config import ConfigurationError  # noqa: E402
from app.extensions import KEEPALIVE, db, settings  # noqa: E402
from app.hosts import Hosts  # noqa: E402
from app.store import backfill, folding  # noqa: E402
from scripts.moving import agreement, entries, people, rules  # noqa: E402
from scripts.moving.books import Books  # noqa: E402
from scripts.moving.entries import Verdicts  # noqa: E402
from scripts.moving.reference import LEFT_BEHIND, NEEDED, NotTheReference, Reference  # noqa: E402
from scripts.moving.rules import Receivers  # noqa: E402


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--dry-run", is_flag=True, help="Read and judge everything, write nothing but the file of notes."
)
@click.option(
    "--notes", type=click.Path(path_type=Path), help="Where the notes go; default: SOURCE.notes.jsonl."
)
@click.option(
    "--heir", metavar="EMAIL", help="Who takes over the apps of accounts that have no e-mail address."
)
def main(source: Path, dry_run: bool, notes: Path | None, heir: str | None) -> None:
    """Move SOURCE, a SQLite database of the reference dashboard, in here."""
    try:
        flask_app, reference = create_app(), Reference(source)
    except (ConfigurationError, NotTheReference) as error:
        raise click.ClickException(str(error)) from error
    with closing(reference), flask_app.app_context():
        _tell_what_there_is(reference)
        if dry_run:
            wrong = _move(reference, None, heir, notes)
        else:
            with closing(_owner()) as owner:
                wrong = _move(reference, owner, heir, notes)
    sys.exit(bool(wrong))


def _owner() -> Connection:
    """A connection as the schema's owner."""
    if not settings().migrate_database_url:
        raise click.ClickException("MIGRATE_DATABASE_URL is not set: events are added as the schema's owner.")
    return Hosts(
        settings().migrate_database_url, application_name="live-validation move", **KEEPALIVE
    ).connect()


def _move(reference: Reference, owner: Connection | None, heir: str | None, notes: Path | None) -> list[str]:
    """Everything, in order; returns what does not agree at the end."""
    books = Books(owner)
    heir_home = people.heir_home(heir) if heir else None
    if heir and heir_home is None:
        raise click.ClickException(f"{heir} has no account here. Register it first, or move without --heir.")
    homes = people.move_people(reference, books)
    moved = people.move_apps(reference, books, homes, heir_home)
    receivers = rules.move_rules(reference, books, moved)
    (db.session.commit if owner else db.session.rollback)()
    if owner:
        _make_days(reference, owner)
    left = reference.count_after(entries.begin(receivers))
    with click.progressbar(length=left, label="Entries", file=sys.stderr) as bar:
        verdicts = entries.move_entries(reference, receivers, owner, books, settings(), bar.update)
    books.correct(receivers)
    wrong = _check(reference, receivers, owner) if owner else []
    _tell_what_came(books, verdicts, notes or reference.path.with_name(f"{reference.path.name}.notes.jsonl"))
    for sentence in wrong:
        click.echo(f"DISAGREES  {sentence}")
    if not wrong:
        click.echo("Rehearsed: nothing was written." if owner is None else "Counts and checksums agree.")
    return wrong


def _make_days(reference: Reference, owner: Connection) -> None:
    for day in reference.days():
        if day < date.today():  # noqa: DTZ011  (today's own is made ahead; a day more or less is in the catch-all)
            with owner, owner.cursor() as cursor:
                backfill.make_day(cursor, day)


def _check(reference: Reference, receivers: Receivers, owner: Connection) -> list[str]:
    """Fold the counts, so that pages are quick from the first look, and compare."""
    while folding.fold():
        db.session.commit()
    db.session.commit()
    with click.progressbar(length=reference.count("log_entries"), label="Compare", file=sys.stderr) as bar:
        return agreement.disagreements(reference, receivers, owner, settings(), bar.update)


def _tell_what_there_is(reference: Reference) -> None:
    click.echo(f"{reference.path}: the reference dashboard, generation {reference.generation}")
    for table in NEEDED:
        click.echo(f"  {reference.count(table):>10,} {table}")
    for table in LEFT_BEHIND:
        if count := reference.count(table):
            click.echo(f"  {count:>10,} {table} stay behind")


def _tell_what_came(books: Books, verdicts: Verdicts, path: Path) -> None:
    """Write the notes into their file, for the operator alone, and count them."""
    counts: dict[tuple[str, str, str], int] = {}
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        for outcome, kind, app, source_id, reason, record in books.notes():
            line = {"outcome": outcome, "table": kind, "app": app, "id": source_id, "reason": reason}
            file.write(json.dumps(line | {"row": json.loads(record)}) + "\n")
            key = (kind, outcome, reason.split(":")[0])
            counts[key] = counts.get(key, 0) + 1
    for (said, says), count in sorted(verdicts.items()):
        click.echo(f"  {count:>10,} entries: the reference said {said or 'nothing'}, the plan says {says}")
    for (kind, outcome, reason), count in sorted(counts.items()):
        click.echo(f"  {count:>10,} {kind} {outcome}: {reason}")
    if counts:
        click.echo(f"Each of them, with its row, is in {path}.")


if __name__ == "__main__":
    main()
