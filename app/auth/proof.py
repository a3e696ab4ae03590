"""Step-up: before a dangerous change, a proof not older than ten minutes that it is still its owner who asks.

    @require(Permission.OWN)
    @recently_proven
    def hand_over(...)

A form is not refused but asked back: the page that asks for the proof holds all its fields and sends them to the same
address again, with the proof beside them. Nothing typed is lost, and nothing of it is kept meanwhile. Road not taken:
a page to go to first, with the form to be filled in anew; or the fields kept in the session, where they would outlive
the question.

Programs are not asked: an API key is its own proof.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import g, render_template, request, session
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from app.auth import authenticator, brakes, codes, mail, passkeys, passwords
from app.auth import session as browser
from app.auth.brakes import Guess
from app.errors import Refusal, wants_json
from app.extensions import db, settings
from app.jobs import outbox
from app.store import audit, authenticators, challenges, sessions, users
from app.store import passkeys as known_passkeys
from app.store.audit import Action

View = TypeVar("View", bound=Callable[..., Any])
FRESH_MINUTES = 10
PURPOSE = "proof"
# People whose work is dangerous all day prove it six times an hour.
MOST_CHALLENGES_PER_HOUR = 20
# What the page that asks adds to the fields of the form that it asks for.
OWN_FIELDS = frozenset({"csrf_token", "proof_password", "proof_code", "proof_path", "proof_passkey"})
WRONG = "This is not right. Try again, or prove it in another way."
NEEDED = (
    "Confirm that it is you first: POST your `password` or a `code` to /auth/proof, then send this again."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page shows: where its form goes, what it carries, and in which ways one can prove it."""

    path: str
    fields: list[tuple[str, str]]
    has_authenticator: bool
    has_passkey: bool
    mailed: bool
    error: str | None


def recently_proven(view: View) -> View:
    """Let a person into this view only with a fresh proof; stands below `@require`."""
    return recently_proven_if(lambda: True)(view)


def recently_proven_if(is_dangerous: Callable[[], bool]) -> Callable[[View], View]:
    """The same, for requests that are dangerous by what they carry."""

    def mark(view: View) -> View:
        view.is_dangerous = is_dangerous  # type: ignore[attr-defined]
        return view

    return mark


def check(view: Callable[..., Any]) -> ResponseReturnValue | None:
    """None where the view may go on; else the page that asks. Raises Refusal `proof_needed` (403) for a program."""
    is_dangerous: Callable[[], bool] | None = getattr(view, "is_dangerous", None)
    session_id = g.actor.session_id
    if is_dangerous is None or session_id is None or not is_dangerous():
        return None
    if sessions.is_proven(session_id, FRESH_MINUTES):
        return None
    if wants_json():
        raise Refusal("proof_needed", NEEDED, 403)
    if not _has_proof(request.form):
        return page(request.path), 403
    try:
        prove(*(request.form.get(f"proof_{way}") for way in ("password", "code", "passkey")))
    except Refusal as refusal:
        g.reason = refusal.code
        return page(request.path, error=refusal.message), refusal.status
    return None


def page(path: str, *, mailed: bool = False, error: str | None = None) -> str:
    """The page that asks for a proof and then sends this request's fields to `path`."""
    user_id = g.actor.user_id
    ways = authenticators.is_on(user_id), bool(known_passkeys.credentials(user_id))
    asked = Asked(path, _kept_fields(), *ways, mailed, error)
    return render_template("auth/proof.html", asked=asked, email=g.actor.email)


def prove(password: str | None, typed_code: object, passkey: str | None = None) -> None:
    """Take the password, the app's code, a recovery code, a mailed code, or a passkey's answer (JSON); commits.

    The session goes on under a new id. Raises Refusal `bad_proof` (403), `rate_limited`, `too_many_tries` (429).
    """
    tried = brakes.count(Guess.PASSWORD if password else Guess.CODE, g.actor.email)
    challenge = _attempt()
    if passkey:
        is_right = passkeys.is_proof(passkey)
    elif password:
        is_right = _is_the_password(password)
    else:
        is_right = challenge is not None and _is_the_code(challenge, typed_code)
    if not is_right or challenge is None or not challenges.use(challenge.id):
        audit.record(Action.SIGN_IN_FAILED, "user", g.actor.user_id, step="proof")
        db.session.commit()
        raise Refusal("bad_proof", WRONG, 403)
    tried.right()
    sessions.prove(g.actor.session_id)
    db.session.commit()
    session.pop("proof", None)
    browser.change_id()


def mail_code() -> None:
    """Have a code mailed with which it can be proven; commits. Raises Refusal `too_many_codes` (429)."""
    outbox.add(db.session, mail.MAIL_CODE, {"challenge": str(_begin_challenge())})
    db.session.commit()


def _attempt() -> challenges.Challenge | None:
    """Count a try, for good, at the challenge of this session, or at a new one; None where none is left."""
    challenge_id = browser.held_id("proof")
    found = challenges.attempt(challenge_id, browser.browser_hash(), g.actor.email) if challenge_id else None
    if found is None:
        found = challenges.attempt(_begin_challenge(), browser.browser_hash(), g.actor.email)
    db.session.commit()
    return found


def _begin_challenge() -> Any:
    begun = challenges.add(
        PURPOSE,
        g.actor.email,
        browser.browser_hash(),
        user_id=g.actor.user_id,
        most_per_hour=MOST_CHALLENGES_PER_HOUR,
    )
    if begun is None:
        db.session.rollback()
        message = "Too many tries. Wait for a while, or sign out and in again."
        raise Refusal("too_many_tries", message, 429, headers={"Retry-After": "600"})
    session["proof"] = str(begun)
    return begun


def _is_the_password(password: str) -> bool:
    person = users.by_email(g.actor.email)
    db.session.commit()  # a hash takes its time, and holds no connection meanwhile
    return person is not None and passwords.fits(password, person.password_hash)


def _is_the_code(challenge: challenges.Challenge, typed: object) -> bool:
    if mailed := codes.cleaned(typed):
        return codes.fits(settings().secret_key, challenge.id, mailed, challenge.code_hash)
    code = authenticator.cleaned(typed)
    return code is not None and authenticator.fits(g.actor.user_id, code)


def _has_proof(form: MultiDict[str, str]) -> bool:
    return any(form.get(f"proof_{way}") for way in ("password", "code", "passkey"))


def _kept_fields() -> list[tuple[str, str]]:
    fields = request.form.items(multi=True)
    return [(name, value) for name, value in fields if name not in OWN_FIELDS]
