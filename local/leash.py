"""Becomes one program of the stack, in such a way that it cannot outlive its parent unnoticed.

`python -S -m local.leash <file>`: the file (see program.py) says what to run. Standard library only and no
site-packages: twelve of these start at once, and each has to be cheap.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from local import lease

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
MOST_FILES = 16384  # connections of one process; supervisord leaves its children the shell's 1,024


def become(program: dict[str, Any]) -> None:
    """Take the program's lease, lower privileges, tie its life to its parent's, and turn into it."""
    parent = os.getppid()
    stop_signal = signal.Signals(program["stop_signal"])
    lease.take(Path(program["lease"]), program["stop_seconds"], stop_signal)
    _write_to(program["log"])
    _allow_many_files()
    os.chdir(program["directory"])
    if program["uid"] is not None:
        os.setgroups([])
        os.setgid(program["gid"])
        os.setuid(program["uid"])
    os.umask(0o077)
    _die_with(parent, stop_signal)
    os.execve(program["argv"][0], program["argv"], program["environment"])  # noqa: S606 (this is its job)


def _write_to(log: str) -> None:
    """Log straight to a file that can be cut while it is open.

    Road not taken: supervisord's log pipes. They put a Python loop between every request and its log line,
    and a full pipe would freeze the writer.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (descriptor, 1), (descriptor, 2)):
        os.dup2(source, target)
    os.close(descriptor)
    os.close(nothing)


def _allow_many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _die_with(parent: int, stop_signal: signal.Signals) -> None:
    """Have the kernel send our stop signal when our parent dies; after setuid, which would clear it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, stop_signal)
    if os.getppid() != parent:  # it died before the kernel knew of our wish
        sys.exit(1)


if __name__ == "__main__":
    become(json.loads(Path(sys.argv[1]).read_text()))
