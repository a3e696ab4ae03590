"""Writing log lines beside the requests: one that nobody reads, or no disk can hold, delays and fails none of them.

Lines wait in memory for a native thread that writes them; where too many wait, further ones are lost and counted.
Road not taken: a descriptor that never blocks. It is shared with every process that inherited it, and cannot be had
for each kind of them (a pipe of another user, a file on a disk that hangs).
"""

import os
import select
import signal
import time
from collections import deque

from gevent import monkey

from app import metrics

# A native thread and its lock, whoever made the others cooperative: a greenlet would stop the loop with its write.
allocate_lock = monkey.get_original("_thread", "allocate_lock")
start_new_thread = monkey.get_original("_thread", "start_new_thread")
sleep = monkey.get_original("time", "sleep")

# Lines of one process: some seconds of them at full load, under a megabyte.
MOST_WAITING = 2_000
# As much goes into a pipe in one piece, so that lines of processes that share it are never mixed.
MOST_BYTES = select.PIPE_BUF
LAST_SECONDS = 1.0


class LogWriter:
    """A text stream to a file descriptor whose `write` never waits and never raises."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Threads do not survive a fork, and what waits there is the parent's to write."""
        self._waiting: deque[bytes] = deque()
        self._wake = allocate_lock()
        self._wake.acquire()
        self._is_started = False
        self._is_writing = False
        self._is_torn = False  # the last line was written in part
        self._unwritten = self._counted = (
            0  # lines lost on their way, by the thread; what the metric knows of
        )

    def write(self, text: str) -> None:
        """Have the line written soon, or count it as lost."""
        if len(self._waiting) >= MOST_WAITING:
            metrics.LOG_LINES_LOST.inc()
        else:
            self._waiting.append(text.encode(errors="backslashreplace"))
        if (lost := self._unwritten - self._counted) > 0:  # here, since the metrics' locks are cooperative
            self._counted += lost
            metrics.LOG_LINES_LOST.inc(lost)
        if not self._is_started:
            self._is_started = True
            start_new_thread(self._write_for_ever, ())
        if self._wake.locked():
            try:
                self._wake.release()
            except RuntimeError:  # another thread was quicker
                return

    def flush(self) -> None:
        """Streams have one; lines are on their way already."""

    def finish(self) -> None:
        """Wait until all lines are written, a second at most: the process is about to end."""
        ends_at = time.monotonic() + LAST_SECONDS
        while (self._waiting or self._is_writing) and time.monotonic() < ends_at:
            sleep(0.002)

    def _write_for_ever(self) -> None:
        # Signals are the process's: one that this thread took would end it before its work is in order.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            self._wake.acquire()
            self._is_writing = True
            while self._waiting:
                self._put(self._next())
            self._is_writing = False

    def _next(self) -> list[bytes]:
        """The lines of one write."""
        lines = [self._waiting.popleft()]
        size = len(lines[0])
        while self._waiting and (size := size + len(self._waiting[0])) <= MOST_BYTES:
            lines.append(self._waiting.popleft())
        return lines

    def _put(self, lines: list[bytes]) -> None:
        rest = memoryview(b"\n" * self._is_torn + b"".join(lines))
        try:
            while rest:
                written = os.write(self._descriptor, rest)
                rest = rest[written:]
                self._is_torn = bool(rest)
        except OSError:  # a full disk, a closed pipe: the product goes on without a log
            self._unwritten += len(lines)
