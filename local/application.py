"""The product's own processes: their environment, the Gunicorns, the workers."""

import sys
from collections.abc import Mapping
from pathlib import Path

from local.places import Places
from local.program import PROJECT, Program

# Ours to say, or of no use to the product: not passed on from the caller's shell.
NOT_PASSED_ON = ("VAR", "PORT", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONPATH", "PYTHONHOME")


def environment(caller: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, where any setting of app/config.py may stand, with the stack's own over it."""
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


def worker(places: Places, port: int, settings: Mapping[str, str]) -> Program:
    """The parent of the queues' workers, whose metrics are told on a port of the loopback."""
    return Program(
        name="worker",
        role="worker",
        argv=[sys.executable, "-m", "app.jobs.worker"],
        environment={
            **settings,
            "PROMETHEUS_MULTIPROC_DIR": str(_metrics(places, "worker")),
            "WORKER_METRICS": f"127.0.0.1:{port}",
        },
        stop_seconds=8,
    )


def _metrics(places: Places, name: str) -> Path:
    folder = places.run / "metrics" / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
