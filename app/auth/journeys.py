"""Register, sign in, verify: what happens, whoever asks and however the answer is shown.

Known and unknown addresses are told apart as late as possible: signing up does not even look, only the job
that mails does.
"""

from flask import session

from app.auth import addresses, arrival, authenticator, brakes, codes, devices, mail, passwords
from app.auth import session as browser
from app.auth.brakes import Guess
from app.errors import Refusal
from app.extensions import db, settings
from app.jobs import outbox
from app.store import audit, authenticators, challenges, organisations, users
from app.store.audit import Action
from app.store.challenges import Challenge

REGISTER = "register"
LOGIN = "login"
AUTHENTICATOR = "authenticator"  # a sign-in whose code comes from an app, not by mail
# Nobody but who knows the password gets here, and nobody's mailbox is filled: more than for mailed codes.
MOST_APP_CHALLENGES_PER_HOUR = 10


def register(email: str, password: str) -> bool:
    """Keep what a registration needs until its code comes back, and have the code mailed. No user yet: False.

    Raises Refusal `bad_email`, `weak_password` (422).
    """
    address = addresses.normalised(email)
    if address is None:
        raise Refusal("bad_email", "This is not an e-mail address.", 422)
    if reason := passwords.weakness(password, address):
        raise Refusal("weak_password", reason, 422)
    _challenge(REGISTER, address, password_hash=passwords.hashed(password))
    return False


def login(email: str, password: str) -> bool:
    """Check the password and have a code mailed, or ask for the authenticator app's where the person has one.

    True: no code is asked for in this browser, and one is signed in.

    Raises Refusal `bad_credentials` (401), for an unknown address too and after the same work; `rate_limited` (429).
    """
    address = addresses.normalised(email) or ""
    tried = brakes.count(Guess.PASSWORD, address)
    person = users.by_email(address)
    db.session.commit()  # a hash takes its time, and holds no connection meanwhile
    known_hash = person.password_hash if person and not person.is_disabled else None
    if not passwords.fits(password, known_hash) or person is None:
        _note_failure(person.id if person else None)
        raise Refusal("bad_credentials", "This e-mail address and password do not belong together.", 401)
    tried.right()
    if passwords.is_outdated(person.password_hash):
        users.rehash(person.id, person.password_hash, passwords.hashed(password))
    if devices.is_remembered(person.id) and arrival.arrive(person.id):
        db.session.commit()
        return True
    browser.change_id()  # half way in is a privilege, too
    _challenge(AUTHENTICATOR if authenticators.is_on(person.id) else LOGIN, address, user_id=person.id)
    return False


def verify(email: str, typed: object, *, remember: bool = False) -> None:
    """Redeem a code in the browser that asked for it, and sign in.

    remember: ask for no code in this browser for 30 days. Raises Refusal `bad_code` (401), `rate_limited` (429).
    """
    code = codes.cleaned(typed) or authenticator.cleaned(typed)
    challenge = _attempt(email) if code else None
    if (
        not code
        or challenge is None
        or not _fits(challenge, code)
        or not _redeem(challenge, remember=remember)
    ):
        db.session.rollback()
        message = "This code is wrong, used or too old. Look for the newest mail, or ask for a new code."
        if challenge is not None and challenge.purpose == AUTHENTICATOR:
            message = "This is not the app's code of this moment, or it was used. Wait for the next one."
        raise Refusal("bad_code", message, 401)
    db.session.commit()


def resend() -> None:
    """Mail a new code for what this browser asked last; the old one dies. Commits. Alike where there is none.

    It counts as one of the five of an hour.
    """
    if session.get("code_from") == "app":
        return  # nothing was mailed that could be mailed again
    challenge_id = browser.held_id("challenge")
    renewed = challenges.repeat(challenge_id, browser.browser_hash()) if challenge_id else None
    if renewed is not None:
        outbox.add(db.session, mail.MAIL_CODE, {"challenge": str(renewed)})
        session["challenge"] = str(renewed)
    db.session.commit()


def _note_failure(user_id: int | None) -> None:
    """The same work for a known and an unknown address."""
    home = organisations.home_of(user_id or 0)
    audit.record(Action.SIGN_IN_FAILED, "user", user_id or "", organisation_id=home, user_id=user_id)
    db.session.commit()


def _challenge(
    purpose: str, email: str, *, user_id: int | None = None, password_hash: str | None = None
) -> None:
    """Ask for a code. Too many for one address within the hour look the same from here, and send no mail."""
    by_app = purpose == AUTHENTICATOR
    challenge_id = challenges.add(
        purpose,
        email,
        browser.browser_hash(),
        user_id=user_id,
        password_hash=password_hash,
        most_per_hour=MOST_APP_CHALLENGES_PER_HOUR if by_app else challenges.MOST_PER_HOUR,
    )
    if challenge_id is not None:
        if not by_app:
            outbox.add(db.session, mail.MAIL_CODE, {"challenge": str(challenge_id)})
        session["challenge"] = str(challenge_id)
    session["email"] = email
    session["code_from"] = "app" if by_app else "mail"
    db.session.commit()


def _attempt(email: str) -> Challenge | None:
    """Count a try at this browser's challenge, for good."""
    address = addresses.normalised(email)
    challenge_id = browser.held_id("challenge")
    if address is None or challenge_id is None:
        return None
    found = challenges.attempt(challenge_id, browser.browser_hash(), address)
    db.session.commit()
    return found


def _fits(challenge: Challenge, code: str) -> bool:
    """Is this the code? Whoever knows a password gets few tries at codes, too, however many are mailed.

    At a registration there is no account yet that could be broken into, or whose owner could be kept out.
    """
    tried = brakes.count(Guess.CODE, challenge.email) if challenge.purpose != REGISTER else None
    if not _is_code_of(challenge, code):
        return False
    if tried:
        tried.right()
    return True


def _is_code_of(challenge: Challenge, code: str) -> bool:
    if challenge.purpose == AUTHENTICATOR:
        return challenge.user_id is not None and authenticator.fits(challenge.user_id, code)
    return codes.fits(settings().secret_key, challenge.id, code, challenge.code_hash)


def _redeem(challenge: Challenge, *, remember: bool) -> bool:
    """Use the challenge up and begin the session in one transaction; False where another was faster."""
    if not challenges.use(challenge.id):
        return False
    is_new = challenge.purpose == REGISTER
    user_id = _make_user(challenge) if is_new else challenge.user_id
    return user_id is not None and arrival.arrive(user_id, remember=remember, is_new=is_new)


def _make_user(challenge: Challenge) -> int | None:
    """The new user with an organisation of their own; None where the address got an account meanwhile."""
    user_id = users.add(challenge.email, challenge.password_hash or "")
    if user_id is not None:
        organisations.found(f"{challenge.email.partition('@')[0]}'s organisation", user_id)
    return user_id
