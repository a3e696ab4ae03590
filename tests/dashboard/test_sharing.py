"""The QR code of a view: exactly the filters that there are, whatever the address holds."""

import io

import pytest
import segno

from tests.dashboard.test_pages import Owner, alice  # noqa: F401  (a fixture)

HERE = "http://localhost/apps/shop"


def drawn(address: str) -> bytes:
    code = io.BytesIO()
    segno.make(address, micro=False).save(
        code, kind="svg", border=4, dark="#000", light="#fff", xmldecl=False, svgclass=None
    )
    return code.getvalue()


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("", HERE),
        ("?session=a+b%26c&q=%3Cscript%3E", f"{HERE}?session=a+b%26c&q=%3Cscript%3E"),
        # What url_for would take for its own arguments, and what is no filter.
        ("?app_id=other&_external=1&_scheme=javascript&_anchor=x&next=//evil", HERE),
    ],
)
def test_a_code_holds_the_views_address(
    alice: Owner,  # noqa: F811
    query: str,
    address: str,
) -> None:
    alice.make_app("shop")
    answer = alice.ask("GET", f"/apps/shop/qr.svg{query}")
    assert (answer.status_code, answer.data) == (200, drawn(address))


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("?verdict=good", 400, "is one of"),
        ("?" + "&".join(f"{name}={'%C3%BC' * 250}" for name in ("q", "event", "path")), 422, "Copy the link"),
    ],
)
def test_what_no_code_can_hold_is_refused(
    alice: Owner,  # noqa: F811
    query: str,
    status: int,
    words: str,
) -> None:
    alice.make_app("shop")
    answer = alice.ask("GET", f"/apps/shop/qr.svg{query}")
    assert answer.status_code == status
    assert words in answer.text
