"""`make doctor`: the product's own doctor, asked with the settings of the stack that runs on VAR."""

import json
import subprocess
import sys
from pathlib import Path

from local.program import PROJECT
from local.trouble import Trouble


def ask(var: Path) -> int:
    """The doctor's exit status; what it found is printed. Raises Trouble where no stack runs."""
    try:
        processes = json.loads((var / "stack.json").read_text())["processes"]
        pid = next(p["pid"] for p in processes if p["role"] == "gunicorn")
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (OSError, ValueError, StopIteration):
        raise Trouble(
            f"No stack runs on {var}: start one with `make run`, or name its folder with VAR=."
        ) from None
    settings = dict(entry.decode().split("=", 1) for entry in entries if b"=" in entry)
    command = [sys.executable, "-m", "flask", "--app", "app:create_app", "doctor"]
    return subprocess.run(command, cwd=PROJECT, env=settings, check=False).returncode
