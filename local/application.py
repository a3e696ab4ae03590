"""The product's own processes: its settings, its Gunicorns, its workers, its migrations."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL

from local.places import Places
from local.program import PROJECT, Program
from local.trouble import Trouble

# Ours to say, or of no use to the product: not passed on from the caller's shell.
NOT_PASSED_ON = ("VAR", "PORT", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONPATH", "PYTHONHOME")


def environment(caller: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment (any setting of app/config.py may stand there) with the stack's own settings
    over it.
    """
    return (
        {k: v for k, v in caller.items() if k not in NOT_PASSED_ON}
        | dict(settings)
        | {"PYTHONUNBUFFERED": "1"}
    )


def gunicorn(places: Places, number: int, port: int, workers: int, settings: Mapping[str, str]) -> Program:
    """One Gunicorn instance on a port of the loopback."""
    name = f"gunicorn-{number}"
    return Program(
        name=name,
        role="gunicorn",
        argv=[
            sys.executable, "-m", "gunicorn", "--config", str(PROJECT / "gunicorn_config.py"),
            "--bind", f"127.0.0.1:{port}", "--workers", str(workers),
            # The whole stack has to stop within 20 s; nginx has closed its streams by then.
            "--graceful-timeout", "4",
            "wsgi:flask_app",
        ],
        environment={**settings, "PROMETHEUS_MULTIPROC_DIR": str(_metrics(places, name))},
        stop_seconds=8,
    )  # fmt: skip


def worker(places: Places, settings: Mapping[str, str]) -> Program:
    """The parent of the queues' workers."""
    return Program(
        name="worker",
        role="worker",
        argv=[sys.executable, "-m", "app.jobs.worker"],
        environment={**settings, "PROMETHEUS_MULTIPROC_DIR": str(_metrics(places, "worker"))},
        stop_seconds=8,
    )


def migrate(places: Places, settings: Mapping[str, str]) -> None:
    """Bring the schema up to date. Raises Trouble with the last line of what went wrong."""
    program = Program(
        name="migrate",
        role="migrate",
        argv=[sys.executable, "-m", "flask", "--app", "app", "db", "upgrade"],
        environment=settings,
        stop_signal=SIGKILL,  # an unfinished migration is a transaction that PostgreSQL takes back
    )
    log = program.log(places)
    log.write_bytes(b"")
    if subprocess.run(program.write(places), cwd=PROJECT, start_new_session=True, check=False).returncode:
        raise Trouble(f"The migrations failed: {last_line(log)}; see {log}")


def last_line(log: Path) -> str:
    """What a program said last."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1].strip() if lines else "it said nothing"


def _metrics(places: Places, name: str) -> Path:
    folder = places.run / "metrics" / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def settings_of(pairs: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """Only those that have a value."""
    return {name: value for name, value in pairs if value}
