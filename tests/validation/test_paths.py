"""How places are written, read and compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.validation.paths import EACH, BadPath, format_path, format_rule_path, parse_rule_path, relax


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ((), ""),
        (("a",), "a"),
        (("a", "b", 0, "c"), "a.b[0].c"),
        (("odd.key",), '["odd.key"]'),
        (("a", "odd key", 3), 'a["odd key"][3]'),
        (("a", ""), 'a[""]'),
        (("a[0]",), '["a[0]"]'),
        (('say "hi"',), '["say \\"hi\\""]'),
        (("größe", "数"), "größe.数"),
        (("my-key", "$ref", "@type"), "my-key.$ref.@type"),
        (("x" * 300,), "x" * 200 + "…"),
    ],
)
def test_a_place_in_a_payload_is_written_with_odd_keys_quoted(
    steps: tuple[str | int, ...], path: str
) -> None:
    assert format_path(steps) == path


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("order_id", ("order_id",)),
        (" payload.order_id ", ("order_id",)),
        ("Payload.order_id", ("order_id",)),
        ("payload", ("payload",)),
        ("a.b.c", ("a", "b", "c")),
        ("items[].price", ("items", EACH, "price")),
        ("a.items[].tags[]", ("a", "items", EACH, "tags", EACH)),
        ("matrix[][]", ("matrix", EACH, EACH)),
        ("Card Name", ("Card Name",)),
        ('["odd.key"].x', ("odd.key", "x")),
        ('a["b.c"][]', ("a", "b.c", EACH)),
    ],
)
def test_a_rules_path_is_read(path: str, steps: tuple[str, ...]) -> None:
    assert parse_rule_path(path) == steps


@pytest.mark.parametrize(
    "path",
    [
        "",
        "  ",
        "payload.",
        ".",
        ".a",
        "a.",
        "a..b",
        "[]",
        "[].a",
        "a[0]",
        "a[0].b",
        "a[",
        'a["b',
        'a["b"',
        '["[]"]',
    ]
    + ["a[]b", "a b.", '["a"]b', "a.[].b", ".".join(["a"] * 33)],
)
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        parse_rule_path(path)


@given(st.lists(st.text(min_size=1).filter(lambda key: key != EACH), min_size=1, max_size=5), st.booleans())
def test_a_written_path_is_read_back(keys: list[str], has_elements: bool) -> None:
    steps = tuple(step for key in keys for step in ((key, EACH) if has_elements else (key,)))
    assert parse_rule_path(format_rule_path(steps)) == steps


def test_names_are_compared_without_case_and_with_spaces_as_underscores() -> None:
    assert relax("Card Name") == relax("card_name") == relax(" CARD_NAME ")
    assert relax("cardName") == relax("CARDNAME") != relax("card_name")
    assert relax("Größe") == relax("GRO\u0308SSE")  # composed and decomposed
