"""Visitors for the tests of the door."""

from collections.abc import Callable

import pytest
from flask import Flask

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
