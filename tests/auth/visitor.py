"""A visitor at the door: a browser with its own cookies, by form or by JSON, and the mail it gets."""

import contextvars
import re
import secrets
import string
from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.jobs.queues import Queue
from app.jobs.run import drain

PASSWORD = "seven quiet otters paint"
Mailbox = Callable[[str], list[dict[str, str]]]


def new_address() -> str:
    """An address that no other test writes to; without digits, in which a code could be found."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(12)) + "@example.com"


def do_jobs(flask_app: Flask, queue: Queue = Queue.CRITICAL) -> None:
    """Do what waits, as the queue's worker would."""
    with flask_app.app_context():
        drain(queue)


def code_in(mail: dict[str, str]) -> str:
    """The one code of a mail."""
    (code,) = re.findall(r"\d{6,}", mail["text"])
    return code


class Visitor:
    """One browser."""

    def __init__(self, flask_app: Flask, mailbox: Mailbox | None = None, email: str = "") -> None:
        self.flask_app = flask_app
        self.client = flask_app.test_client()
        self.mailbox = mailbox
        self.email = email or new_address()

    def ask(self, method: str, path: str, **what: Any) -> TestResponse:
        """A request as from outside: nothing of the test's own app context is seen by it."""
        return contextvars.Context().run(self.client.open, path, method=method, **what)

    def token(self) -> str:
        """The CSRF token of this browser's session."""
        return self.ask("GET", "/auth/csrf").get_json()["csrf_token"]

    def post(self, path: str, fields: Any = None, **headers: str) -> TestResponse:
        """POST JSON with the token (X_CSRF_Token="" leaves it out)."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if "X-CSRF-Token" not in given:
            given["X-CSRF-Token"] = self.token()
        return self.ask("POST", path, json=fields or {}, headers=given)

    def submit(self, path: str, **fields: str) -> TestResponse:
        """POST a form with the token."""
        return self.ask("POST", path, data={**fields, "csrf_token": self.token()})

    def register(self, password: str = PASSWORD) -> TestResponse:
        return self.post("/auth/register", {"email": self.email, "password": password})

    def login(self, password: str = PASSWORD) -> TestResponse:
        return self.post("/auth/login", {"email": self.email, "password": password})

    def verify(self, code: Any, **headers: str) -> TestResponse:
        return self.post("/auth/verify", {"email": self.email, "code": code}, **headers)

    def mailed_code(self) -> str:
        """Have the waiting mails sent, and read the newest code."""
        do_jobs(self.flask_app)
        assert self.mailbox is not None
        return code_in(next(m for m in self.mailbox(self.email) if re.search(r"\d{6,}", m["text"])))

    def join(self) -> "Visitor":
        """Register and verify; signed in afterwards."""
        assert self.register().status_code == 202
        assert self.verify(self.mailed_code()).status_code == 200
        return self

    def is_signed_in(self) -> bool:
        return self.ask("GET", "/dashboard").status_code == 200

    @property
    def cookie(self) -> str | None:
        found = self.client.get_cookie("session")
        return found.value if found else None
