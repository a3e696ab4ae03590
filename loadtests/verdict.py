"""What was measured against what was promised: the table at the end, and load.json."""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOGIN, REGISTER, LOGS, DASHBOARD = "/auth/login", "/auth/register", "/api/logs", "/dashboard"
NAMES = (LOGIN, REGISTER, LOGS, DASHBOARD)
# The plan's targets (p95, p99) and, for events, the product's own.
MOST_P95, MOST_P99 = 300.0, 500.0
MOST_LOGS_P50, MOST_LOGS_P99 = 10.0, 60.0
LEAST_CACHE_HIT = 0.95
LEAST_OF_RATE = 0.95  # a product that slows its users down would otherwise look fast


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of them does not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


@dataclass
class Measured:
    """Answer times in ms and failures, by name."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reasons: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, name: str, response_time: float, exception: BaseException | None) -> None:
        self.times[name].append(response_time)
        if exception is not None:
            self.failures[name] += 1
            self.reasons[f"{name}: {exception}"[:200]] += 1

    @property
    def count(self) -> int:
        return sum(len(times) for times in self.times.values())

    def row(self, name: str) -> dict[str, Any]:
        """One line of load.json."""
        times = self.times[name]
        p50, p95, p99 = (round(percentile(times, share), 1) for share in (0.5, 0.95, 0.99))
        fits = self.failures[name] == 0 and p95 < MOST_P95 and p99 < MOST_P99
        if name == LOGS:
            fits = fits and p50 < MOST_LOGS_P50 and p99 < MOST_LOGS_P99
        return {
            "count": len(times),
            "failures": self.failures[name],
            "p50": p50,
            "p95": p95,
            "p99": p99,
            "ok": fits,
        }

    @property
    def is_ok(self) -> bool:
        return all(self.row(name)["ok"] for name in NAMES if self.times[name])


def load_json(
    measured: Measured, seconds: float, asked_per_minute: float, cache_hit: float | None
) -> dict[str, Any]:
    """The whole of load.json but for what the knee adds."""
    per_minute = measured.count / seconds * 60
    return {
        "requests": {name: measured.row(name) for name in NAMES},
        "seconds": round(seconds, 1),
        "per_minute": round(per_minute, 1),
        "asked_per_minute": round(asked_per_minute, 1),
        "cache_hit": cache_hit,
        "failures": dict(measured.reasons),
        "ok": measured.is_ok
        and per_minute >= LEAST_OF_RATE * asked_per_minute
        and (cache_hit is None or cache_hit >= LEAST_CACHE_HIT),
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """By rename: nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content, indent=2) + "\n")
    draft.replace(path)


def table(result: dict[str, Any]) -> str:
    """The result for a person, each figure beside its threshold."""
    head = f"{'':16} {'requests':>9} {'failed':>7} {'p50 ms':>14} {'p95 ms':>14} {'p99 ms':>14}"
    lines = [head, *(_line(name, row) for name, row in result["requests"].items())]
    lines.append(
        f"{result['per_minute']:,.0f} requests a minute of {result['asked_per_minute']:,.0f} asked for,"
        f" in {result['seconds']:.0f} s"
    )
    if result["cache_hit"] is not None:
        lines.append(f"rules cache hit {result['cache_hit']:.2%} (at least {LEAST_CACHE_HIT:.0%})")
    lines += [f"  {count} × {reason}" for reason, count in result["failures"].items()]
    if "knee" in result:
        lines.append(f"the knee: {result['knee']:,.0f} requests a minute inside the thresholds")
    good = (
        "all thresholds kept" if result.get("is_timed", True) else "nothing failed (times do not count here)"
    )
    lines.append(good if result["ok"] else "A THRESHOLD WAS MISSED")
    return "\n".join(lines)


def _line(name: str, row: dict[str, Any]) -> str:
    most_p99 = MOST_LOGS_P99 if name == LOGS else MOST_P99
    cells = (
        f"{row['p50']:.1f} <{MOST_LOGS_P50:.0f}" if name == LOGS else f"{row['p50']:.1f}",
        f"{row['p95']:.1f} <{MOST_P95:.0f}",
        f"{row['p99']:.1f} <{most_p99:.0f}",
    )
    columns = " ".join(f"{cell:>14}" for cell in cells)
    return f"{name:16} {row['count']:9,} {row['failures']:7,} {columns}  {'ok' if row['ok'] else 'MISSED'}"
