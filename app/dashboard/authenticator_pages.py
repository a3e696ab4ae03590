"""Setting up an authenticator app, its recovery codes, and removing it again."""

from urllib.parse import quote

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import metrics
from app.auth import authenticator
from app.auth.proof import recently_proven
from app.auth.require import Permission, require
from app.dashboard.pages import shell
from app.errors import Refusal
from app.extensions import db

blueprint = Blueprint("authenticator", __name__, url_prefix="/account/authenticator")


@blueprint.post("/begin")
@require(Permission.READ)
@recently_proven
def begin() -> ResponseReturnValue:
    """A new secret; one that is in use already stays."""
    authenticator.begin(g.actor.user_id)
    db.session.commit()
    return redirect(url_for("authenticator.show"), 303)


@blueprint.get("")
@require(Permission.READ)
def show() -> ResponseReturnValue:
    return _setup()


@blueprint.post("/confirm")
@require(Permission.READ)
@recently_proven
def confirm() -> ResponseReturnValue:
    """The app's first code switches it on; the recovery codes are shown in this answer and nowhere else."""
    try:
        made = authenticator.confirm(g.actor.user_id, request.form.get("code"))
    except Refusal as refusal:
        db.session.rollback()
        g.reason = refusal.code
        metrics.REFUSALS.labels(refusal.code).inc()
        return _setup(refusal.message, refusal.status)
    db.session.commit()
    return _recovery_codes(made, "Your authenticator app is set up.")


@blueprint.post("/recovery-codes")
@require(Permission.READ)
@recently_proven
def renew_recovery_codes() -> ResponseReturnValue:
    """New ones in place of the old, shown in this answer and nowhere else."""
    made = authenticator.renew_recovery_codes(g.actor.user_id)
    db.session.commit()
    return _recovery_codes(made, "Your old recovery codes work no more.")


@blueprint.post("/remove")
@require(Permission.READ)
@recently_proven
def remove() -> ResponseReturnValue:
    """Codes are mailed again from now on."""
    authenticator.remove(g.actor.user_id)
    db.session.commit()
    return redirect(url_for("account.show", done="authenticator-removed"), 303)


def _setup(error: str | None = None, status: int = 200) -> ResponseReturnValue:
    secret = authenticator.secret_to_confirm(g.actor.user_id)
    if secret is None:  # none was begun, or it is in use
        return redirect(url_for("account.show"), 303)
    page = render_template(
        "account/authenticator.html",
        shell=shell(),
        picture=authenticator.as_picture(secret, g.actor.email),
        secret=" ".join(secret[n : n + 4] for n in range(0, len(secret), 4)).lower(),
        error=error,
    )
    return page, status


def _recovery_codes(made: list[str], done: str) -> str:
    lines = "\n".join(made)
    text = f"Recovery codes of {g.actor.email} for Live Validation. Each works once.\n\n{lines}\n"
    download = f"data:text/plain;charset=utf-8,{quote(text)}"
    return render_template(
        "account/recovery_codes.html", shell=shell(), codes=lines, download=download, done=done
    )
