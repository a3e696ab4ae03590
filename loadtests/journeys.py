"""What the people do: sign in, register, send events, look at the dashboard, in the weights of the plan."""

import secrets
from typing import Any

from locust import HttpUser, constant, task
from locust.clients import HttpSession

from loadtests.pace import Pace
from loadtests.people import (
    Account,
    Accounts,
    FromAddress,
    Member,
    Postman,
    event,
    token_in,
)
from loadtests.verdict import DASHBOARD, LOGIN, LOGS, REGISTER


class Person(HttpUser):
    """One person with one address, signed in before the clock starts. The run gives all of them what they share."""

    abstract = True
    wait_time = constant(0)
    pace: Pace
    accounts: Accounts
    postman: Postman
    people: list[Member]

    def on_start(self) -> None:
        member = self.people.pop()
        self.member = member
        self.client.mount("http://", FromAddress(member.address))
        self.client.cookies.update(member.browser.cookies)

    def look(self) -> None:
        """The dashboard, signed in."""
        self.pace.turn(1)
        self.client.get(DASHBOARD, name=DASHBOARD, allow_redirects=False)

    def send(self) -> None:
        """One event."""
        self.pace.turn(1)
        body = event(secrets.token_hex(16))
        self.client.post(self.member.shop.path, data=body, headers=self.member.shop.sending, name=LOGS)

    def sign_in(self) -> None:
        """The page, the password, the mailed code: as somebody whose browser is not known yet."""
        self.pace.turn(3)
        self._enter(LOGIN, self.accounts.next())

    def register(self) -> None:
        """The page, the new account, the mailed code."""
        self.pace.turn(3)
        account = Account.new()
        self._enter(REGISTER, account)
        self.accounts.add(account)

    def _enter(self, door: str, account: Account) -> None:
        """Through a door's three steps. Whoever does not get on says so, and stays out."""
        browser = HttpSession(
            base_url=self.host, request_event=self.environment.events.request, user=self, pool_manager=None
        )
        browser.mount("http://", FromAddress(self.member.address))
        page = browser.get(door, name=door)
        if not page.ok:
            return
        asked_at = self.postman.newest_at()
        form = {"csrf_token": token_in(page.text), "email": account.email}
        if not self._post(browser, door, door, {**form, "password": account.password}):
            return
        code = self.postman.code(account.email, asked_at)
        self._post(browser, "/auth/verify", door, {**form, "code": code})

    def _post(self, browser: HttpSession, path: str, name: str, form: dict[str, Any]) -> bool:
        """A form; only a redirect means that it was taken."""
        with browser.post(
            path,
            data=form,
            headers={"Origin": self.host},
            name=name,
            allow_redirects=False,
            catch_response=True,
        ) as answer:
            if answer.status_code != 303:
                answer.failure(f"{path} answered {answer.status_code}")
                return False
            answer.success()
            return True


class Visitor(Person):
    """The plan's scenario. Weights are of journeys."""

    @task(20)
    def sign_in(self) -> None:
        super().sign_in()

    @task(10)
    def register(self) -> None:
        super().register()

    @task(40)
    def send(self) -> None:
        super().send()

    @task(30)
    def look(self) -> None:
        super().look()


class SignedIn(Person):
    """The same people once they are in: they send and look."""

    @task(57)
    def send(self) -> None:
        super().send()

    @task(43)
    def look(self) -> None:
        super().look()


MIXES: dict[str, type[Person]] = {"plan": Visitor, "signed-in": SignedIn}
