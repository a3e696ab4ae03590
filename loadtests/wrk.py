"""wrk, the load tool: compiled, so that it measures the product and not itself."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.demo import Trouble

DONE = re.compile(r"(\d+) requests in ([\d.]+)(ms|s|m)")
BAD = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.+)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def tool() -> str:
    """Where wrk is. Raises Trouble."""
    found = shutil.which("wrk")
    if not found:
        raise Trouble("wrk is missing; it is in most distributions' packages (apt-get install wrk).")
    return found


def post(
    urls: Sequence[str], body: bytes, headers: Mapping[str, str], seconds: int, connections: int = 50
) -> float:
    """Requests a second that were answered 2xx, all urls together; each gets its share of the connections.

    Raises Trouble where any request failed: a refusal is cheap, and would look like speed.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        lines = [f"wrk.headers[{name!r}] = {value!r}" for name, value in headers.items()]
        script.write_text(f'wrk.method = "POST"\nwrk.body = [==[{body.decode()}]==]\n' + "\n".join(lines))
        share = max(1, connections // len(urls))
        command = [tool(), "-t1", f"-c{share}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script)]
        started = [
            subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True)  # noqa: S603
            for url in urls
        ]
        return sum(_rate(child.communicate()[0]) for child in started)


def _rate(said: str) -> float:
    if bad := BAD.search(said):
        raise Trouble(f"requests failed under wrk: {bad[0]}")
    if (done := DONE.search(said)) is None:
        raise Trouble(f"wrk said nothing of use: {said[-300:]}")
    return int(done[1]) / (float(done[2]) * SECONDS[done[3]])
