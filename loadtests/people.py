"""The people of a run: each with an address on the loopback, an account, an app of their own, and mail."""

import json
import re
import secrets
import time
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Any

import gevent
import requests
from gevent.event import Event
from requests.adapters import HTTPAdapter

from local.demo import CODE, Trouble
from local.program import PROJECT

ANSWER_SECONDS = 30
MAIL_SECONDS = 30.0
LOOK_SECONDS = 0.2
# Of the five codes that an address may ask for in an hour (app/store/challenges.py); one stays in reserve.
SIGN_INS_PER_ACCOUNT = 4
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
SHOP_PLAN = PROJECT / "local" / "shop.csv"


@dataclass(frozen=True)
class Account:
    """What signs in."""

    email: str
    password: str

    @classmethod
    def new(cls) -> "Account":
        return cls(f"load-{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(18))


class Accounts:
    """Accounts that may still sign in within their hour. Registrations bring new ones."""

    def __init__(self) -> None:
        self._usable: deque[tuple[Account, int]] = deque()  # with how often it still may

    def add(self, account: Account) -> None:
        self._usable.append((account, SIGN_INS_PER_ACCOUNT))

    def next(self) -> Account:
        """The one that waited longest. Raises Trouble where none is left: the run is to stay within the limits."""
        if not self._usable:
            raise Trouble("No account may sign in any more within this hour; start with more USERS.")
        account, left = self._usable.popleft()
        if left > 1:  # behind all others: two sign-ins of one account at once would end each other's codes
            self._usable.append((account, left - 1))
        return account


class Postman:
    """Looks into the mailbox for all who wait for a code, and only while somebody does."""

    def __init__(self, mailbox_url: str) -> None:
        self._url = f"{mailbox_url}/messages.json"
        self._http = requests.Session()
        self._waiting: dict[str, tuple[str, Event]] = {}
        self._codes: dict[str, str] = {}
        self._round: gevent.Greenlet | None = None

    def code(self, email: str, not_before: str) -> str:
        """The newest code mailed to the address after that moment (as `now` said it). Raises Trouble."""
        came = Event()
        self._waiting[email] = (not_before, came)
        if self._round is None or self._round.dead:
            self._round = gevent.spawn(self._go_round)
        if not came.wait(timeout=MAIL_SECONDS):
            self._waiting.pop(email, None)
            raise Trouble(f"no code for {email} within {MAIL_SECONDS:.0f} s")
        return self._codes.pop(email)

    def newest_at(self) -> str:
        """When the newest mail came; "" for an empty box."""
        mails = self._mails()
        return mails[0]["received_at"] if mails else ""

    def _go_round(self) -> None:
        while self._waiting:
            for mail in self._mails():
                not_before, came = self._waiting.get(mail["to"], ("", None))
                if (
                    came is not None
                    and mail["received_at"] > not_before
                    and (found := CODE.search(mail["text"]))
                ):
                    self._codes[mail["to"]] = found.group()
                    del self._waiting[mail["to"]]
                    came.set()
            gevent.sleep(LOOK_SECONDS)

    def _mails(self) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self._http.get(self._url, timeout=ANSWER_SECONDS).json()
        return answer


class FromAddress(HTTPAdapter):
    """Connections that come from one address of the loopback, as each person has one."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # type: ignore[override]
        super().init_poolmanager(*arguments, source_address=(self._address, 0), **options)


_numbers = count(2)


def next_address() -> str:
    """127.0.x.y, another one each time."""
    number = next(_numbers)
    return f"127.0.{1 + number // 250 % 250}.{1 + number % 250}"


def token_in(page: str) -> str:
    """The form's CSRF token. Raises Trouble where the page has none."""
    if (found := TOKEN.search(page)) is None:
        raise Trouble("a page of the door has no form")
    return found[1]


@dataclass(frozen=True)
class Shop:
    """An app with its keys, in the organisation of whoever made it."""

    app_id: str
    write_key: str
    api_key: str

    @property
    def path(self) -> str:
        return f"/api/logs/{self.app_id}"

    @property
    def sending(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.write_key}", "Content-Type": "application/json"}

    @property
    def reading(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}


def open_shop(browser: requests.Session, url: str) -> Shop:
    """With a signed-in browser: an app, its keys and the shop's plan. Raises Trouble."""

    def post(path: str, body: Any) -> Any:
        answer = browser.post(f"{url}{path}", json=body, headers=headers, timeout=ANSWER_SECONDS)
        if not answer.ok:
            raise Trouble(f"{path} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    token = browser.get(f"{url}/auth/csrf", timeout=ANSWER_SECONDS).json()["csrf_token"]
    headers = {"X-CSRF-Token": token, "Origin": url}
    app = post("/api/apps", {"name": "Load", "app_id": f"load-{secrets.token_hex(4)}"})
    key = post("/api/keys", {"scopes": ["read", "manage"]})["api_key"]
    shop = Shop(app["app_id"], app["write_key"], key)
    answer = requests.post(
        f"{url}/api/apps/{shop.app_id}/plan/import?format=csv&publish=true",
        data=SHOP_PLAN.read_bytes(),
        headers=shop.reading,
        timeout=ANSWER_SECONDS,
    )
    if not answer.ok:
        raise Trouble(f"The plan was refused: {answer.text[:300]}")
    return shop


def sign_up(browser: requests.Session, url: str, postman: Postman, account: Account) -> None:
    """Register and come back with the code, as a program does. Raises Trouble."""
    for path, body in (
        ("/auth/register", {"email": account.email, "password": account.password}),
        ("/auth/verify", {"email": account.email}),
    ):
        if path == "/auth/verify":
            body["code"] = postman.code(account.email, "")
        token = browser.get(f"{url}/auth/csrf", timeout=ANSWER_SECONDS).json()["csrf_token"]
        answer = browser.post(
            f"{url}{path}",
            json=body,
            headers={"X-CSRF-Token": token, "Origin": url},
            timeout=ANSWER_SECONDS,
        )
        if not answer.ok:
            raise Trouble(f"{path} answered {answer.status_code}: {answer.text[:300]}")


def event(message_id: str | None = None, **payload: Any) -> bytes:
    """An event of the shop that fits its plan, as JSON; without a message id unless one is given."""
    fields = {"product_id": "P-1001", "name": "Canvas backpack", "price": 59.0, "currency": "EUR"}
    return json.dumps(
        {
            "eventName": "product_viewed",
            **({"messageId": message_id} if message_id else {}),
            "payload": {**fields, **payload},
            "platform": "android",
            "appVersion": "4.2.1",
            "sessionId": "s-load",
            "eventTime": int(time.time() * 1000),
        }
    ).encode()


class Member:
    """A person made ready: address, account, signed-in browser, an app of their own."""

    def __init__(self, url: str, postman: Postman) -> None:
        self.address = next_address()
        self.account = Account.new()
        self.browser = requests.Session()
        self.browser.mount("http://", FromAddress(self.address))
        sign_up(self.browser, url, postman, self.account)
        self.shop: Shop = open_shop(self.browser, url)
