"""How fast the judge is: against bare jsonschema-rs on the same schema, in turns, in one process.

Parsed events of ten properties; ratios, so that another machine says the same.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import jsonschema_rs

from app.validation.compile import compile_plan
from app.validation.judge import judge
from app.validation.model import Event
from app.validation.translate import rules_as_schema

RUNS: Final = 7
EVENTS: Final = 6_000
RULES: Final[list[dict[str, Any]]] = [
    {"path": "order_id", "type": "text", "required": True},
    {"path": "total", "type": "number", "required": True, "constraints": {"minimum": 0}},
    {"path": "currency", "type": "text", "required": True, "constraints": {"enum": ["EUR", "USD", "GBP"]}},
    {"path": "ordered_at", "type": "datetime", "required": True},
    {"path": "is_gift", "type": "boolean"},
    {"path": "coupon", "type": "text"},
    {"path": "quantity", "type": "integer"},
    {"path": "user.id", "type": "text", "required": True},
    {"path": "items[].sku", "type": "text", "required": True},
    {"path": "items[].price", "type": "number"},
]
VALID: Final[dict[str, Any]] = {
    "order_id": "A1",
    "total": 12.5,
    "currency": "EUR",
    "ordered_at": "2025-11-03 10:30:00",
    "is_gift": True,
    "coupon": "SPRING",
    "quantity": 2,
    "user": {"id": "u1"},
    "items": [{"sku": "s1", "price": 5}, {"sku": "s2", "price": 7.5}],
}
INVALID: Final[list[dict[str, Any]]] = [
    {**VALID, "total": "12.5"},
    {**VALID, "currency": "eur"},
    {**VALID, "order_id": None, "quantity": 1.5},
    {name: value for name, value in VALID.items() if name != "currency"},
    {**VALID, "ordered_at": "2025-13-01"},
    {**VALID, "total": -1, "items": [{"price": "x"}]},
    {**VALID, "colour": "red"},
]
Figure = dict[str, Any]


def judge_vs_jsonschema_rs() -> Figure:
    """Valid events a second, as a part of bare `is_valid`."""
    plan, bare, event = _plan(), _bare(), Event("purchase", VALID)
    return _ratio(lambda: judge(event, plan), lambda: bare.is_valid(VALID))


def judge_invalid_vs_jsonschema_rs() -> Figure:
    """Invalid events a second with all violations, as a part of bare `list(iter_errors)`."""
    plan, bare = _plan(), _bare()
    events = [Event("purchase", payload) for payload in INVALID]
    return _ratio(
        lambda: [judge(event, plan) for event in events],
        lambda: [list(bare.iter_errors(payload)) for payload in INVALID],
        EVENTS // len(INVALID),
    )


def large_plan_vs_small() -> Figure:
    """The time of one event by a plan of 10,000 rules, as a multiple of that by a plan of 10."""
    small, large, event = _plan(), _plan(1_000), Event("purchase", VALID)
    return _ratio(lambda: judge(event, small), lambda: judge(event, large))


MEASURES: Final[dict[str, Callable[[], Figure]]] = {
    "judge_vs_jsonschema_rs": judge_vs_jsonschema_rs,
    "judge_invalid_vs_jsonschema_rs": judge_invalid_vs_jsonschema_rs,
    "large_plan_vs_small": large_plan_vs_small,
}


def _plan(events: int = 1) -> Any:
    others = {f"event {number}": {"rules": RULES} for number in range(events - 1)}
    return compile_plan({"events": {**others, "purchase": {"rules": RULES}}}, 1, is_checked=True)


def _bare() -> jsonschema_rs.Validator:
    schema = rules_as_schema({"rules": RULES, "unplanned_properties": "error"})
    return jsonschema_rs.validator_for(
        schema, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def _ratio(ours: Callable[[], Any], bare: Callable[[], Any], times: int = EVENTS) -> Figure:
    """How often ours runs while bare runs once, in time of the processor: what else runs is not counted. The two
    take turns, because a busy neighbour still slows the processor itself.
    """
    ours(), bare()
    runs = []
    for _ in range(RUNS):
        bare_seconds, our_seconds = _seconds(bare, times), _seconds(ours, times)
        runs.append(round(bare_seconds / our_seconds, 3))
    return {"median": statistics.median(runs), "runs": runs, "unit": "ratio"}


def _seconds(run: Callable[[], Any], times: int) -> float:
    begun = time.process_time()
    for _ in range(times):
        run()
    return time.process_time() - begun


def main() -> None:
    for name, measure in MEASURES.items():
        print(name, measure())


if __name__ == "__main__":
    main()
