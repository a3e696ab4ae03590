"""The same refusals through nginx: no layer in front of the product answers in another way."""

import gzip
from typing import Any

import orjson
import pytest
import requests

from tests.blackbox.test_live import Tenant
from tests.conftest import Stack
from tests.ingest.test_take import REFUSED

GOOD = {"event": "heard"}


@pytest.fixture(scope="module")
def tenant(stack: Stack) -> Tenant:
    return Tenant(stack)


def post(tenant: Tenant, body: Any, path: str = "/api/logs/live", **headers: str) -> tuple[int, str]:
    """The status and code of the answer."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    json_type = {"Content-Type": "application/json"}
    answer = requests.post(
        tenant.url + path, data=data, headers=json_type | tenant.sending | headers, timeout=20
    )
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["message"]
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_body_is_refused_with_its_code(tenant: Tenant, case: str) -> None:
    body, code, status = REFUSED[case]
    assert post(tenant, body) == (status, code)


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Authorization": ""}, GOOD, 401, "missing_key"),
        ({"Authorization": "Bearer lvw_" + "0" * 32}, GOOD, 401, "bad_key"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", 415, "unsupported_media_type"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"\0" * 50_000_000), 413, "too_large"),
        ({"Content-Encoding": "br"}, b"x", 415, "unsupported_media_type"),
        ({}, b"x" * 7_000_000, 413, "too_large"),
    ],
    ids=["no key", "wrong key", "multipart", "gzip bomb", "brotli", "7 MB"],
)
def test_bad_headers_are_refused(
    tenant: Tenant, headers: dict[str, str], body: Any, status: int, code: str
) -> None:
    assert post(tenant, body, **headers) == (status, code)


def test_an_unknown_app_and_a_key_in_the_url_are_refused(tenant: Tenant) -> None:
    assert post(tenant, GOOD, path="/api/logs/nobody") == (404, "unknown_app")
    assert post(tenant, GOOD, path="/api/logs/live?write_key=x") == (400, "key_in_url")


def test_after_all_of_it_a_good_event_is_kept(tenant: Tenant) -> None:
    tenant.send("after-the-storm")
