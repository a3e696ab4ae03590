"""The answer to a sender: one result per event, by index."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app import metrics
from app.ingest.parse import Received, Rejected
from app.store.keeping import Outcome, Status
from app.validation.model import Judgement
from app.validation.sentences import sentence

# What one rejected event's reason means and what to do about it.
REASONS = {
    "bad_csv": "This line is not CSV in UTF-8 with as many cells as the header. Check its quotes.",
    "bad_json": "This line is not valid JSON.",
    "bad_message_id": "`messageId` must be a string of at most 256 characters.",
    "bad_payload": "`payload` (or `properties`) must be an object.",
    "bad_string": "A string holds NUL or a lone surrogate, which no database text can hold. Remove it.",
    "name_too_long": "The event's name may have 256 characters.",
    "no_event_name": "The event has no name. Send `eventName` as a non-empty string.",
    "not_an_object": "An event is a JSON object.",
    "too_deep": "The event is nested deeper than 32 levels.",
    "too_large": "The event is larger than 64 KiB. Send less, or send it as a file.",
    "too_many_keys": "The event has more than 2,000 keys.",
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the events of one request. `outcomes` is None where nothing was to be kept."""

    plan_version: int | None
    events: Sequence[Received]
    judged: Sequence[Judgement]
    outcomes: Sequence[Outcome] | None

    def answer(self, read: Sequence[Received | Rejected], *, is_quiet: bool = False) -> dict[str, Any]:
        """The contract's answer; `read` is every event of the body in its order, the rejected ones included.

        is_quiet: verdicts and counts, and nothing by which a reader of the app's traffic could learn the plan.
        """
        found = iter(self._results())
        results = [
            {"index": index, **(_rejection(item.reason) if isinstance(item, Rejected) else next(found))}
            for index, item in enumerate(read)
        ]
        counted = Counter(result["status"] for result in results)
        metrics.count(metrics.EVENTS, counted)
        if is_quiet:
            for result in results:
                result["violations"] = []
                result.pop("violations_omitted", None)
        return {
            "accepted": counted["stored"] + counted["checked"],
            "rejected": counted["rejected"],
            "duplicates": counted["duplicate"],
            "conflicts": counted["conflict"],
            "plan_version": None if is_quiet else self.plan_version,
            "results": results,
        }

    def _results(self) -> list[dict[str, Any]]:
        if self.outcomes is None:
            self._count(self.judged, self.judged)
            return [_result("checked", None, judgement) for judgement in self.judged]
        pairs = list(zip(self.outcomes, self.judged, strict=True))
        self._count(
            [judgement for outcome, judgement in pairs if outcome.status is Status.STORED],
            [judgement for outcome, judgement in pairs if outcome.status is not Status.REJECTED],
        )
        return [
            _rejection("bad_string")
            if outcome.status is Status.REJECTED
            else _result(outcome.status, outcome.event_id, judgement)
            for outcome, judgement in pairs
        ]

    def _count(self, kept: Sequence[Judgement], told: Sequence[Judgement]) -> None:
        """In the metrics: the verdicts of those that are new, and what was told of all."""
        metrics.count(metrics.VERDICTS, Counter(judgement.verdict for judgement in kept))
        broken = Counter(violation.kind for judgement in told for violation in judgement.violations)
        metrics.count(metrics.VIOLATIONS, broken)


def _result(status: str, event_id: str | None, judgement: Judgement) -> dict[str, Any]:
    result: dict[str, Any] = {
        "status": status,
        "event_id": event_id,
        "verdict": judgement.verdict,
        "violations": [{**v.as_json(), "message": sentence(v)} for v in judgement.violations],
    }
    if judgement.omitted:
        result["violations_omitted"] = judgement.omitted
    return result


def _rejection(reason: str) -> dict[str, Any]:
    return {
        "status": "rejected",
        "event_id": None,
        "verdict": None,
        "violations": [],
        "reason": reason,
        "message": REASONS[reason],
    }
