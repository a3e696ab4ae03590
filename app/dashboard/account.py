"""A person's own page: who they are, and how they come in. Each section is a partial in templates/account/."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.auth import sessions
from app.auth.require import Permission, require
from app.dashboard.pages import shell

blueprint = Blueprint("account", __name__, url_prefix="/account")

# The page's sections in their order, and what asks for what each one shows (`facts` in its partial).
SECTIONS: dict[str, Callable[[], Any]] = {
    "who": lambda: None,
    "sessions": sessions.mine,
}


@blueprint.get("")
@require(Permission.READ)
def show() -> ResponseReturnValue:
    return page()


def page(status: int = 200, error: str | None = None, **given: Any) -> ResponseReturnValue:
    """The whole page. given: facts of sections that the caller has already, as a form with what was typed in it."""
    sections = {name: given[name] if name in given else ask() for name, ask in SECTIONS.items()}
    return render_template("account/account.html", shell=shell(), sections=sections, error=error), status
