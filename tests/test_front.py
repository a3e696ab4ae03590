"""The browser's side by its sources: text stays text, nothing is inline, icons exist, pages stay light."""

import gzip
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "app" / "static" / "src").rglob("*.*js"))
TEMPLATES = sorted((ROOT / "app" / "templates").rglob("*.html"))
PAGES = [path for path in TEMPLATES if "mail" not in path.parts]
BUILD = ROOT / "app" / "static" / "build"
ICONS = ROOT / "app" / "static" / "src" / "icons.mjs"
# What would read a stranger's text as markup or as code.
MARKUP = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|ContextualFragment|setHTML|srcdoc"
CODE = r"\beval\(|new Function|setTimeout\(\s*[\"'`]|setInterval\(\s*[\"'`]|javascript:"
MOST_SCRIPT_BYTES = 40_000  # compressed, before the first click


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_scripts_write_text_only(path: Path) -> None:
    assert not re.search(f"{MARKUP}|{CODE}", path.read_text())


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_templates_have_nothing_inline(path: Path) -> None:
    text = path.read_text()
    for attributes in re.findall(r"<script([^>]*)>", text):
        assert "src=" in attributes or 'type="application/json"' in attributes
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe\b|autoescape", text)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_templates_load_only_our_own_files(path: Path) -> None:
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", path.read_text())


def test_every_icon_that_is_used_is_in_the_sprite_and_no_other() -> None:
    known = set(re.findall(r'"([a-z0-9-]+)"', ICONS.read_text()))
    everything = "\n".join(path.read_text() for path in [*SOURCES, *PAGES] if path != ICONS)
    quoted = set(re.findall(r"[\"']([a-z0-9-]+)[\"']", everything))
    called = set(re.findall(r"icon\([\"']([a-z0-9-]+)[\"']", everything))
    assert called <= known
    assert known <= quoted


@pytest.mark.parametrize("page", ["live.js", "event.js", "plan.js", "history.js", "insight.js"])
def test_a_pages_script_is_light(page: str) -> None:
    manifest = json.loads((BUILD / "manifest.json").read_text())
    wanted = [manifest["theme.js"], manifest["shell.js"], manifest[page]]
    loaded: set[str] = set()
    while wanted:
        name = wanted.pop()
        loaded.add(name)
        parts = re.findall(r"part-[A-Z0-9]{8}\.js", (BUILD / name).read_text())
        wanted += [part for part in parts if part not in loaded]
    assert sum(len(gzip.compress((BUILD / name).read_bytes())) for name in loaded) < MOST_SCRIPT_BYTES


def test_no_style_rule_makes_growing_lists_slow() -> None:
    """`a + *` has the browser restyle every sibling after an added element, and all that is in them."""
    (sheet,) = BUILD.glob("app-*.css")
    assert not re.search(r"[+~]\*", sheet.read_text())
