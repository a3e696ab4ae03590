"""A published plan is enforced by every instance within a second."""

import io
import time

import openpyxl
import requests

from tests.blackbox.test_live import Tenant
from tests.conftest import Stack, eventually

PROMISED_SECONDS = 1.0
WATCHED_SECONDS = 1.5


def publish(tenant: Tenant, type_: str) -> int:
    sheet = f"eventName,eventPayload,dataType\nbuy,price,{type_}\n".encode()
    url = f"{tenant.url}/api/apps/live/plan/import?format=csv&publish=true"
    return requests.post(url, data=sheet, headers=tenant.managing, timeout=10).json()["plan_version"]


def send(tenant: Tenant) -> tuple[int, str]:
    """The version that judged a number, and its verdict."""
    event = {"event": "buy", "payload": {"price": 3}}
    url = f"{tenant.url}/api/logs/live"
    answer = requests.post(url, json=event, headers=tenant.sending, timeout=10).json()
    return answer["plan_version"], answer["results"][0]["verdict"]


def test_what_is_sent_a_second_after_publishing_is_judged_by_the_new_version(stack: Stack) -> None:
    tenant = Tenant(stack)
    first = publish(tenant, "number")
    for _ in range(20):  # both instances know the first version now
        send(tenant)
    second = publish(tenant, "text")
    published_at = time.monotonic()
    judged: list[tuple[float, int, str]] = []
    while (after := time.monotonic() - published_at) < WATCHED_SECONDS:
        judged.append((after, *send(tenant)))
    assert {(version, verdict) for _, version, verdict in judged} <= {(first, "valid"), (second, "invalid")}
    late = [version for after, version, _ in judged if after > PROMISED_SECONDS]
    assert late
    assert set(late) == {second}


def test_a_workbook_is_read_beside_the_loop_and_published(stack: Stack) -> None:
    tenant = Tenant(stack)
    file = io.BytesIO()
    book = openpyxl.Workbook()
    for row in (("eventName", "eventPayload", "dataType"), ("buy", "price", "text")):
        book.worksheets[0].append(row)
    book.save(file)
    url = f"{tenant.url}/api/apps/live/plan/import?format=xlsx&publish=true"
    answer = requests.post(url, data=file.getvalue(), headers=tenant.managing, timeout=10)
    assert (answer.status_code, answer.json()["events"]) == (200, 1)
    eventually(lambda: send(tenant) == (answer.json()["plan_version"], "invalid"))
