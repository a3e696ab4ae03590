"""A lease: an open, locked file by which every process of this stack can be found again, and no other.

A program takes the lock of its own file and keeps the file open across exec; its children inherit it. Whoever
holds the file open is ours, whatever it is called, whoever its parent is now, and however its pid came about.

Road not taken: pid files (a pid is reused, and says nothing of a dead master's children), names (another
stack's nginx is also called nginx), environment variables (PostgreSQL and nginx overwrite theirs with a
title).
"""

import fcntl
import os
import signal
import time
from pathlib import Path


def take(path: Path, patience: float, gentle: signal.Signals = signal.SIGTERM) -> int:
    """Take the lease at `path`, ending whoever still holds it, and return its descriptor, inherited by exec.

    Those who hold it get `gentle`, and SIGKILL after `patience` seconds.
    """
    descriptor = _open(path)
    os.set_inheritable(descriptor, True)
    if not _lock(descriptor):
        end(path, patience, gentle)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def end(path: Path, patience: float, gentle: signal.Signals = signal.SIGTERM) -> None:
    """End every process that holds the lease at `path`; by force after `patience` seconds."""
    if is_free(path):
        return
    _send_all(path, gentle)
    deadline = time.monotonic() + patience
    while not is_free(path):
        if time.monotonic() > deadline:
            _send_all(path, signal.SIGKILL)
        time.sleep(0.05)


def is_free(path: Path) -> bool:
    """Does nobody hold the lease at `path`?"""
    try:
        descriptor = _open(path)
    except FileNotFoundError:  # its folder is gone
        return True
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def holders(path: Path) -> list[int]:
    """The pids of all processes, but this one, that hold the lease at `path` open."""
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return [pid for pid in pids if pid != os.getpid() and _holds(pid, os.path.realpath(path))]


def _holds(pid: int, path: str) -> bool:
    directory = f"/proc/{pid}/fd"
    try:
        return any(_target(f"{directory}/{name}") == path for name in os.listdir(directory))
    except OSError:
        return False  # it has just ended, or belongs to somebody else


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _send_all(path: Path, number: signal.Signals) -> None:
    for pid in holders(path):
        _send(pid, path, number)


def _send(pid: int, path: Path, number: signal.Signals) -> None:
    """Signal `pid` if it still holds the lease: the descriptor pins the process while we look again."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _holds(pid, os.path.realpath(path)):
            signal.pidfd_send_signal(process, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(process)
