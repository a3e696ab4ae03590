"""The pages: who may see which, how many questions each asks, and that nothing stored becomes markup."""

import json
import re
from typing import Any

import gevent
import psycopg2
import pytest
from flask import Flask

from tests.auth.visitor import Mailbox, Visitor

SHEET = b"eventName,eventPayload,dataType,required\nview,sku,text,true\nview,price,number,false\n"
PAGES = ("", "/plan", "/settings")
PAGE_DATA = re.compile(r'<script type="application/json" id="page-data">(.*?)</script>', re.DOTALL)


class Owner(Visitor):
    """A signed-in person with an app."""

    def make_app(self, slug: str) -> str:
        """Make an app; returns its write key."""
        answer = self.post("/api/apps", {"name": slug.title(), "app_id": slug})
        assert answer.status_code == 201, answer.text
        return answer.get_json()["write_key"]

    def send(self, slug: str, key: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {key}"}
        answer = self.flask_app.test_client().post(f"/api/logs/{slug}", json=events, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.get_json()["results"]

    def page(self, path: str) -> str:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
def alice(flask_app: Flask, mailbox: Mailbox) -> Owner:
    alice = Owner(flask_app, mailbox)
    alice.join()
    return alice


def questions(alice: Owner, statements: list[str], path: str) -> int:
    """How many statements a page needs, besides asking at most twice a second whether the session lives."""
    statements.clear()
    alice.page(path)
    return sum("auth_sessions" not in statement for statement in statements)


def test_the_dashboard_asks_the_same_of_one_app_and_of_twelve(alice: Owner, statements: list[str]) -> None:
    alice.send("first", alice.make_app("first"), [{"event": "view"}])
    before = questions(alice, statements, "/dashboard")
    for number in range(11):
        slug = f"app-{number}"
        alice.send(slug, alice.make_app(slug), [{"event": "view"}])
    assert questions(alice, statements, "/dashboard") == before <= 6


@pytest.mark.parametrize("part", PAGES)
def test_an_apps_pages_ask_the_same_of_no_event_and_of_many(
    alice: Owner, statements: list[str], part: str
) -> None:
    key = alice.make_app("shop")
    before = questions(alice, statements, f"/apps/shop{part}")
    alice.send("shop", key, [{"event": f"name {number}"} for number in range(300)])
    assert questions(alice, statements, f"/apps/shop{part}") == before <= 6


def test_a_card_counts_and_rates_what_came(alice: Owner) -> None:
    key = alice.make_app("shop")
    token = alice.token()
    alice.ask(
        "POST",
        "/api/apps/shop/plan/import?format=csv&publish=true",
        data=SHEET,
        headers={"X-CSRF-Token": token},
        content_type="text/csv",
    )
    valid = {"event": "view", "payload": {"sku": "a"}}
    alice.send("shop", key, [valid, valid, {"event": "view"}, {"event": "else"}])
    page = alice.page("/dashboard")
    assert "66.6%" in page
    assert "<strong>2</strong> valid" in page
    assert "<strong>1</strong> invalid" in page
    assert "<strong>1</strong> unplanned" in page


def test_somebody_elses_app_answers_as_one_that_never_was(
    alice: Owner, flask_app: Flask, mailbox: Mailbox
) -> None:
    key = alice.make_app("shop")
    (result,) = alice.send("shop", key, [{"event": "view"}])
    charlie = Visitor(flask_app, mailbox).join()
    for part in (*PAGES, f"/events/{result['event_id']}"):
        foreign = charlie.ask("GET", f"/apps/shop{part}")
        unknown = charlie.ask("GET", f"/apps/nowhere{part}")
        assert foreign.status_code == unknown.status_code == 404
        assert without_ids(foreign.text) == without_ids(unknown.text)


def without_ids(page: str) -> str:
    return re.sub(r"request [\w-]+", "", page)


def test_a_viewer_is_not_offered_what_only_managers_may(
    alice: Owner, owner: psycopg2.extensions.connection
) -> None:
    alice.make_app("shop")
    with owner.cursor() as cursor:
        cursor.execute("UPDATE memberships SET role = 'viewer'")
    viewer = Owner(alice.flask_app, alice.mailbox, alice.email)
    viewer.login()
    viewer.verify(viewer.mailed_code())
    assert "/apps/shop/settings" not in viewer.page("/apps/shop")
    assert "New app" not in viewer.page("/dashboard")
    assert 'id="plan-upload"' not in viewer.page("/apps/shop/plan")
    assert viewer.ask("GET", "/apps/shop/settings").status_code == 403
    assert viewer.submit("/apps/shop/keys").status_code == 403


def test_the_event_in_the_page_cannot_end_its_script(alice: Owner) -> None:
    name = "</script><script>alert(1)</script><!--"
    (result,) = alice.send("shop", alice.make_app("shop"), [{"event": name, "payload": {name: 12.0}}])
    page = alice.page(f"/apps/shop/events/{result['event_id']}")
    (data,) = PAGE_DATA.findall(page)
    entry = json.loads(data)["entry"]
    assert (entry["name"], entry["payload"]) == (name, {name: 12.0})
    assert "<script>alert" not in page
    assert "12.0" in data


def test_a_new_key_works_beside_the_old_and_is_shown_once(alice: Owner) -> None:
    old = alice.make_app("shop")
    answer = alice.submit("/apps/shop/keys")
    assert answer.status_code == 201
    (new, *_) = re.findall(r"lvw_\w{32}", answer.text)
    assert new != old
    for key in (old, new):
        alice.send("shop", key, [{"event": "view"}])
    settings = alice.page("/apps/shop/settings")
    assert new not in settings
    assert new[:10] in settings


def test_a_schemas_events_wait_with_their_fields_until_opened(alice: Owner) -> None:
    alice.make_app("shop")
    bundle = {"push": {"type": "object", "properties": {"ref": {"type": "string"}}, "required": ["ref"]}}
    alice.ask(
        "POST",
        "/api/apps/shop/plan/import?format=json-schema&publish=true",
        json=bundle,
        headers={"X-CSRF-Token": alice.token()},
    )
    page = alice.page("/apps/shop/plan")
    (address,) = re.findall(r'data-expected="([^"]+)"', page)
    fields = alice.ask("GET", address).get_json()["fields"]
    assert fields == [{"path": "ref", "type": "text", "required": True}]


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\x00b"])
def test_a_bad_name_comes_back_with_its_reason(alice: Owner, name: str) -> None:
    answer = alice.submit("/dashboard/apps", name=name, app_id="")
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


def test_pages_are_not_kept_by_anybody(alice: Owner) -> None:
    alice.make_app("shop")
    answer = alice.ask("GET", "/apps/shop")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_many_live_pages_at_once_do_not_wait_for_each_other(alice: Owner) -> None:
    """Each holds one connection at most: with a second one, as many pages as the pool is large would block it."""
    alice.make_app("shop")
    pages = [gevent.spawn(alice.ask, "GET", "/apps/shop") for _ in range(24)]
    gevent.joinall(pages, raise_error=True)
    assert [page.value.status_code for page in pages] == [200] * 24
