"""Who started us, and is it still there? A stack that nobody waits for any more ends."""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping

import psutil

from local.leash import PR_SET_PDEATHSIG


class Starter:
    """Our parent, which is make, and whoever waits for that: a shell, a test, a terminal."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        _end_with_parent()
        self._waiting: psutil.Process | None = None
        if "MAKELEVEL" in environment and not _is_detached():
            parent = psutil.Process(os.getppid()).parent()
            self._waiting = parent if parent and parent.pid != 1 else None

    def is_gone(self) -> bool:
        """Has the one who waits for make ended? make itself does not notice when its shell was killed."""
        return self._waiting is not None and not self._waiting.is_running()


def _is_detached() -> bool:
    """Was this started to go on alone?

    `nohup` ignores hang-ups, a script's `&` ignores Ctrl-C, `setsid` leads a session of its own, and a terminal's
    `&` is not in its foreground.
    """
    if signal.SIG_IGN in (signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGINT)):
        return True
    if os.getsid(0) in (os.getpid(), os.getppid()):
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY)
    except OSError:
        return False  # there is no terminal to be in the background of
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    finally:
        os.close(terminal)


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM when our parent dies."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)
