"""What a person has to put right first is said in one line, with exit status 2."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from local.places import Places
from local.stack import Lock
from tests.conftest import ROOT, free_port
from tests.local.conftest import local_run


def one_line(ended: "subprocess.CompletedProcess[str]") -> str:
    """What it said; it said one line, and ended with status 2."""
    assert ended.returncode == 2, ended.stderr
    [line] = ended.stderr.splitlines()
    return line


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = one_line(local_run("--var", str(tmp_path / "var"), "--port", str(port)))
    assert said == f"Port {port} is taken. Name another one: make run PORT={port + 1}"


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    said = one_line(local_run("--var", str(tmp_path / "var"), PORT=port))
    assert said == f"PORT must be a number from 1 to 65535, not '{port}'."


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    forbidden = "/proc/var" if os.geteuid() == 0 else str(tmp_path / "closed" / "var")
    (tmp_path / "closed").mkdir(mode=0o500)
    said = one_line(local_run("--var", forbidden, "--port", str(free_port())))
    assert said.startswith(f"Cannot write to {forbidden}: ")


def test_a_folder_in_use(tmp_path: Path) -> None:
    with Lock(Places.prepare(tmp_path / "var")):
        said = one_line(local_run("--var", str(tmp_path / "var"), "--port", str(free_port())))
    assert said.startswith(f"A stack is already running on {tmp_path / 'var'}.")


def test_no_mailbox_for_a_public_address(tmp_path: Path) -> None:
    said = one_line(
        local_run(
            "--var",
            str(tmp_path / "var"),
            "--port",
            str(free_port()),
            PUBLIC_URL="https://events.example.com",
        )
    )
    assert said == "MAIL_URL is not set, and the local mailbox is not for https://events.example.com."


@pytest.mark.parametrize(("version", "reason"), [("3.10", "is Python 3.10, and"), ("", "does not run.")])
def test_a_python_that_is_too_old(tmp_path: Path, version: str, reason: str) -> None:
    old = tmp_path / "python3"
    old.write_text(f"#!/bin/sh\n[ -n '{version}' ] || exit 127\necho {version}\n")
    old.chmod(0o755)
    ended = subprocess.run(
        ["sh", str(ROOT / "local" / "install.sh"), ".venv/installed-run", str(ROOT / "requirements.txt")],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": str(old)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert one_line(ended).startswith(f"{old} {reason}")
