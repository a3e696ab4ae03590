"""GitHub's webhooks as real input: their published schemas as a plan, their published examples as events."""

from pathlib import Path
from typing import Any, Final

import orjson

PACKAGES: Final = Path(__file__).parent.parent / "node_modules" / "@octokit"
SCHEMAS: Final = Path("webhooks-schemas") / "schema.json"
EXAMPLES: Final = Path("webhooks-examples") / "api.github.com" / "index.json"
# Most events have one definition of this ending, `issues_event`. The 13 without (`push`, `fork`, …: their
# definitions end in `$event`) stay out of the plan, so that the demo shows unplanned events too.
ENDING: Final = "_event"


def bundle(packages: Path = PACKAGES) -> dict[str, Any]:
    """The schemas as a bundle: event name → schema, beside the definitions that they share.

    Raises FileNotFoundError where the npm packages are not installed.
    """
    published = orjson.loads((packages / SCHEMAS).read_bytes())
    definitions = published["definitions"]
    events = {
        name.removesuffix(ENDING): {"$ref": f"#/definitions/{name}"}
        for name in sorted(definitions)
        if name.endswith(ENDING)
    }
    return {"$schema": published["$schema"], "definitions": definitions, **events}


def examples(packages: Path = PACKAGES) -> list[tuple[str, dict[str, Any]]]:
    """Every example as (event name, payload), in the published order.

    Raises FileNotFoundError where the npm packages are not installed.
    """
    published = orjson.loads((packages / EXAMPLES).read_bytes())
    return [(event["name"], payload) for event in published for payload in event["examples"]]
