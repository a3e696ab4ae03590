"""The whole stack in the order in which it starts: stores, schema, product, edge."""

import fcntl
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from urllib.parse import urlsplit

from local import application, edge
from local.asking import ask
from local.places import Places
from local.ports import Ports
from local.program import last_line
from local.progress import Tell
from local.schema import Schema
from local.stores import Stores
from local.supervisor import Supervisor, end_leftovers
from local.trouble import Trouble

START_SECONDS = 90  # for one program to be ready; the first start of PostgreSQL after a crash is the longest
INSTANCES = (8000, 8001)  # the ports of the Gunicorns where nobody else has them
WORKER_METRICS = 9101  # likewise


class Lock:
    """One stack per `var`. The kernel takes it away from a dead owner, so it is never stale."""

    def __init__(self, places: Places) -> None:
        self._path = places.run / "lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise Trouble(
                f"A stack is already running on {places.var}. Name another folder: make run VAR=…"
            ) from None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def is_in_place(self) -> bool:
        """Is the folder still there? Without it nobody could find this stack again."""
        try:
            return os.stat(self._path).st_ino == os.fstat(self._descriptor).st_ino
        except FileNotFoundError:
            return False


@dataclass(frozen=True)
class Stack:
    """A started stack."""

    places: Places
    supervisor: Supervisor
    url: str
    mailbox_url: str | None


@dataclass(frozen=True)
class Wishes:
    """What the caller asked for. `environment` is the caller's own; `workers` counts per Gunicorn."""

    port: int
    workers: int
    environment: Mapping[str, str]

    @property
    def public_url(self) -> str:
        return self.environment.get("PUBLIC_URL") or f"http://localhost:{self.port}"

    @property
    def hosts(self) -> list[str]:
        """The host names nginx answers to; the product's TRUSTED_HOSTS says the same (app/config.py)."""
        further = self.environment.get("TRUSTED_HOSTS", "").split()
        return list(dict.fromkeys(["localhost", "127.0.0.1", "[::1]", self.host, *further]))

    @property
    def host(self) -> str:
        """PUBLIC_URL's."""
        host = urlsplit(self.public_url).hostname or "localhost"
        return f"[{host}]" if ":" in host else host

    @property
    def is_for_this_machine_only(self) -> bool:
        host = urlsplit(self.public_url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class Start:
    """Starts a stack, and ends what it started where that fails half-way."""

    def __init__(self, places: Places, ports: Ports, wishes: Wishes, tell: Tell) -> None:
        self._places = places
        self._wishes = wishes
        self._tell = tell
        if end_leftovers(places):
            tell("ended what an earlier stack had left behind")
        (places.var / "stack.json").unlink(missing_ok=True)
        ports.claim(wishes.port)
        if not wishes.environment.get("MAIL_URL") and not wishes.is_for_this_machine_only:
            raise Trouble(f"MAIL_URL is not set, and the local mailbox is not for {wishes.public_url}.")
        self._stores = Stores.prepare(places, ports, wishes.environment)
        self._instances = [ports.free(wished) for wished in INSTANCES]
        self._settings = self._product_settings()
        self._gunicorns = [
            application.gunicorn(places, number, port, wishes.workers, self._settings)
            for number, port in enumerate(self._instances, 1)
        ]
        self._worker = application.worker(places, ports.free(WORKER_METRICS), self._settings)
        scheme = urlsplit(wishes.public_url).scheme
        self._edge = edge.program(places, wishes.port, self._instances, wishes.hosts, scheme)

    def run(self) -> Stack:
        """Start everything. Raises Trouble where a part does not become ready."""
        product = [*self._gunicorns, self._worker, self._edge]
        supervisor = Supervisor(self._places, [*self._stores.programs(), *product])
        try:
            self._start(supervisor)
        except BaseException:
            supervisor.stop(15)
            raise
        post = self._stores.post
        return Stack(self._places, supervisor, self._wishes.public_url, post.page_url if post else None)

    def _start(self, supervisor: Supervisor) -> None:
        start_stores(supervisor, self._stores, self._tell)
        Schema(self._places, self._settings).bring_up_to_date()
        self._tell("schema up to date")
        supervisor.start(*(gunicorn.name for gunicorn in self._gunicorns), self._edge.name)
        for number, port in enumerate(self._instances, 1):
            wait_for(f"gunicorn-{number}", partial(self._is_alive, port), supervisor)
            self._tell(f"gunicorn-{number} ready on 127.0.0.1:{port}")
        # Not sooner: each imports the whole product, and two cores are busy with two of them.
        supervisor.start(self._worker.name)
        wait_for("nginx", partial(self._is_alive, self._wishes.port), supervisor)
        self._tell(f"nginx ready on port {self._wishes.port}")
        self._wait_until_green()
        self._tell("/ready is green")

    def _is_alive(self, port: int) -> bool:
        return ask(port, "/health", self._wishes.host).is_ok

    def _wait_until_green(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not (answer := ask(self._wishes.port, "/ready", self._wishes.host)).is_ok:
            if time.monotonic() > deadline:
                raise Trouble(f"Everything runs, but /ready says {answer.status}: {answer.text}")
            time.sleep(0.1)

    def _product_settings(self) -> dict[str, str]:
        settings = self._stores.settings() | {
            "PUBLIC_URL": self._wishes.public_url,
            "SECRET_KEY": self._wishes.environment.get("SECRET_KEY") or self._places.secret("secret_key"),
            "ENCRYPTION_KEYS": self._wishes.environment.get("ENCRYPTION_KEYS")
            or self._places.secret("encryption_key"),
            "WEB_PROCESSES": str(len(INSTANCES) * self._wishes.workers),
        }
        return application.environment(self._wishes.environment, settings)


def start_stores(supervisor: Supervisor, stores: Stores, tell: Tell) -> None:
    """Start the stores side by side and make the product's roles and database."""
    supervisor.start(*(program.name for program in stores.programs()))
    if stores.postgres:
        wait_for("postgres", stores.postgres.answers, supervisor)
        tell("PostgreSQL ready")
    stores.bootstrap()
    tell("roles and database ready")
    for name, part in (("redis", stores.redis), ("redis-cache", stores.cache), ("mailbox", stores.post)):
        if part:
            wait_for(name, part.answers, supervisor)
            tell(f"{name} ready")


def wait_for(name: str, is_ready: Callable[[], bool], supervisor: Supervisor) -> None:
    """Wait until a program is ready. Raises Trouble, with its last words, where that does not come."""
    log = supervisor.programs[name].log(supervisor.places)
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if supervisor.has_given_up(name) or time.monotonic() > deadline:
            raise Trouble(f"{name} does not start: {last_line(log)}; see {log}")
        time.sleep(0.03)
