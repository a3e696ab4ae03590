"""Work that takes the processor for long, done beside the event loop: other requests go on meanwhile."""

import sys
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

import gevent
from gevent import monkey

Given = ParamSpec("Given")
Answer = TypeVar("Answer")

# Python's own is ten times as long, and the loop waits for so long each time that it comes back from the network.
SWITCH_SECONDS: Final = 0.0005
sys.setswitchinterval(SWITCH_SECONDS)


def aside(function: Callable[Given, Answer], *given: Given.args, **named: Given.kwargs) -> Answer:
    """What the function answers, from a real thread where this process is cooperative; raises what it raises.

    It must be pure: no database, no `g`. Python's own lock still goes back and forth between the two threads, every
    half millisecond; the loop is never held for longer. Road not taken: a process, which a plan of megabytes would have
    to be copied to and from.
    """
    if not monkey.is_module_patched("threading"):
        return function(*given, **named)
    return gevent.get_hub().threadpool.apply(function, given, named)
