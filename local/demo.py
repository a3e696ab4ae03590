"""`make demo`: two apps with real plans on a running stack, GitHub's real examples, and phones that keep sending."""

import json
import os
import random
import re
import secrets
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from local import github
from local.shop import Phone

MAIL_WAIT_SECONDS = 30.0
ANSWER_SECONDS = 30.0
PAUSE_SECONDS = 0.15  # between two events of the phones together
EXAMPLES_PER_REQUEST = 20
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
CODE = re.compile(r"\b\d{8}\b")


class Trouble(Exception):
    """Why the demo cannot go on, in one line."""


class Client:
    """A person's browser, as far as a demo needs one: cookies, the CSRF token and an Origin."""

    def __init__(self, url: str, mailbox_url: str) -> None:
        self.url, self.mailbox_url = url, mailbox_url
        self.http = requests.Session()
        self.headers: dict[str, str] = {"Origin": url}

    def register(self, email: str, password: str) -> None:
        """Make the account and sign in with the mailed code."""
        self.refresh_token()
        self.post("/auth/register", {"email": email, "password": password})
        self.post("/auth/verify", {"email": email, "code": self.mailed_code(email)})
        self.refresh_token()

    def refresh_token(self) -> None:
        self.headers["X-CSRF-Token"] = self.http.get(f"{self.url}/auth/csrf", timeout=ANSWER_SECONDS).json()[
            "csrf_token"
        ]

    def post(self, path: str, body: Any) -> Any:
        """POST JSON; raises Trouble with the product's own words where it refuses."""
        answer = self.http.post(f"{self.url}{path}", json=body, headers=self.headers, timeout=ANSWER_SECONDS)
        if not answer.ok:
            raise Trouble(f"{path} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def mailed_code(self, email: str) -> str:
        """The newest code that the mailbox has for this address."""
        ends_at = time.monotonic() + MAIL_WAIT_SECONDS
        while time.monotonic() < ends_at:
            mails = requests.get(f"{self.mailbox_url}/messages.json", timeout=ANSWER_SECONDS).json()
            codes = (CODE.search(mail["text"]) for mail in mails if mail["to"] == email)
            if found := next(filter(None, codes), None):
                return found.group()
            time.sleep(0.1)
        raise Trouble(
            f"No code arrived in the mailbox at {self.mailbox_url} within {MAIL_WAIT_SECONDS:.0f} s."
        )


def prepare(stack: dict[str, Any]) -> dict[str, Any]:
    """Make both organisations, their apps, plans and keys; returns the content of demo.json."""
    client = Client(stack["url"], stack["mailbox_url"])
    email, password = f"demo-{secrets.token_hex(3)}@example.com", secrets.token_urlsafe(18)
    client.register(email, password)
    say(f"made the account {email}")
    demo = {
        "url": stack["url"],
        "mailbox_url": stack["mailbox_url"],
        "email": email,
        "password": password,
        "api_key": make_api_key(client),
        "apps": [make_app(client, "github", "GitHub webhooks"), make_app(client, "shop", "Mobile shop")],
    }
    publish(demo, "github", "json-schema", json.dumps(github.bundle()).encode())
    publish(demo, "shop", "csv", (Path(__file__).parent / "shop.csv").read_bytes())
    other = Client(stack["url"], stack["mailbox_url"])
    other.register(f"other-{secrets.token_hex(3)}@example.com", secrets.token_urlsafe(18))
    app = make_app(other, "other-app", "Someone else's app")
    demo["other"] = {"app_id": app["app_id"], "write_key": app["write_key"], "api_key": make_api_key(other)}
    return demo


def make_api_key(client: Client) -> str:
    return client.post("/api/keys", {"scopes": ["read", "manage"]})["api_key"]


def make_app(client: Client, slug: str, name: str) -> dict[str, str]:
    made = client.post("/api/apps", {"name": name, "app_id": slug})
    say(f"made the app {slug}")
    return {"app_id": made["app_id"], "name": name, "write_key": made["write_key"]}


def publish(demo: dict[str, Any], slug: str, format_: str, plan: bytes) -> None:
    answer = requests.post(
        f"{demo['url']}/api/apps/{slug}/plan/import?format={format_}&publish=true",
        data=plan,
        headers={"Authorization": f"Bearer {demo['api_key']}"},
        timeout=ANSWER_SECONDS,
    )
    if not answer.ok:
        raise Trouble(f"The plan of {slug} was refused: {answer.text[:500]}")
    made = answer.json()
    say(
        f"published the plan of {slug}: {made['events']} events, {made['rules']} rules, version {made['plan_version']}"
    )


def send_examples(demo: dict[str, Any]) -> None:
    """Post every GitHub example, in order; a message id each, so that a second run adds none."""
    app = next(app for app in demo["apps"] if app["app_id"] == "github")
    counts: dict[str, int] = {}
    events = [
        {"eventName": name, "messageId": f"example-{n}", "payload": payload, "platform": "web"}
        for n, (name, payload) in enumerate(github.examples())
    ]
    for start in range(0, len(events), EXAMPLES_PER_REQUEST):
        for result in send(demo, app, events[start : start + EXAMPLES_PER_REQUEST]):
            counts[result["verdict"]] = counts.get(result["verdict"], 0) + 1
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items(), key=lambda c: -c[1]))
    say(f"sent GitHub's {len(events)} examples: {said}")


