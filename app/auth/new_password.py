"""A new password: by a mailed link where the old one is forgotten, or on one's own page where it is known.

Either way the old one opens nothing any more: every other session ends, and so do codes and links on their way.
"""

from collections.abc import Mapping

from flask import Flask, g, session

from app.auth import addresses, alerts, brakes, links, mail, passwords
from app.auth import devices as known_browsers
from app.auth import session as browser
from app.auth.brakes import Guess
from app.errors import Refusal
from app.extensions import db
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job
from app.store import audit, challenges, devices, organisations, reset_links, sessions, users
from app.store.audit import Action
from app.store.organisations import Place
from app.store.outbox import Claim


def ask(email: str) -> None:
    """Have a link mailed; commits. Who asks learns nothing of the address. Raises Refusal `bad_email` (422)."""
    address = addresses.normalised(email)
    if address is None:
        raise Refusal("bad_email", "This is not an e-mail address.", 422)
    link_id = reset_links.ask(address)
    if link_id is not None:
        outbox.add(db.session, MAIL_LINK, {"link": link_id})
    session["email"] = address
    db.session.commit()


def mail_link(claim: Claim) -> None:
    """To a known address the link; to any other, that there is no account. One mail each, so nothing tells them apart.

    The link is made here and nowhere else, so that none is ever in a queue, a log or a request's memory.
    """
    link_id = claim.arguments["link"]
    email = reset_links.address_of(link_id)
    if email is None:
        return
    person = users.by_email(email)
    if person is None or person.is_disabled:
        db.session.commit()
        mail.send(claim, email, "No account with this address", "no_account")
        return
    token = links.new()
    reset_links.set_token(link_id, person.id, email, links.hashed(token))
    db.session.commit()  # first: a mailed link must be one that we know
    mail.send(claim, email, "Choose a new password", "reset", reset_url=links.reset_url(token))


def reset(typed: object, password: str) -> None:
    """Set the password that a link is for, and use the link up; commits. Signs nobody in.

    Raises Refusal `bad_link` (401), `weak_password` (422); the link then works on.
    """
    token = links.cleaned(typed)
    link = reset_links.find(links.hashed(token)) if token else None
    theirs = organisations.of_user(link.user_id) if link else {}
    db.session.commit()  # a hash takes its time, and holds no connection meanwhile
    if link is None:
        raise _bad_link()
    new_hash = _checked(password, link.email, theirs)
    if not reset_links.use(link.id):
        db.session.rollback()
        raise _bad_link()
    _replace(link.user_id, link.email, new_hash)
    home = organisations.home_of(link.user_id)
    audit.record(
        Action.ACCOUNT_CHANGED, "user", link.user_id, organisation_id=home, user_id=link.user_id, by="link"
    )
    alerts.tell(link.user_id, "password_changed")
    db.session.commit()


def change(current: str, password: str) -> None:
    """Change the password of who is signed in, and go on under a new session; commits.

    Raises Refusal `wrong_password` (422), `weak_password` (422), `rate_limited` (429).
    """
    user_id, email = g.actor.user_id, g.actor.email
    tried = brakes.count(Guess.PASSWORD, email)
    person, theirs = users.by_email(email), organisations.of_user(user_id)
    db.session.commit()
    if person is None or not passwords.fits(current, person.password_hash):
        raise Refusal("wrong_password", "This is not your password.", 422)
    tried.right()
    new_hash = _checked(password, email, theirs)
    _replace(user_id, email, new_hash)
    audit.record(Action.ACCOUNT_CHANGED, "user", user_id, by="password")
    alerts.tell(user_id, "password_changed", browser.begin(user_id, g.actor.organisation_id))
    known_browsers.recognise(user_id, browser.user_agent(), browser.address())
    db.session.commit()


def _checked(password: str, email: str, theirs: Mapping[int, Place]) -> str:
    """The hash of a good enough password. theirs: the person's organisations, whose names are none."""
    if reason := passwords.weakness(password, email, [place.name for place in theirs.values()]):
        raise Refusal("weak_password", reason, 422)
    return passwords.hashed(password)


def _replace(user_id: int, email: str, new_hash: str) -> None:
    """All in the caller's transaction: there is no moment in which both passwords open something."""
    devices.forget_all(user_id)  # first: a sign-in that skips its code waits here, and is ended below
    users.set_password(user_id, new_hash)
    reset_links.kill(email)
    brakes.let_go(email)
    challenges.kill(user_id, email)
    sessions.end_others(user_id)


def _bad_link() -> Refusal:
    return Refusal("bad_link", "This link was used, replaced, or is too old. Ask for a new one.", 401)


MAIL_LINK = Job(
    "mail_reset_link",
    Queue.CRITICAL,
    mail_link,
    timeout_seconds=25,
    attempts=70,  # once a minute for the hour in which somebody waits for it
    longest_pause_seconds=60,
)


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, MAIL_LINK)
