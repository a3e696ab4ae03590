"""Every route asks who is there, but for the few that are written down here."""

import pytest
from flask import Flask

from app import create_app
from app.auth.require import Permission
from app.config import Settings

OPEN = {
    "static",
    "pages.home",
    "health.alive",
    "health.ready",
    "health.show_metrics",
    "auth.csrf",
    "auth.show_login",
    "auth.login",
    "auth.show_register",
    "auth.register",
    "auth.show_verify",
    "auth.verify",
    "auth.logout",
    "organisation.show_invitation",
}


@pytest.fixture(scope="module")
def plain_app() -> Flask:
    """The floor plan alone: assembling connects to nothing."""
    return create_app(
        Settings(
            secret_key="k" * 32,
            database_url="postgresql:///x",
            ingest_database_url="postgresql:///x",
            redis_url="unix:///x",
            redis_cache_url="unix:///x",
            mail_url="smtp://localhost:1",
            public_url="http://localhost",
        )
    )


def test_every_route_is_guarded_or_on_the_list(plain_app: Flask) -> None:
    for rule in plain_app.url_map.iter_rules():
        view = plain_app.view_functions[rule.endpoint]
        guarded = isinstance(getattr(view, "required", None), Permission)
        assert guarded != getattr(view, "open_door", False), f"{rule} is neither guarded nor open, or both"
        assert getattr(view, "open_door", False) == (rule.endpoint in OPEN), rule


def test_only_write_keys_open_the_front_door(plain_app: Flask) -> None:
    sending = {
        rule.rule
        for rule in plain_app.url_map.iter_rules()
        if getattr(plain_app.view_functions[rule.endpoint], "required", None) is Permission.SEND
    }
    assert sending == {"/api/logs", "/api/logs/<app_id>", "/api/logs/<app_id>/validate"}


def test_nothing_changes_by_get(plain_app: Flask) -> None:
    """A view that changes something has no GET of its own."""
    for rule in plain_app.url_map.iter_rules():
        required = getattr(plain_app.view_functions[rule.endpoint], "required", None)
        if required in (Permission.SEND,):
            assert "GET" not in (rule.methods or ()), rule
