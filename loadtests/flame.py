"""`make flame`: where a worker's time goes while single events come in, as a picture (py-spy's flame graph)."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from loadtests import stacks, wrk
from loadtests.bench import UNLIMITED
from loadtests.people import Member, Postman, event
from local.demo import Trouble

SECONDS = 10
WARM_SECONDS = 2
SAMPLES_A_SECOND = 200


def run(var: Path, _environment: Mapping[str, str]) -> bool:
    """Write flame.svg. Raises local.demo.Trouble."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        raise Trouble("py-spy is missing; `make lint` installs what development needs.")
    wrk.tool()
    picture = var / "flame.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    with stacks.own(UNLIMITED) as stack:
        shop = Member(stack.url, Postman(stack.mailbox_url)).shop
        urls = [f"{url}{shop.path}" for url in stack.gunicorn_urls()]
        seconds = SECONDS + 2 * WARM_SECONDS
        load = threading.Thread(target=wrk.post, args=(urls, event(), shop.sending, seconds))
        load.start()
        time.sleep(WARM_SECONDS)
        worker = psutil.Process(stack.pids("gunicorn")[0]).children()[0]
        # --nonblocking: a worker that is halted for each sample would show its waiting neighbours, not its work.
        command = [
            spy,
            "record",
            "--nonblocking",
            "--duration",
            str(SECONDS),
            "--rate",
            str(SAMPLES_A_SECOND),
        ]
        done = subprocess.run(  # noqa: S603
            [*command, "--output", str(picture), "--pid", str(worker.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        load.join()
    if done.returncode:
        raise Trouble(f"py-spy could not look into the worker: {done.stderr[-300:]}")
    print(f"flame: {picture}")
    return True