def send(demo: dict[str, Any], app: dict[str, str], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send a batch until it is answered: 429, 503 and a lost connection mean "again"."""
    while True:
        try:
            answer = requests.post(
                f"{demo['url']}/api/logs/{app['app_id']}",
                json=events,
                headers={"Authorization": f"Bearer {app['write_key']}"},
                timeout=ANSWER_SECONDS,
            )
        except requests.ConnectionError:
            time.sleep(0.5)
            continue
        if answer.ok:
            return answer.json()["results"]
        if answer.status_code not in (429, 502, 503, 504):
            raise Trouble(f"Events of {app['app_id']} were refused: {answer.status_code} {answer.text[:300]}")
        time.sleep(float(answer.headers.get("Retry-After", 1)))


def run_phones(demo: dict[str, Any], seconds: float | None) -> None:
    """Let the shop's phones send for so long, or for ever; a line of counts replaces itself."""
    app = next(app for app in demo["apps"] if app["app_id"] == "shop")
    began, sent, invalid, chance = time.monotonic(), 0, 0, random.Random()  # noqa: S311  (a simulation)
    sessions = [Phone(chance).session() for _ in range(8)]
    while seconds is None or time.monotonic() - began < seconds:
        n = chance.randrange(len(sessions))
        event = next(sessions[n], None)
        if event is None:
            sessions[n] = Phone(chance).session()
            continue
        (result,) = send(demo, app, [event])
        sent, invalid = sent + 1, invalid + (result["verdict"] == "invalid")
        if sys.stdout.isatty():
            print(
                f"\rphones sent {sent:,} events, {invalid:,} of them invalid. Ctrl-C ends.",
                end="",
                flush=True,
            )
        time.sleep(PAUSE_SECONDS * chance.uniform(0.5, 1.5))
    say(f"phones sent {sent:,} events, {invalid:,} of them invalid")


def seconds_of(duration: str | None) -> float | None:
    """`90`, `90s` or `5m` in seconds; None: until Ctrl-C. Raises Trouble."""
    if not duration:
        return None
    found = re.fullmatch(r"(\d+)(s|m|h)?", duration)
    if not found:
        raise Trouble(f"DURATION is {duration!r}; write it like 90s or 5m.")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2] or "s"]


def read_json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.exists() else None


def write_private(path: Path, content: dict[str, Any]) -> None:
    """By rename, so that nobody reads half of it; for the owner only, for it holds keys."""
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=2)
    draft.replace(path)


def still_works(demo: dict[str, Any], stack: dict[str, Any]) -> bool:
    """Was demo.json made on the database that the stack has now?"""
    headers = {"Authorization": f"Bearer {demo['api_key']}"}
    return requests.get(f"{stack['url']}/api/apps/shop/summary", headers=headers, timeout=ANSWER_SECONDS).ok


def say(line: str) -> None:
    print(f"demo: {line}", flush=True)


def run(var: Path, duration: str | None) -> None:
    seconds = seconds_of(duration)
    stack = read_json(var / "stack.json")
    if stack is None:
        raise Trouble(f"No stack runs on {var}. Start one with `make run` in another terminal.")
    if urlsplit(stack["url"]).hostname not in LOOPBACK:
        raise Trouble("The demo makes accounts and events; it runs only where PUBLIC_URL is this machine.")
    demo = read_json(var / "demo.json")
    if demo is None or not still_works(demo, stack):
        demo = prepare(stack)
    demo |= {"url": stack["url"], "mailbox_url": stack["mailbox_url"]}
    write_private(var / "demo.json", demo)
    send_examples(demo)
    say(f"sign in at {demo['url']} as {demo['email']} with the password {demo['password']}")
    say(f"the code arrives at {demo['mailbox_url']}")
    if seconds != 0:
        run_phones(demo, seconds)


def main() -> None:
    try:
        run(Path(os.environ.get("VAR") or "var"), os.environ.get("DURATION"))
    except (Trouble, requests.RequestException) as trouble:
        sys.exit(f"demo: {trouble}")
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
