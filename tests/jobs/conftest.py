"""Jobs made for a test, a mail server that does as told, and the real worker as a process."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from flask import Flask

from app.jobs import registry
from app.jobs.registry import Job
from tests.auth.conftest import another, visitor  # noqa: F401  (fixtures, here as well)
from tests.conftest import eventually

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def declare(flask_app: Flask) -> Iterator[Callable[..., Job]]:
    """Declares a job for the time of the test."""
    before = dict(flask_app.extensions["jobs"])

    def one(job: Job) -> Job:
        registry.declare(flask_app, job)
        return job

    yield one
    flask_app.extensions["jobs"] = before


@pytest.fixture
def start_worker(
    flask_app: Flask, environment: Mapping[str, str], tmp_path: Path
) -> Iterator[Callable[..., "Worker"]]:
    """Starts `python -m app.jobs.worker` on this test's database and Redis."""
    started: list[Worker] = []

    def start(**changed: str) -> Worker:
        given = {**os.environ, **environment, **changed}
        started.append(Worker(given, tmp_path / f"worker-{len(started)}.log"))
        return started[-1]

    yield start
    for worker in started:
        worker.end()


class Worker:
    """A worker's parent process and what it says."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.jobs.worker"],
                cwd=ROOT,
                env=dict(environment),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        eventually(lambda: len(self.children()) == 5)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def children(self) -> list[int]:
        """The pids of the parent's living children."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            return [int(pid) for pid in path.read_text().split()]
        except FileNotFoundError:
            return []

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)


class MailServer:
    """A mail server that answers each command as told: `MAIL`, `RCPT`, `CONTENT` …; None: it hangs up."""

    def __init__(self, answers: Mapping[str, str | None] | None = None) -> None:
        self.answers = {"GREETING": "220 hello", "QUIT": "221 bye", "DATA": "354 go on", **(answers or {})}
        self.may_greet = threading.Event()
        self.may_greet.set()
        self.contents: list[str] = []
        self.recipients: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            # Whoever was kept waiting for too long has left.
            with contextlib.suppress(OSError), connection, connection.makefile("rwb") as stream:
                self._talk(stream)

    def _talk(self, stream: Any) -> None:
        self.may_greet.wait(30)
        if not self._say(stream, "GREETING"):
            return
        for line in stream:
            command = line.decode()
            name = command.replace(":", " ").split()[0].upper()
            if name == "RCPT":
                self.recipients.append(command.partition("<")[2].partition(">")[0])
            is_fine = self._say(stream, name)
            if is_fine is None or name == "QUIT":
                return
            if is_fine and name == "DATA" and not self._listen(stream):
                return

    def _listen(self, stream: Any) -> bool:
        """Take the content in; False where that is the end of the conversation."""
        content = "".join(line.decode() for line in iter(stream.readline, b".\r\n"))
        self.contents.append(content)
        return self._say(stream, "CONTENT") is not None

    def _say(self, stream: Any, name: str) -> bool | None:
        """Answer as told; None where that is to hang up."""
        answer = self.answers.get(name, "250 fine")
        if answer is None:
            return None
        stream.write(answer.encode() + b"\r\n")
        stream.flush()
        return answer[0] in "23"


@pytest.fixture
def mail_server() -> Iterator[Callable[..., MailServer]]:
    """Starts mail servers that misbehave as told."""
    started: list[MailServer] = []

    def start(**answers: str | None) -> MailServer:
        started.append(MailServer(answers))
        return started[-1]

    yield start
    for server in started:
        server.close()


class Cable:
    """A unix socket that leads to Redis, and can be cut and mended."""

    def __init__(self, url: str, path: Path) -> None:
        parts = urlsplit(url)
        self.url = urlunsplit(parts._replace(path=str(path)))
        self._target = parts.path
        self._path = path
        self._open: set[socket.socket] = set()
        self.mend()

    def mend(self) -> None:
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        self._path.unlink(missing_ok=True)
        for end in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            self._open |= {near, far}
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            self._open.discard(end)
        source.close()


@pytest.fixture
def cable(environment: Mapping[str, str], tmp_path: Path) -> Iterator[Cable]:
    """The worker's only way to Redis, if it is started with this REDIS_URL."""
    made = Cable(environment["REDIS_URL"], tmp_path / "r.sock")
    yield made
    made.cut()
