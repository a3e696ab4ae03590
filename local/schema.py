"""The database's schema: brought up to date by the product's migrations, unless nothing has changed."""

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from signal import SIGKILL

import psycopg2

from local.places import Places
from local.program import PROJECT, Program, last_line
from local.trouble import Trouble

MIGRATIONS = PROJECT / "app" / "store" / "migrations"


@dataclass(frozen=True)
class Schema:
    """`settings` are the product's, with MIGRATE_DATABASE_URL among them."""

    places: Places
    settings: Mapping[str, str]

    def bring_up_to_date(self) -> None:
        """Run the migrations, unless these very files made the schema that is there.

        Starting the product to find that out would cost every start two seconds. Raises Trouble with the last
        line of what went wrong.
        """
        stamp = self.places.run / "schema"
        if stamp.exists() and stamp.read_text() == self._described():
            return
        self._upgrade()
        stamp.write_text(self._described())

    def _upgrade(self) -> None:
        program = Program(
            name="migrate",
            role="migrate",
            argv=[sys.executable, "-m", "flask", "--app", "app", "db", "upgrade"],
            environment=self.settings,
            stop_signal=SIGKILL,  # an unfinished migration is a transaction that PostgreSQL takes back
        )
        log = program.log(self.places)
        log.write_bytes(b"")
        command = program.write(self.places)
        if subprocess.run(command, cwd=PROJECT, start_new_session=True, check=False).returncode:
            raise Trouble(f"The migrations failed: {last_line(log)}; see {log}")

    def _described(self) -> str:
        """Which files there are, and which revision this database has."""
        digest = hashlib.sha256()
        for path in sorted(MIGRATIONS.rglob("*.py")):
            digest.update(path.read_bytes())
        return f"{digest.hexdigest()} {self._revision()}"

    def _revision(self) -> str:
        opened = psycopg2.connect(self.settings["MIGRATE_DATABASE_URL"])
        try:
            with opened.cursor() as cursor:
                cursor.execute("SELECT version_num FROM alembic_version")
                return " ".join(sorted(version for (version,) in cursor))
        except psycopg2.errors.UndefinedTable:
            return "none"
        finally:
            opened.close()
