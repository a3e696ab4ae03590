"""Keys and settings on their pages: made and shown once, revoked, and refused with what was typed."""

import re

import pytest
from flask import Flask

from tests.auth.visitor import Mailbox, Visitor
from tests.conftest import eventually


@pytest.fixture
def person(flask_app: Flask, mailbox: Mailbox) -> Visitor:
    """Somebody signed in, with an app `mine`."""
    visitor = Visitor(flask_app, mailbox).join()
    assert visitor.submit("/dashboard/apps", name="Mine", app_id="mine").status_code == 201
    return visitor


def secret_in(page: str, kind: str) -> str:
    """The one key that a page shows."""
    (key,) = set(re.findall(kind + r"_[0-9A-Za-z]{32}", page))
    return key


def test_an_api_key_is_made_used_and_revoked_on_its_page(person: Visitor) -> None:
    shown = person.submit("/organisation/keys", name="CI", scopes="read", expires_in_days="30")
    assert shown.status_code == 201
    key = secret_in(shown.text, "lva")
    assert "curl" in shown.text
    page = person.ask("GET", "/organisation/keys").text
    assert key not in page
    assert key[:10] in page
    assert "CI" in page

    def use() -> int:
        asked = Visitor(person.flask_app)
        return asked.ask("GET", "/api/apps/mine/summary", headers={"X-API-Key": key}).status_code

    assert use() == 200
    (action,) = re.findall(r"/organisation/keys/[0-9]+/revoke", page)
    assert person.submit(action).status_code == 303
    eventually(lambda: use() == 401, 2)
    assert key[:10] not in person.ask("GET", "/organisation/keys").text


def test_a_write_key_is_made_and_revoked_on_the_settings_page(person: Visitor) -> None:
    shown = person.submit(
        "/apps/mine/keys", name="Phone", environment="qa", answers="quiet", expires_in_days=""
    )
    assert shown.status_code == 201
    key = secret_in(shown.text, "lvw")
    page = person.ask("GET", "/apps/mine/settings").text
    assert all(word in page for word in (key[:10], "Phone", "qa", "quiet"))
    action = re.findall(r"/apps/mine/keys/[0-9]+/revoke", page)[-1]
    assert person.submit(action).status_code == 303
    assert key[:10] not in person.ask("GET", "/apps/mine/settings").text


def test_nonsense_is_refused_on_the_page_and_what_was_typed_stays(person: Visitor) -> None:
    answer = person.submit("/apps/mine/keys", expires_in_days="soon")
    assert answer.status_code == 422
    assert "expires_in_days" in answer.text
    answer = person.submit("/apps/mine/settings", name="Mine", cors_origins="shop.example")
    assert answer.status_code == 422
    assert "shop.example</textarea>" in answer.text
    answer = person.submit("/organisation/keys", name="CI <b>")
    assert answer.status_code == 422
    assert "CI &lt;b&gt;" in answer.text


def test_settings_are_kept_by_their_form(person: Visitor) -> None:
    origins = "https://a.example\nhttps://b.example:8443"
    answer = person.submit(
        "/apps/mine/settings", name="Ours", cors_origins=origins, is_disabled="on", retention_days="30"
    )
    assert answer.status_code == 303
    page = person.ask("GET", "/apps/mine/settings").text
    assert "https://b.example:8443" in page
    assert "app_disabled" in page
    assert "Ours" in page
