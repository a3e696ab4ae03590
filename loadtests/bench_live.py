"""From post to sight: 100 viewers of one live page, 500 events a second, each event exactly once at each viewer."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Final

from local.demo import Trouble
from local.program import PROJECT

VIEWERS: Final = 100
EVENTS_A_SECOND: Final = 500
EVENTS_A_POST: Final = 10


@dataclass(frozen=True)
class Task:
    """Where to look and to send, with which keys, and for how long."""

    url: str
    app_id: str
    write_key: str
    api_key: str
    seconds: float
    viewers: int = VIEWERS
    rate: int = EVENTS_A_SECOND


def p99s(task: Task, runs: int) -> list[float]:
    """The 99th percentile in ms of each run. Raises Trouble where any viewer missed an event or saw it twice."""
    return [_run(task) for _ in range(runs)]


def _run(task: Task) -> float:
    done = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-m", "loadtests.audience"],
        input=json.dumps(asdict(task)), capture_output=True, text=True, cwd=PROJECT, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Trouble(f"the viewers failed: {done.stderr[-500:]}")
    return reading(done.stdout)


def reading(said: str) -> float:
    """What the viewers say: the 99th percentile in ms. Raises Trouble where an event was missed or came twice."""
    found = json.loads(said)
    if found["missed"] or found["doubled"]:
        missed, doubled = found["missed"], found["doubled"]
        raise Trouble(f"of {found['sent']} events each, the viewers missed {missed} and saw {doubled} twice")
    return float(found["p99_ms"])
