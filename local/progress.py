"""What the person at the terminal is told while the stack starts and runs."""

import os
import sys
import time
from collections.abc import Callable

Tell = Callable[[str], None]


def teller() -> Tell:
    """Tells each step on a line of its own, with the seconds since the beginning."""
    begun = time.monotonic()

    def tell(step: str) -> None:
        try:
            print(f"{time.monotonic() - begun:6.1f} s  {step}", flush=True)
        except OSError:  # nobody reads any more (`make run | head`); that is no reason to stop
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    return tell


def silent(_step: str) -> None:
    """Tells nobody."""
