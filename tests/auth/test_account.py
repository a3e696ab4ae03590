"""GET /account: a person's own page."""

from tests.auth.visitor import Visitor


def test_the_page_says_who_one_is_and_where_one_belongs(visitor: Visitor) -> None:
    visitor.join()
    answer = visitor.ask("GET", "/account")
    assert answer.status_code == 200
    assert f"<dd>{visitor.email}</dd>" in answer.text
    assert "as owner" in answer.text


def test_every_page_leads_to_it(visitor: Visitor) -> None:
    visitor.join()
    assert 'href="/account"' in visitor.ask("GET", "/dashboard").text
