"""The house rules as tests: who may import whom, how big a file may grow, where settings and metrics live."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from app.config import Settings, variable_name

ROOT = Path(__file__).parent.parent
APP = ROOT / "app"
FOUNDATION = {"config", "errors", "extensions", "hosts", "log_writer", "logs", "metrics"}
MAY_IMPORT = {
    "validation": set(),  # pure: no Flask, SQL, Redis, clock or randomness
    "store": {"validation"} | FOUNDATION,
    "plans": {"store", "validation"} | FOUNDATION,
    "live": {"store", "validation"} | FOUNDATION,
    "jobs": {"store"} | FOUNDATION,
    "auth": {"store", "jobs"} | FOUNDATION,
    "ingest": {"auth", "plans", "validation", "store", "live", "jobs"} | FOUNDATION,
    "dashboard": {"auth", "plans", "validation", "store", "live", "jobs"} | FOUNDATION,
}
# Rooms with doors open only these to each other.
OPEN_DOORS = {
    "app.auth",
    "app.auth.allowance",
    "app.auth.quota",
    "app.auth.closing",
    "app.auth.keys",
    "app.auth.mail",
    "app.auth.devices",
    "app.auth.forms",
    "app.auth.members",
    "app.auth.new_password",
    "app.auth.notices",
    "app.auth.require",
    "app.auth.authenticator",
    "app.auth.passkeys",
    "app.auth.proof",
    "app.auth.session",
    "app.auth.sessions",
    "app.auth.staying",
}
IMPURE = {
    "flask",
    "sqlalchemy",
    "redis",
    "rq",
    "time",
    "datetime.now",
    "random",
    "secrets",
    "os",
    "socket",
    "gevent",
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "services", "managers", "base"}
MOST_LINES = 300
# An entry's imports are the floor plan's.
EVERYWHERE = {"__init__.py", "cli.py"}
MODULES = sorted(APP.rglob("*.py"))
OWN_CODE = [*MODULES, *sorted((ROOT / "local").rglob("*.py")), *sorted((ROOT / "loadtests").rglob("*.py"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent != APP], ids=name_of)
def test_a_room_imports_only_from_the_rooms_it_may(path: Path) -> None:
    room = path.relative_to(APP).parts[0]
    if room not in MAY_IMPORT:
        pytest.fail(f"{room} is a new room: say here whom it may import")
    reached = {m.split(".")[1] for m in imports_of(path) if m.startswith("app.")}
    allowed = MAY_IMPORT[room] | {room}
    if path.name == "worker.py":  # the entry of the workers, as create_app is the web's
        return
    assert reached <= allowed


@pytest.mark.parametrize(
    "path", [p for r in ("ingest", "dashboard") for p in (APP / r).rglob("*.py")], ids=name_of
)
def test_rooms_with_doors_use_only_the_open_doors_of_auth(path: Path) -> None:
    reached = {".".join(m.split(".")[:3]) for m in imports_of(path) if m.startswith("app.auth")}
    assert reached <= OPEN_DOORS


def test_foundations_import_no_room() -> None:
    for name in FOUNDATION:
        reached = {m.split(".")[1] for m in imports_of(APP / f"{name}.py") if m.startswith("app.")}
        assert reached <= FOUNDATION, name


@pytest.mark.parametrize("path", sorted((APP / "validation").rglob("*.py")), ids=name_of)
def test_the_judge_is_pure(path: Path) -> None:
    assert not IMPURE & {part for m in imports_of(path) for part in (m, m.split(".")[0])}


@pytest.mark.parametrize("path", OWN_CODE, ids=name_of)
def test_a_file_is_named_after_what_it_holds_and_stays_short(path: Path) -> None:
    assert not FORBIDDEN_NAMES & set(path.relative_to(ROOT).with_suffix("").parts)
    if path.name == "tables.py":  # all tables in one place are easier to read than in eight
        return
    assert sum(1 for line in path.read_text().splitlines() if line.strip()) <= MOST_LINES


@pytest.mark.parametrize("path", OWN_CODE, ids=name_of)
def test_every_module_says_what_it_holds(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_import_hides_in_a_function(path: Path) -> None:
    functions = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef))
    assert not [
        f.name for f in functions if any(isinstance(n, (ast.Import, ast.ImportFrom)) for n in ast.walk(f))
    ]


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "config.py"], ids=name_of)
def test_only_config_reads_the_environment(path: Path) -> None:
    assert not re.search(r"os\.environ|os\.getenv|getenv\(", path.read_text())


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "metrics.py"], ids=name_of)
def test_only_metrics_declares_metrics(path: Path) -> None:
    assert not any(m.startswith("prometheus_client") for m in imports_of(path))


@pytest.mark.parametrize("field", fields(Settings), ids=lambda f: f.name)
def test_every_setting_is_explained_in_code_and_docs(field) -> None:  # type: ignore[no-untyped-def]
    assert field.metadata["doc"].endswith("."), "a sentence"
    assert f"`{variable_name(field)}`" in (ROOT / "docs" / "settings.md").read_text()


def test_no_secret_has_a_default_that_opens_anything() -> None:
    assert [
        f.name
        for f in fields(Settings)
        if f.metadata["secret"] and f.default not in ("",) and isinstance(f.default, str)
    ] == []
