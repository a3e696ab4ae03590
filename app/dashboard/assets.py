"""What the front end's build made: hashed file names, and JSON for the page's script."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import structlog
from flask import current_app, url_for
from markupsafe import Markup

log = structlog.get_logger()

FOLDER = "build"
# Inside <script type="application/json"> only these could end the element or begin a comment.
UNSAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def asset(name: str) -> str:
    """The address of a built file by its plain name, for templates: `asset('app.css')`.

    The names carry a hash of the content, so a browser may keep them for ever. Where nothing was built the
    plain name is given: the page is then bare, but it is there.
    """
    static = Path(current_app.static_folder or "")
    built = _names(static / FOLDER / "manifest.json").get(name, name)
    return url_for("static", filename=f"{FOLDER}/{built}")


def embedded(value: Any) -> Markup:
    """A JSON value for a <script type="application/json">, whatever strings a stranger put into it."""
    return Markup(orjson.dumps(value).decode().translate(UNSAFE))  # noqa: S704  # escaped just here


def _names(manifest: Path) -> dict[str, str]:
    try:
        return _read(manifest, manifest.stat().st_mtime_ns)
    except FileNotFoundError:
        log.warning("front_end_not_built", expected=manifest.name, remedy="npm ci && npm run build")
        return {}


@lru_cache(maxsize=1)
def _read(manifest: Path, _changed_at: int) -> dict[str, str]:
    return orjson.loads(manifest.read_bytes())
