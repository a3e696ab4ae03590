"""The crew: children of one parent, each at its post, replaced when it dies, gone when the parent is.

The parent only forks and waits: it never opens a connection that a child could inherit.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

import structlog

from app import logs

log = structlog.get_logger()

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
LIBC = ctypes.CDLL(None)
STOP_SECONDS = 6.0
SHORT_LIFE_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
WATCHED = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}


@dataclass
class Post:
    """What one child does, and how its holders fared. Times are monotonic seconds."""

    name: str
    work: Callable[[], None]
    pid: int | None = None
    filled_at: float = 0.0
    pause: float = 0.0
    not_before: float = 0.0

    def vacate(self, status: int) -> None:
        """Say once what died; wait the longer before the next try the faster it died."""
        age = time.monotonic() - self.filled_at
        longer = min(max(FIRST_PAUSE_SECONDS, self.pause * 2), LONGEST_PAUSE_SECONDS)
        self.pause = longer if age < SHORT_LIFE_SECONDS else 0.0
        self.not_before = time.monotonic() + self.pause
        facts = {"pid": self.pid, "code": os.waitstatus_to_exitcode(status), "seconds": round(age, 1)}
        log.warning("worker_ended", post=self.name, again_in=self.pause, **facts)
        self.pid = None


class Crew:
    """Keeps one child at every post; tells `on_end` the pid of each that has ended."""

    def __init__(self, posts: Sequence[Post], on_end: Callable[[int], None]) -> None:
        self._posts = posts
        self._on_end = on_end

    def run(self) -> None:
        """Keep every post filled until SIGTERM or SIGINT, then let the children finish, for some seconds."""
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        received = None
        while received is None or received.si_signo == signal.SIGCHLD:
            self._fill()
            received = signal.sigtimedwait(WATCHED, 1.0)
            for post, status in self._ended():
                post.vacate(status)
        self._stop()

    def _fill(self) -> None:
        now = time.monotonic()
        for post in self._posts:
            if post.pid is None and post.not_before <= now:
                post.pid = _fork(post)
                post.filled_at = now

    def _ended(self) -> Iterator[tuple[Post, int]]:
        """The posts whose child has ended, each with how."""
        for post in self._posts:
            if post.pid is not None:
                pid, status = os.waitpid(post.pid, os.WNOHANG)
                if pid:
                    self._on_end(pid)
                    yield post, status

    def _stop(self) -> None:
        ends_at = time.monotonic() + STOP_SECONDS
        self._signal(signal.SIGTERM)
        while self._is_manned():
            if time.monotonic() > ends_at:
                self._signal(signal.SIGKILL)
            signal.sigtimedwait({signal.SIGCHLD}, 0.1)
            for post, _ in self._ended():
                post.pid = None

    def _is_manned(self) -> bool:
        return any(post.pid is not None for post in self._posts)

    def _signal(self, number: signal.Signals) -> None:
        for post in self._posts:
            if post.pid is not None:  # not reaped yet, so the pid is still our child's
                os.kill(post.pid, number)


def _fork(post: Post) -> int:
    """The new child's pid; in the child this never returns."""
    parent = os.getpid()
    return os.fork() or _live(post, parent)


def _live(post: Post, parent: int) -> NoReturn:
    """A child's whole life. SIGKILL when the parent dies: the outbox forgets nothing, and no orphan stays."""
    code = 1
    try:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:  # else it died before the kernel knew of our wish
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
            post.work()
            code = 0
    except Exception as error:  # noqa: BLE001  (the outermost frame of this process)
        log.error("worker_broke", post=post.name, exc_info=error)
    finally:
        logs.finish()
        os._exit(code)  # never into the parent's code that follows fork()
