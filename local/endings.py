"""How programs ended, as supervisord's own log tells it: the one place where it says by which signal."""

import re
from collections import Counter
from pathlib import Path

LINE = re.compile(r"exited: (\S+) \((?:terminated by )?([^;)]+)")


class Endings:
    """Reads what was appended since the last time. `count` and `reason` go by program name."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = 0
        self.count: Counter[str] = Counter()
        self.reason: dict[str, str] = {}

    def look(self) -> None:
        try:
            with self._log.open() as log:
                if log.seek(0, 2) < self._read:
                    self._read = 0  # supervisord began a new file
                log.seek(self._read)
                text = log.read()
                self._read = log.tell()
        except FileNotFoundError:
            return
        for name, reason in LINE.findall(text):
            self.count[name] += 1
            self.reason[name] = reason.strip()
