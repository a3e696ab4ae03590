"""The compiled plan of an app: from memory where it was used before, from the database once per version."""

from collections import OrderedDict
from threading import Lock
from typing import Any, Final

from app import metrics
from app.plans import content as contents
from app.plans.expected import fields_of
from app.store import plans
from app.store.apps import AppRef
from app.validation.compile import CompiledPlan, compile_plan

# A compiled plan of 100 events takes about a megabyte.
MOST_PLANS: Final = 128
HIT: Final = metrics.CACHE.labels("rules", "hit")
MISS: Final = metrics.CACHE.labels("rules", "miss")


class CompiledPlans:
    """The plans used last, by (plan, version). A version never changes, so nothing here is ever out of date.

    One caller loads a plan, its neighbours wait for it. Locks are gevent's where it is patched in.
    """

    def __init__(self, most: int = MOST_PLANS) -> None:
        self._most = most
        self._plans: OrderedDict[tuple[int, int], CompiledPlan] = OrderedDict()
        self._loading: dict[tuple[int, int], Lock] = {}

    def get(self, plan_id: int, version: int) -> CompiledPlan:
        """The plan. Raises LookupError for a version that does not exist."""
        key = (plan_id, version)
        if (plan := self._plans.get(key)) is not None:
            self._plans.move_to_end(key)
            HIT.inc()
            return plan
        MISS.inc()
        with self._loading.setdefault(key, Lock()):
            if (plan := self._plans.get(key)) is None:
                plan = self._plans[key] = _load(plan_id, version)
                while len(self._plans) > self._most:
                    self._plans.popitem(last=False)
        self._loading.pop(key, None)
        return plan


def _load(plan_id: int, version: int) -> CompiledPlan:
    text = plans.content_of(plan_id, version)
    if text is None:
        raise LookupError(f"plan {plan_id} has no version {version}")
    return compile_plan(contents.from_text(text), version, is_checked=True)


_compiled: Final = CompiledPlans()


def current(app: AppRef) -> CompiledPlan | None:
    """What this app's events are judged by; None before the first publish."""
    return version_of(app, app.plan_version)


def version_of(app: AppRef, version: int | None) -> CompiledPlan | None:
    """A version of the plan that the app follows; None where there is none."""
    if app.plan_id is None or version is None:
        return None
    try:
        return _compiled.get(app.plan_id, version)
    except LookupError:  # deleted since, or the app follows another plan by now
        return None


def expected(app: AppRef, event_name: str) -> list[dict[str, Any]]:
    """The fields that the published plan expects of one event: path, type, whether required. Empty without a
    plan.
    """
    plan = current(app)
    planned = plan.find(event_name) if plan is not None else None
    return fields_of(planned) if planned is not None else []
