"""`make load`: the plan's scenario by Locust, on the running stack or one of its own."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gevent
from locust.env import Environment
from locust.html import get_html_report
from locust.stats import stats_history

from loadtests import counters, stacks, verdict
from loadtests.journeys import MIXES
from loadtests.pace import STEP_SECONDS, Pace, Shape, named
from loadtests.people import Accounts, Member, Postman
from loadtests.stacks import Stack
from loadtests.verdict import Measured
from local.demo import Trouble, seconds_of

MADE_READY_AT_ONCE = 4
BAR_WIDTH = 30
LINE_SECONDS = 10  # between two lines where nobody sits at a terminal
LAST_ANSWERS_SECONDS = 30


@dataclass(frozen=True)
class Wishes:
    """What the caller asked for."""

    shape: Shape
    mix: str
    users: int

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Wishes":
        """From DURATION, USERS, RATE (requests a minute), SHAPE and MIX. Raises Trouble."""
        try:
            rate, users = float(environment.get("RATE") or 500), int(environment.get("USERS") or 50)
            shape = named(environment.get("SHAPE") or "target", rate, seconds_of(environment.get("DURATION")))
            mix = environment.get("MIX") or "plan"
            MIXES[mix]
        except ValueError as error:
            raise Trouble(f"RATE and USERS are numbers: {error}") from None
        except KeyError as error:
            raise Trouble(
                f"There is no {error}: SHAPE is smoke, target, peak, soak or knee; MIX plan or signed-in."
            ) from None
        return cls(shape, mix, users)


class Run:
    """One run of the scenario."""

    def __init__(self, stack: Stack, wishes: Wishes) -> None:
        self._stack, self._wishes = stack, wishes
        self._url = stack.url.replace("//localhost", "//127.0.0.1")
        self._pace = Pace(wishes.shape)
        self.measured = Measured()
        self._step = Measured()
        self._knee = 0.0
        self._environment = Environment(user_classes=[MIXES[wishes.mix]], host=self._url)
        self._environment.events.request.add_listener(self._note)

    def result(self) -> dict[str, object]:
        """Make the people ready, let them act, and say how it went."""
        self._invite()
        before = counters.read(self._stack)
        runner = self._environment.create_local_runner()
        history = gevent.spawn(stats_history, runner)
        self._pace.begin()
        runner.start(self._wishes.users, spawn_rate=self._wishes.users)
        self._watch()
        seconds = self._pace.elapsed
        runner.stop()
        history.kill()
        asked = self._asked(seconds)
        hit = counters.cache_hit(before, counters.read(self._stack))
        found = verdict.load_json(self.measured, seconds, asked, hit)
        if self._wishes.shape.ends_early:
            found |= {"knee": self._knee, "ok": self._knee > 0}
        if not self._wishes.shape.is_timed:
            found |= {"is_timed": False, "ok": not self.measured.reasons and self.measured.count > 0}
        return found

    def report(self) -> str:
        """Locust's own page of tables and graphs."""
        return get_html_report(self._environment)

    def _asked(self, seconds: float) -> float:
        """The mean rate that the shape asked for until now."""
        shape = self._wishes.shape
        return sum(shape.rate(second) for second in range(int(seconds) or 1)) / (int(seconds) or 1)

    def _invite(self) -> None:
        """Accounts with an app each, before the clock starts."""
        person = MIXES[self._wishes.mix]
        person.pace, person.accounts = self._pace, Accounts()
        person.postman, person.people = Postman(self._stack.mailbox_url), []

        def invite() -> None:
            member = Member(self._url, person.postman)
            person.people.append(member)
            person.accounts.add(member.account)
            say(f"{len(person.people)} of {self._wishes.users} people ready", is_passing=True)

        pool = gevent.pool.Pool(MADE_READY_AT_ONCE)
        invited = [pool.spawn(invite) for _ in range(self._wishes.users)]
        gevent.joinall(invited, raise_error=True)

    def _note(
        self, name: str, response_time: float, exception: BaseException | None = None, **_: object
    ) -> None:
        for measured in (self.measured, self._step):
            measured.add(name, response_time, exception)

    def _watch(self) -> None:
        """Show the bar until the time is over, or until the knee is behind us."""
        shape, step = self._wishes.shape, 0
        while (elapsed := self._pace.elapsed) < shape.seconds:
            self._show(elapsed)
            gevent.sleep(0.5)
            if shape.ends_early and elapsed // STEP_SECONDS > step:
                rate = shape.rate(step * STEP_SECONDS)
                per_minute = self._step.count / STEP_SECONDS * 60
                say(f"{rate:7,.0f} requests a minute asked for, {per_minute:,.0f} done: {self._words()}")
                if not self._step.is_ok or per_minute < verdict.LEAST_OF_RATE * rate:
                    return
                self._knee, step, self._step = rate, step + 1, Measured()

    def _words(self) -> str:
        rows = {name: self._step.row(name) for name, times in self._step.times.items() if times}
        return ", ".join(
            f"{name} p50 {row['p50']:.0f} p99 {row['p99']:.0f}{'' if row['ok'] else ' MISSED'}"
            for name, row in rows.items()
        )

    def _show(self, elapsed: float) -> None:
        is_terminal = sys.stdout.isatty()
        if not is_terminal and int(elapsed * 2) % (LINE_SECONDS * 2):
            return
        share = min(1.0, elapsed / self._wishes.shape.seconds)
        bar = "█" * round(share * BAR_WIDTH) + "·" * (BAR_WIDTH - round(share * BAR_WIDTH))
        recent = [t for times in self.measured.times.values() for t in times[-200:]]
        say(
            f"{bar} {elapsed:4.0f} s  {self.measured.count:,} requests, {sum(self.measured.failures.values())} failed,"
            f" p95 {verdict.percentile(recent, 0.95):.0f} ms",
            is_passing=True,
        )


def say(line: str, *, is_passing: bool = False) -> None:
    """A line for a person; at a terminal the next one overwrites a passing one."""
    if is_passing and sys.stdout.isatty():
        print(f"\r\033[Kload: {line}", end="", flush=True)
    else:
        print(f"\r\033[Kload: {line}" if sys.stdout.isatty() else f"load: {line}", flush=True)


def run(var: Path, environment: Mapping[str, str]) -> bool:
    """Run the load, write load.json and load.html, and say whether every threshold was kept. Raises Trouble."""
    wishes = Wishes.of(environment)
    stack = stacks.running(var)
    if stack is not None:
        return _on(stack, var, wishes)
    say(f"no stack runs on {var}, so one is started for this run")
    with stacks.own() as own:
        return _on(own, var, wishes)


def _on(stack: Stack, var: Path, wishes: Wishes) -> bool:
    run = Run(stack, wishes)
    result = run.result()
    verdict.write(var / "load.json", result)
    (var / "load.html").write_text(run.report())
    print(f"\n{verdict.table(result)}\n{var / 'load.json'}, {var / 'load.html'}")
    return bool(result["ok"])
