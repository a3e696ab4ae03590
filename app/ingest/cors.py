"""Which web pages may send events: the browser's questions before, and the words that let a page read the answer.

Never with credentials: a write key is a header that the page itself sets, and ingest looks at no cookie. A
preflight carries no key, so it cannot know the app and lets every origin ask; the app's own list decides then.
"""

from flask import Response, request

from app.errors import Refusal

ANY = "*"
PREFLIGHT = {
    "Access-Control-Allow-Origin": ANY,
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, X-API-Key, Content-Type, Content-Encoding",
    "Access-Control-Max-Age": "7200",
}
READABLE = "Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"


def check(origins: tuple[str, ...]) -> None:
    """Raise Refusal `origin_refused` for a page that the app does not know. Programs send no Origin."""
    origin = request.environ.get("HTTP_ORIGIN")
    if origin is None or ANY in origins or origin in origins:
        return
    message = "This app takes no events from pages of this origin. Add it in the app's settings."
    raise Refusal("origin_refused", message, 403)


def allow(response: Response) -> Response:
    """Let the page that asked read the answer, a refusal too."""
    if "HTTP_ORIGIN" not in request.environ:
        return response
    if request.method == "OPTIONS":
        response.headers.update(PREFLIGHT)
        return response
    response.headers["Access-Control-Allow-Origin"] = ANY
    response.headers["Access-Control-Expose-Headers"] = READABLE
    return response
