"""/account: a person's own page."""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.auth.visitor import PASSWORD, Visitor, do_jobs

NEW_PASSWORD = "nine loud badgers sing"


def test_the_page_says_who_one_is_and_where_one_belongs(visitor: Visitor) -> None:
    visitor.join()
    answer = visitor.ask("GET", "/account")
    assert answer.status_code == 200
    assert f"<dd>{visitor.email}</dd>" in answer.text
    assert "as owner" in answer.text


def test_every_page_leads_to_it(visitor: Visitor) -> None:
    visitor.join()
    assert 'href="/account"' in visitor.ask("GET", "/dashboard").text


def change(who: Visitor, current: str = PASSWORD, password: str = NEW_PASSWORD) -> TestResponse:
    return who.submit("/account/password", current=current, password=password)


def test_the_password_is_changed_with_the_one_there_is(
    visitor: Visitor, another: Callable[..., Visitor]
) -> None:
    visitor.join()
    answer = change(visitor)
    assert (answer.status_code, answer.location) == (303, "/account?done=password")
    assert "Your password is changed" in visitor.ask("GET", answer.location).text
    assert another(visitor.email).login().status_code == 401
    assert another(visitor.email).login(NEW_PASSWORD).status_code == 202


@pytest.mark.parametrize(
    ("current", "password", "field"),
    [
        ("eight slow turtles hum", NEW_PASSWORD, "current"),
        ("", NEW_PASSWORD, "current"),
        (PASSWORD, "password1234", "password"),
        (PASSWORD, "too short", "password"),
    ],
)
def test_the_reason_why_not_stands_beside_its_field_and_nothing_changed(
    visitor: Visitor, another: Callable[..., Visitor], current: str, password: str, field: str
) -> None:
    visitor.join()
    answer = change(visitor, current, password)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert password not in answer.text
    assert visitor.is_signed_in()
    assert another(visitor.email).login().status_code == 202


def test_ones_organisations_name_is_no_password(visitor: Visitor) -> None:
    visitor.join()
    assert visitor.submit("/organisation/rename", name="Wandering Otters of Bavaria").status_code == 303
    assert change(visitor, password="wandering otters of bavaria").status_code == 422
    assert change(visitor, password="wandering turtles of bavaria").status_code == 303


def test_a_change_ends_every_other_session_and_tells_the_owner(
    visitor: Visitor, another: Callable[..., Visitor], owner: Any
) -> None:
    visitor.join()
    elsewhere = another(visitor.email)
    elsewhere.login()
    assert elsewhere.verify(elsewhere.mailed_code()).status_code == 200
    before = visitor.cookie
    assert change(visitor).status_code == 303
    visitor.flask_app.extensions["live_sessions"]._remembered.clear()
    assert visitor.is_signed_in()
    assert visitor.cookie != before, "a new session id"
    assert not elsewhere.is_signed_in()
    do_jobs(visitor.flask_app)
    assert visitor.mailbox is not None
    assert visitor.mailbox(visitor.email)[0]["subject"] == "Your password was changed"
    with owner.cursor() as cursor:
        cursor.execute("SELECT who, details FROM audit_log WHERE action = 'account_changed'")
        assert cursor.fetchall() == [(visitor.email, {"by": "password"})]
