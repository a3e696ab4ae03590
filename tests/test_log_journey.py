"""The stack's lines: joined by the request's id from nginx to the job, and silent of what is nobody's business."""

import re
import secrets
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from loadtests.people import FromAddress
from local.demo import Client, make_api_key, make_app
from tests.conftest import Stack, eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

ADDRESS = "127.83.61.97"
ID = "X-Request-Id"


@pytest.fixture
def person(stack: Stack) -> Client:
    """Somebody at an address that is nobody else's."""
    client = Client(stack.url, stack.mailbox_url)
    client.http.mount("http://", FromAddress(ADDRESS))
    client.http.headers["User-Agent"] = "agent-canary-4d1"
    return client


def lines_of(stack: Stack, name: str, request_id: str) -> list[dict[str, Any]]:
    """The lines of all logs whose file begins with `name` that belong to the request."""
    found = []
    for path in (Path(stack.var) / "log").glob(f"{name}*.log"):
        found += [line for line in path.read_bytes().splitlines() if request_id.encode() in line]
    return [line for line in map(orjson.loads, found) if line["request_id"] == request_id]


def mailed(stack: Stack, email: str, pattern: str) -> str:
    def look() -> str | None:
        mails = requests.get(f"{stack.mailbox_url}/messages.json", timeout=10).json()
        found = (re.search(pattern, mail["text"]) for mail in mails if mail["to"] == email)
        return next((match.group(1) for match in found if match), None)

    return str(eventually(look))


def test_a_request_is_found_by_its_id_in_nginx_the_product_and_the_job_it_caused(
    stack: Stack, person: Client
) -> None:
    email = f"join-{secrets.token_hex(4)}@example.com"
    person.refresh_token()
    answer = person.http.post(
        f"{stack.url}/auth/register",
        json={"email": email, "password": secrets.token_urlsafe(18)},
        headers=person.headers,
        timeout=30,
    )
    assert answer.status_code == 202
    request_id = answer.headers[ID]
    (edge,) = eventually(lambda: lines_of(stack, "access", request_id))  # type: ignore[misc]
    own = eventually(lambda: lines_of(stack, "gunicorn", request_id))
    (job,) = eventually(lambda: lines_of(stack, "worker", request_id))  # type: ignore[misc]
    assert (edge["event"], edge["level"], edge["path"], edge["status"]) == (
        "edge_answered", "info", "/auth/register", 202,
    )  # fmt: skip
    assert [line["event"] for line in own] == ["request_answered"]  # type: ignore[attr-defined]
    assert (job["event"], job["job"], job["outcome"]) == ("job_ended", "mail_code", "done")
    assert all({"at", "level", "event"} <= line.keys() for line in (edge, *own, job))  # type: ignore[misc]


def test_a_whole_journey_leaves_nothing_private_in_any_log(stack: Stack, person: Client) -> None:
    email, guest = (f"{who}-{secrets.token_hex(4)}@example.com" for who in ("private", "guest"))
    password, next_password = secrets.token_urlsafe(18), secrets.token_urlsafe(18)
    payload, query, rule = (f"canary-{secrets.token_hex(6)}" for _ in range(3))
    person.register(email, password)
    code = mailed(stack, email, r"\b(\d{6,})\b")
    api_key, app = make_api_key(person), make_app(person, "shop", "Shop")
    sending = {"Authorization": f"Bearer {app['write_key']}"}
    reading = {"Authorization": f"Bearer {api_key}"}

    plan = f"event,property,type\ntap,{rule},string\n".encode()
    path = f"{stack.url}/api/apps/shop/plan/import?format=csv&publish=true&note={query}"
    person.http.post(path, data=plan, headers=reading, timeout=30)
    for body in (
        {"eventName": "tap", "payload": {"text": payload}, "identity": payload},
        {"payload": payload},
        f"{{{payload}".encode(),
        [{"eventName": payload, "payload": {}}],
    ):
        given = {"data": body} if isinstance(body, bytes) else {"json": body}
        url = (
            f"{stack.url}/api/logs/shop?key={query}"
            if isinstance(body, list)
            else f"{stack.url}/api/logs/shop"
        )
        person.http.post(url, headers=sending, timeout=30, **given)  # type: ignore[arg-type]
    person.http.get(f"{stack.url}/dashboard?search={query}", timeout=30)
    person.post("/api/members/invitations", {"email": guest, "role": "viewer"})
    invitation = mailed(stack, guest, r"http\S+#(\S+)")
    forgot = person.http.post(
        f"{stack.url}/auth/forgot", json={"email": email}, headers=person.headers, timeout=30
    )
    reset = mailed(stack, email, r"http\S+/auth/reset#(\S+)")
    person.post("/auth/reset", {"token": reset, "password": next_password})
    cookie = person.http.cookies.get("session") or "no-cookie"
    last = person.http.get(f"{stack.url}/health/nothing", timeout=30).headers[ID]
    eventually(lambda: lines_of(stack, "worker", forgot.headers[ID]))
    eventually(lambda: lines_of(stack, "gunicorn", last))

    private = {
        "mail address": email, "guest": guest, "password": password, "new password": next_password,
        "api key": api_key, "write key": app["write_key"], "payload": payload, "query": query,
        "rule": rule, "invitation": invitation, "reset link": reset, "cookie": cookie,
        "address": ADDRESS, "agent": "agent-canary-4d1", "code": code,
    }  # fmt: skip
    logs = {p.name: p.read_text(errors="replace") for p in (Path(stack.var) / "log").iterdir() if p.is_file()}
    assert {"access.log", "gunicorn-1.log", "worker.log", "nginx.log"} <= logs.keys()
    assert [
        (what, name) for what, word in private.items() for name, text in logs.items() if word in text
    ] == []
