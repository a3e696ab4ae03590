"""Writes the pages of docs/ that are made from code: `python -m scripts.document`; a test compares them."""

from dataclasses import MISSING, fields
from pathlib import Path

from app import metrics
from app.config import Settings, variable_name
from scripts import judging

DOCS = Path(__file__).parent.parent / "docs"


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "Made from `app/config.py` by `make docs`. Every setting is an environment variable, read once at start-up;",
        "a missing or wrong one stops the start with a line that names it. A secret may also come from a file, named",
        "by the variable with `_FILE` appended.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for f in fields(Settings):
        default = (
            "required"
            if f.default is MISSING
            else f"`{_shown(f.default)}`"
            if f.default not in ("", ())
            else "none"
        )
        secret = " *Secret.*" if f.metadata["secret"] else ""
        lines.append(f"| `{variable_name(f)}` | {default} | {f.metadata['doc']}{secret} |")
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    return f"{value:,}".replace(",", " ") if isinstance(value, int) and value >= 10_000 else str(value)


def metrics_page() -> str:
    lines = [
        "# Metrics",
        "",
        "Made from `app/metrics.py` by `make docs`. Served at `/metrics` in Prometheus' text format, to this machine",
        "only.",
        "",
        "| metric | labels | meaning |",
        "|---|---|---|",
    ]
    for metric in metrics.declared():
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        lines.append(f"| `{metric.name}` | {labels} | {metric.meaning} |")
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "metrics.md": metrics_page, "judging.md": judging.page}


def main() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())


if __name__ == "__main__":
    main()
