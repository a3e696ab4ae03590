"""`make run`: start the stack, watch it, and end all of it however this ends."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from local.places import Places
from local.ports import Ports
from local.progress import Tell, teller
from local.stack import Lock, Stack, Start, Wishes
from local.starter import Starter
from local.watch import Watch

STOP_SECONDS = 18  # of the 20 that people are promised
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(var: Path, port: int, workers: int, environment: Mapping[str, str]) -> None:
    """Run the stack in the foreground until a signal, or the end of whoever waits for it. Raises Trouble."""
    starter = Starter(environment)
    _stop_on_signals()
    tell = teller()
    places = Places.prepare(var)
    with Lock(places) as lock:
        stack = Start(places, Ports(), Wishes(port, workers, environment), tell).run()
        try:
            watch = Watch(stack, lock, starter, tell)
            watch.look()
            _tell_where(stack, tell)
            watch.keep()
        finally:
            _ignore_signals()
            tell("stopping")
            stack.supervisor.stop(STOP_SECONDS)
            (places.var / "stack.json").unlink(missing_ok=True)
            places.remove_sockets()
            tell("stopped")


def _tell_where(stack: Stack, tell: Tell) -> None:
    tell(f"Live Validation  {stack.url}")
    if stack.mailbox_url:
        tell(f"its mailbox      {stack.mailbox_url}")
    tell(f"its logs         {stack.places.log}   (Ctrl-C stops everything)")


def _stop_on_signals() -> None:
    """The first signal unwinds whatever is going on; `nohup` keeps its meaning."""
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(_number: int, _frame: FrameType | None) -> None:
    _ignore_signals()
    sys.exit(0)


def _ignore_signals() -> None:
    """Stopping takes its few seconds; nothing may interrupt it half-way."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
