"""A plan's content: kept in order, merged event by event."""

from typing import Any

from app.plans.content import as_text, count_rules, empty, from_text, merge


def sheet(**events: list[str]) -> dict[str, Any]:
    rules = {
        name: {"rules": [{"path": path, "type": "text"} for path in paths]} for name, paths in events.items()
    }
    return {**empty(), "events": rules}


def schemas(dialect: str, **events: Any) -> dict[str, Any]:
    return {
        **empty(),
        "bundles": {"1": {"dialect": dialect}},
        "events": {name: {"schema": schema, "bundle": "1"} for name, schema in events.items()},
    }


def test_what_is_stored_is_read_back_in_the_same_order() -> None:
    content = sheet(zebra=["b", "a"], ant=["c"])
    assert from_text(as_text(content)) == content
    assert list(from_text(as_text(content))["events"]) == ["zebra", "ant"]


def test_merging_replaces_the_events_of_the_file_and_keeps_the_others() -> None:
    merged = merge(sheet(buy=["a"], leave=["b"]), sheet(Buy=["c"], join=["d"]))
    assert {name: event["rules"][0]["path"] for name, event in merged["events"].items()} == {
        "leave": "b",
        "Buy": "c",
        "join": "d",
    }


def test_rules_and_schemas_live_in_one_plan() -> None:
    merged = merge(sheet(buy=["a"], push=["b"]), schemas("x", push=True, Buy={}))
    assert list(merged["events"]) == ["buy", "push", "Buy"]
    assert "schema" in merged["events"]["push"]


def test_each_schema_keeps_the_bundle_that_it_came_with() -> None:
    merged = merge(schemas("old", a=True, b=True), schemas("new", b=True, c=True))
    dialects = {
        name: merged["bundles"][event["bundle"]]["dialect"] for name, event in merged["events"].items()
    }
    assert dialects == {"a": "old", "b": "new", "c": "new"}
    assert len(merge(merged, schemas("new", c=False))["bundles"]) == 2
    assert len(merge(merged, schemas("new", a=True))["bundles"]) == 1


def test_rules_are_counted() -> None:
    assert count_rules(sheet(buy=["a", "b"], leave=["c"])) == 3
    assert count_rules(schemas("x", a={"properties": {"b": {"properties": {"c": True}}}})) == 2
