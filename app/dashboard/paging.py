"""Pages by number, for lists that are short or counted: page, page_size, sort_by and sort_order, with totals.

What grows without end (events) is paged by cursor instead: there a page by number costs what lies before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.dashboard import api

PAGE_SIZE = 50
MOST_PAGE_SIZE = 1_000
MOST_PAGES = 1_000_000


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a list, and in what order."""

    page: int
    page_size: int
    sort_by: str
    sort_order: str

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.page_size

    def told(self, total: int) -> dict[str, int]:
        """What the answer says of the whole."""
        pages = -(-total // self.page_size)
        return {"page": self.page, "page_size": self.page_size, "total": total, "total_pages": pages}


def asked(sorts: Sequence[str], sort_order: str = "asc") -> Paging:
    """Read the address; the first of `sorts` is the usual. Raises Refusal `bad_filter`."""
    return Paging(
        api.whole_number("page", default=1, least=1, most=MOST_PAGES),
        api.whole_number("page_size", default=PAGE_SIZE, least=1, most=MOST_PAGE_SIZE),
        api.one_of("sort_by", sorts) or sorts[0],
        api.one_of("sort_order", ("asc", "desc")) or sort_order,
    )
