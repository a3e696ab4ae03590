"""The compiled plan of an app: from memory where it was used before, from the database once per version."""

import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, NamedTuple

from app import metrics
from app.plans import content as contents
from app.plans.aside import aside
from app.plans.expected import fields_of
from app.store import plans
from app.store.apps import AppRef
from app.validation.compile import CompiledPlan, compile_plan

# A compiled plan of 100 events takes about a megabyte.
MOST_PLANS: Final = 128
# While a version is compiled the older one judges, for so long. With the half second within which a request learns of
# the newer one, it is the second that is promised.
GRACE_SECONDS: Final = 0.4
# For how long events are compiled ahead; the rest are when first judged.
AHEAD_SECONDS: Final = 0.2
# Below this a plan is read faster than a thread could be asked to.
SMALL_CHARACTERS: Final = 20_000
HIT: Final = metrics.CACHE.labels("rules", "hit")
MISS: Final = metrics.CACHE.labels("rules", "miss")


class Switch(NamedTuple):
    """This process went over to a version of a plan, at a monotonic time in seconds."""

    plan_id: int
    version: int
    at: float


@dataclass(frozen=True, slots=True)
class Loading:
    """A version that one caller loads while its neighbours wait. The lock is gevent's where that is patched in."""

    lock: Lock = field(default_factory=Lock)
    begun_at: float = field(default_factory=time.monotonic)


class CompiledPlans:
    """The plans used last, by (plan, version). A version never changes, so nothing here is ever out of date.

    Of each plan it knows the newest version, which is the one in force: numbers only grow, a revert is a new one.
    """

    def __init__(self, most: int = MOST_PLANS) -> None:
        self._most = most
        self._plans: OrderedDict[tuple[int, int], CompiledPlan] = OrderedDict()
        self._newest: dict[int, CompiledPlan] = {}
        self._loading: dict[tuple[int, int], Loading] = {}
        self._switches: deque[Switch] = deque(maxlen=most)

    def in_force(self, plan_id: int, version: int) -> CompiledPlan:
        """The plan to judge by, whoever says that this version of it is in force: of this version or a newer one.

        While another caller compiles it, the version before judges, whole as it is, for a moment longer. Raises
        LookupError for a version that does not exist.
        """
        newest = self._newest.get(plan_id)
        if newest is not None and (newest.version >= version or self._is_being_loaded(plan_id, version)):
            self._plans.move_to_end((plan_id, newest.version))
            HIT.inc()
            return newest
        return self._put_in_force(plan_id, self.get(plan_id, version))

    def get(self, plan_id: int, version: int) -> CompiledPlan:
        """This version, in force or not. Raises LookupError for one that does not exist."""
        key = (plan_id, version)
        if (plan := self._plans.get(key)) is not None:
            self._plans.move_to_end(key)
            HIT.inc()
            return plan
        MISS.inc()
        return self._loaded(plan_id, version)

    def take(self, plan_id: int, version: int) -> None:
        """Have a version that was just published judge from now on, before anybody asks for it. Raises LookupError."""
        is_new_here = plan_id not in self._newest
        self._put_in_force(plan_id, self._loaded(plan_id, version))
        if is_new_here:
            self._switches.append(Switch(plan_id, version, time.monotonic()))

    def known(self) -> dict[int, int]:
        """The plans that judge here, each with its version."""
        return {plan_id: plan.version for plan_id, plan in self._newest.items()}

    def drain(self) -> list[Switch]:
        """What was switched to since the last time."""
        found = list(self._switches)
        self._switches.clear()
        return found

    def _loaded(self, plan_id: int, version: int) -> CompiledPlan:
        key = (plan_id, version)
        with self._loading.setdefault(key, Loading()).lock:
            try:
                if (plan := self._plans.get(key)) is None:
                    plan = self._plans[key] = _load(plan_id, version, self._newest.get(plan_id))
                    self._forget_oldest()
            finally:
                self._loading.pop(key, None)
        return plan

    def _is_being_loaded(self, plan_id: int, version: int) -> bool:
        loading = self._loading.get((plan_id, version))
        return loading is not None and time.monotonic() - loading.begun_at < GRACE_SECONDS

    def _put_in_force(self, plan_id: int, plan: CompiledPlan) -> CompiledPlan:
        older = self._newest.get(plan_id)
        if older is not None and older.version >= plan.version:
            return older
        self._newest[plan_id] = self._plans[plan_id, plan.version] = plan
        self._forget_oldest()
        if older is not None:
            self._switches.append(Switch(plan_id, plan.version, time.monotonic()))
        return plan

    def _forget_oldest(self) -> None:
        while len(self._plans) > self._most:
            (plan_id, version), _ = self._plans.popitem(last=False)
            if plan_id in self._newest and self._newest[plan_id].version == version:
                del self._newest[plan_id]


def _load(plan_id: int, version: int, older: CompiledPlan | None) -> CompiledPlan:
    text = plans.content_of(plan_id, version)
    if text is None:
        raise LookupError(f"plan {plan_id} has no version {version}")
    return _read(text, version, older) if len(text) < SMALL_CHARACTERS else aside(_read, text, version, older)


def _read(text: str, version: int, older: CompiledPlan | None) -> CompiledPlan:
    """The plan. What did not change since the older version is taken from it; what changed and was judged here before
    is compiled now, rather than when an event waits for it.
    """
    ends_at = time.monotonic() + AHEAD_SECONDS
    plan = compile_plan(contents.from_text(text), version, is_checked=True, older=older)
    for name, event in older.events.items() if older is not None else ():
        if time.monotonic() > ends_at:
            break
        if event.is_ready and (same := plan.find(name)) is not None:
            same.prepare()
    return plan


compiled: Final = CompiledPlans()


def current(app: AppRef) -> CompiledPlan | None:
    """What this app's events are judged by; None before the first publish.

    Its `version` may differ from the app's: a newer one was just published, or is just being compiled.
    """
    if app.plan_id is None or app.plan_version is None:
        return None
    try:
        return compiled.in_force(app.plan_id, app.plan_version)
    except LookupError:  # deleted since, or the app follows another plan by now
        return None


def version_of(app: AppRef, version: int | None) -> CompiledPlan | None:
    """A version of the plan that the app follows; None where there is none."""
    if app.plan_id is None or version is None:
        return None
    try:
        return compiled.get(app.plan_id, version)
    except LookupError:  # deleted since, or the app follows another plan by now
        return None


def expected(app: AppRef, event_name: str) -> list[dict[str, Any]]:
    """The fields that the published plan expects of one event: path, type, whether required. Empty without a
    plan.
    """
    plan = current(app)
    planned = plan.find(event_name) if plan is not None else None
    return fields_of(planned) if planned is not None else []
