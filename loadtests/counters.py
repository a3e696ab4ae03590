"""The product's own counters, summed over its Gunicorns."""

from collections import Counter

import requests
from prometheus_client.parser import text_string_to_metric_families

from loadtests.stacks import Stack

ANSWER_SECONDS = 10
Counted = Counter[tuple[str, frozenset[tuple[str, str]]]]


def read(stack: Stack) -> Counted:
    """Every sample: (name, labels) → value. nginx shows none, so the Gunicorns are asked themselves."""
    found: Counted = Counter()
    for url in stack.gunicorn_urls():
        text = requests.get(f"{url}/metrics", timeout=ANSWER_SECONDS).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name, frozenset(sample.labels.items())] += sample.value
    return found


def cache_hit(before: Counted, after: Counted) -> float | None:
    """The share of questions for an app's rules that were answered from memory; None where nobody asked."""
    asked: Counter[str] = Counter()
    for (name, labels), value in (after - before).items():
        facts = dict(labels)
        if name == "lvd_cache_total" and facts.get("kind") == "rules":
            asked[facts["outcome"]] += value
    total = sum(asked.values())
    return round(asked["hit"] / total, 4) if total else None
