"""What there is to say about the route of usage, and about lists that are paged by number."""

from app.dashboard.openapi.described import ERROR, Described
from app.dashboard.openapi.schemas import COUNT, FLAG, TEXT, Schema, list_of, object_of
from app.dashboard.paging import MOST_PAGE_SIZE, MOST_PAGES
from app.store.usage import SORTS

DAY: Schema = {"type": "string", "format": "date"}
USED: dict[str, Schema] = {"events": COUNT, "requests": COUNT, "bytes": COUNT, "credits": COUNT}
PAGINATION = object_of(dict.fromkeys(("page", "page_size", "total", "total_pages"), COUNT))
PAGING: dict[str, Schema] = {
    "page": {"type": "integer", "minimum": 1, "maximum": MOST_PAGES},
    "page_size": {"type": "integer", "minimum": 1, "maximum": MOST_PAGE_SIZE},
    "sort_order": {"enum": ["asc", "desc"]},
}

USAGE = {
    "usage.list_usage": Described(
        "Reading",
        {
            200: object_of(
                {
                    "usage": list_of(object_of({"day": DAY, "app_id": TEXT, **USED})),
                    "month": object_of(
                        {
                            "from": DAY,
                            "to": DAY,
                            **USED,
                            "quota": {"type": ["integer", "null"]},
                            "refuses": FLAG,
                        }
                    ),
                    "pagination": PAGINATION,
                }
            ),
            400: ERROR,
        },
        query={"app_id": TEXT, "from": DAY, "to": DAY, "sort_by": {"enum": list(SORTS)}, **PAGING},
    ),
}
