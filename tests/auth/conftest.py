"""Visitors for the tests of the door."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from app.extensions import db
from tests.auth.visitor import Mailbox, Visitor


@pytest.fixture
def visitor(flask_app: Flask, mailbox: Mailbox) -> Visitor:
    """Somebody with a browser and an address, not registered yet."""
    return Visitor(flask_app, mailbox)


@pytest.fixture
def another(flask_app: Flask, mailbox: Mailbox) -> Callable[..., Visitor]:
    """Makes further visitors, or further browsers of the same person (`email=`)."""

    def make(email: str = "") -> Visitor:
        return Visitor(flask_app, mailbox, email)

    return make


@pytest.fixture
def statements(flask_app: Flask) -> Iterator[list[str]]:
    """The SQL statements that the product sends from here on."""
    sent: list[str] = []

    def remember(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", remember)
    yield sent
    event.remove(db.engine, "before_cursor_execute", remember)
