"""A published plan comes into force in every process: within a second by the bell, within five where Redis hangs."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
import requests

from loadtests import stacks
from loadtests.people import Member, Postman, Shop
from loadtests.stacks import Stack
from tests.conftest import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

WORKERS = 2  # of each of the two Gunicorns
PROMISED_MILLISECONDS = 1_000
WITHOUT_REDIS_MILLISECONDS = 5_000
EVENT = {"event": "buy", "payload": {"price": 3}}
VERDICT_OF = {"number": "valid", "text": "invalid"}


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """A stack of several workers, and of this module's own, because it is about to be hurt."""
    with stacks.own(workers=WORKERS) as stack:
        yield stack


@pytest.fixture(scope="module")
def shop(own_stack: Stack) -> Shop:
    return Member(own_stack.url, Postman(own_stack.mailbox_url)).shop


class Publisher:
    """Publishes a plan whose one event takes a number in odd versions and a text in even ones."""

    def __init__(self, stack: Stack, shop: Shop) -> None:
        self.plan = f"{stack.url}/api/apps/{shop.app_id}/plan"
        self.events = f"{stack.url}{shop.path}"
        self.shop = shop
        self.version = 0
        self.types: dict[int, str] = {}

    def publish(self) -> int:
        type_ = "number" if len(self.types) % 2 == 0 else "text"
        sheet = f"eventName,eventPayload,dataType\nbuy,price,{type_}\n"
        answer = requests.post(
            f"{self.plan}/import?format=csv&publish=true",
            data=sheet,
            headers=self.shop.reading,
            timeout=30,
        )
        self.version = answer.json()["plan_version"]
        self.types[self.version] = type_
        return self.version

    def send(self) -> tuple[int, str]:
        """The version that judged an event, and its verdict."""
        answer = requests.post(self.events, json=EVENT, headers=self.shop.sending, timeout=30).json()
        return answer["plan_version"], answer["results"][0]["verdict"]

    def enforced(self, version: int) -> dict[str, Any]:
        """In how many processes a version judges, and since when at the latest."""
        answer = requests.get(f"{self.plan}/versions", headers=self.shop.reading, timeout=30)
        return next(v for v in answer.json()["versions"] if v["version"] == version)


@pytest.fixture(scope="module")
def publisher(own_stack: Stack, shop: Shop) -> Publisher:
    return Publisher(own_stack, shop)


def is_everywhere(publisher: Publisher, version: int) -> bool:
    return publisher.enforced(version)["processes"] == 2 * WORKERS


def test_every_process_reports_within_a_second_and_no_event_is_judged_by_half_a_plan(
    publisher: Publisher,
) -> None:
    """Version and verdict belong together in every answer, however often the plan changes meanwhile."""
    publisher.publish()
    eventually(lambda: is_everywhere(publisher, publisher.version), 30)
    is_over, judged = threading.Event(), []

    def keep_sending() -> None:
        while not is_over.is_set():
            judged.append(publisher.send())

    times = []
    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(keep_sending) for _ in range(4)]
        try:
            for _ in range(5):
                version = publisher.publish()
                eventually(lambda v=version: is_everywhere(publisher, v), 30)
                times.append(publisher.enforced(version)["milliseconds"])
        finally:
            is_over.set()
        for sender in senders:
            sender.result()
    assert max(times) <= PROMISED_MILLISECONDS, times
    versions = {version for version, _ in judged}
    assert len(versions) >= 5
    assert {(v, verdict) for v, verdict in judged} == {(v, VERDICT_OF[publisher.types[v]]) for v in versions}


def test_while_redis_hangs_it_takes_longer_but_happens(own_stack: Stack, publisher: Publisher) -> None:
    servers = [psutil.Process(pid) for pid in own_stack.pids("redis")]
    for server in servers:
        server.suspend()
    try:
        version = publisher.publish()
        eventually(lambda: is_everywhere(publisher, version), 60)
        assert publisher.enforced(version)["milliseconds"] <= WITHOUT_REDIS_MILLISECONDS
    finally:
        for server in servers:
            server.resume()
    eventually(own_stack.is_ready)
    version = publisher.publish()
    eventually(lambda: is_everywhere(publisher, version), 30)
    assert publisher.send() == (version, VERDICT_OF[publisher.types[version]])
